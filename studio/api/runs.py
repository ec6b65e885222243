"""Runs: batches and recipes, begun with a stream of rows, watched, stopped and taken up again."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from typing import IO, Annotated, Any, Literal

import anyio
from fastapi import Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from studio.api.artifacts import limited
from studio.api.failures import routes
from studio.api.here import Here
from studio.client import Client
from studio.errors import InvalidRequest, NotFound
from studio.export import COLUMNS, entries, record
from studio.fields import Value, explain
from studio.recipes.document import Recipe
from studio.recipes.rows import MOST_CHARACTERS, Row
from studio.recipes.run import Line, Run, StepState
from studio.runs import Plan

router = routes("runs", "/runs")

_ROW: TypeAdapter[tuple[int, dict[str, Value]]] = TypeAdapter(tuple[int, dict[str, Value]])


class Head(BaseModel):
    """The first line of what begins a run; see `studio.runs.Plan`."""

    model_config = ConfigDict(extra="forbid")

    name: str
    recipe: dict[str, Any] | None = None
    task: str | None = None
    defaults: dict[str, Value] = {}
    skip_bad: bool = False
    dry: bool = False
    revises: str | None = None


@router.post(
    "",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def begin_run(
    client: Here,
    request: Request,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> dict[str, Any]:
    """Begin a run. The body is JSON Lines: the plan, then `[line, {column: value}]` for each row.

    The plan is `{"name", "recipe", "task", "defaults", "skip_bad", "dry", "revises"}`. Nothing
    begins before every row has been checked.
    """
    # Kept aside, so that a long table is never in memory and a slow sender holds nothing up.
    with tempfile.TemporaryFile(dir=request.app.state.host.incoming) as file:
        async for piece in limited(request).stream():
            await anyio.to_thread.run_sync(file.write, piece)
        file.seek(0)
        plan = await anyio.to_thread.run_sync(_plan, file)
        return (await client.begin(plan, _rows(file), key=idempotency_key)).record()


@router.get("")
async def list_runs(
    client: Here,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: str | None = None,
) -> list[Run]:
    """Your runs, newest first; `before` is the id of the last one already seen."""
    return await client.runs(limit=limit, before=before)


@router.get("/{run}")
async def read_run(client: Here, run: str) -> Run:
    """One run, as it is now."""
    return await client.run(run)


@router.get("/{run}/lines")
async def read_lines(
    client: Here,
    run: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[int, Query(ge=-1, le=2**31)] = -1,
    state: StepState | None = None,
) -> list[Line]:
    """The rows of a run behind the place `after`, and what has become of each."""
    return await client.lines(run, limit=limit, after=after, state=state)


@router.get("/{run}/recipe")
async def read_recipe(client: Here, run: str) -> dict[str, Any] | None:
    """The recipe that a run carries out; null for a plain batch."""
    recipe: Recipe | None = await client.recipe(run)
    return None if recipe is None else recipe.record()


@router.get("/{run}/results.{form}", response_class=StreamingResponse)
async def read_results(client: Here, run: str, form: Literal["csv", "jsonl"]) -> StreamingResponse:
    """What a run has made, as a table: one line for each output, or for a row that has none."""
    name = (await client.run(run)).id
    return StreamingResponse(
        _results(client, run, form),
        media_type={"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}[form],
        headers={"Content-Disposition": f'attachment; filename="{name}.{form}"'},
    )


@router.post("/{run}/stop")
async def stop_run(client: Here, run: str) -> Run:
    """Stop a run and its jobs; what is made stays made."""
    return await client.stop_run(run)


@router.post("/{run}/resume")
async def resume_run(client: Here, run: str) -> Run:
    """Take up a stopped run, and order anew whatever failed."""
    return await client.resume_run(run)


@router.post("/{run}/redo")
async def redo_step(
    client: Here,
    run: str,
    place: Annotated[int, Query(ge=0, le=2**31)],
    step: Annotated[str, Query(max_length=40)],
) -> Run:
    """Order one step of one row anew, and everything that needs it."""
    return await client.redo(run, place, step)


async def _results(client: Client, run: str, form: Literal["csv", "jsonl"]) -> AsyncIterator[str]:
    if form == "csv":
        yield _cells(dict(zip(COLUMNS, COLUMNS, strict=True)))
    after = -1
    while lines := await client.lines(run, limit=200, after=after):
        after = lines[-1].place
        for line in lines:
            async for result in _outputs(client, line):
                if form == "jsonl":
                    yield json.dumps(result, ensure_ascii=False) + "\n"
                else:
                    values = json.dumps(result["values"], ensure_ascii=False)
                    yield _cells({**result, "values": values})


async def _outputs(client: Client, line: Line) -> AsyncIterator[dict[str, Any]]:
    """The results of a row, with addresses for files."""
    for step, _, identity in entries(line):
        if identity is None:
            yield record(line, step)
            continue
        try:
            artifact = await client.artifact(identity)
        except NotFound:
            # It was deleted since.
            yield record(line, step)
        else:
            yield record(line, step, f"/api/v1/artifacts/{identity}/file", artifact)


def _cells(row: dict[str, Any]) -> str:
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, extrasaction="ignore").writerow(row)
    return text.getvalue()


def _plan(file: IO[bytes]) -> Plan:
    try:
        head = Head.model_validate_json(file.readline(MOST_CHARACTERS))
    except ValidationError as error:
        raise InvalidRequest(
            f"The first line is no plan: {explain(error)}.",
            hint='Begin with a line like {"name": "icons", "task": "text-to-image"}.',
        ) from None
    return Plan.from_record(head.model_dump())


def _rows(file: IO[bytes]) -> Iterator[Row]:
    number = 1
    while text := file.readline(4 * MOST_CHARACTERS):
        number += 1
        try:
            line, cells = _ROW.validate_python(json.loads(text))
        except (ValueError, RecursionError):
            raise InvalidRequest(
                f"Line {number} of the body is no row.",
                hint='Write each row as [line, {"prompt": "a red boat"}].',
            ) from None
        yield Row(line, cells)
