"""The client over HTTP: the same verbs, against a host in another process."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

import anyio
import httpx
from pydantic import TypeAdapter

from studio.artifacts import Artifact
from studio.cards import Card, StudioBlock
from studio.errors import Broken, NotFound, StudioError, Unavailable
from studio.fields import FieldSpec, Value, fields_of
from studio.job import Event, Job
from studio.protocol import LOCAL, Client, Model, Place
from studio.provenance.verdict import Layer, Outcome, Verdict
from studio.tasks import find_task
from studio.worker.supervisor import LaneState

#: Seconds without a byte after which the host counts as gone; streams say something every 15.
_SILENCE = 60.0

_PLACES = TypeAdapter(list[Place])
_DEVICES = TypeAdapter(list[LaneState])


class RemoteClient(Client):
    """One owner's view of the host at `url`. Open it with `async with`."""

    def __init__(self, url: str, token: str | None = None, *, owner: str = LOCAL) -> None:
        """`token` is the host's private one, which may name an `owner`, or its operator's."""
        headers = {"X-Studio-Owner": owner}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        # No proxies: what the environment says of them is not meant for one's own studio.
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1/", headers=headers, timeout=_SILENCE, trust_env=False
        )

    async def __aenter__(self) -> Self:
        self._files = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the host, and of the files that were fetched from it."""
        await self._http.aclose()
        await anyio.to_thread.run_sync(shutil.rmtree, self._files)

    async def submit(
        self,
        task: str,
        values: Mapping[str, Value],
        *,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        record = await self._json(
            "POST",
            find_task(task).id,
            json=dict(values),
            params={"priority": priority},
            headers={} if key is None else {"Idempotency-Key": key},
        )
        return Job.from_record(record)

    async def job(self, job: str) -> Job:
        return Job.from_record(await self._json("GET", f"jobs/{_part(job)}"))

    async def jobs(self, *, limit: int = 50, before: str | None = None) -> list[Job]:
        return [Job.from_record(one) for one in await self._page("jobs", limit, before)]

    async def queue(self) -> list[Place]:
        return _PLACES.validate_python(await self._json("GET", "queue"))

    async def events(self, job: str) -> AsyncIterator[Event]:
        async with self._send("GET", f"jobs/{_part(job)}/events") as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    event = Event.from_record(json.loads(line.removeprefix("data: ")))
                    yield event
                    if event.last:
                        return
        raise _gone()

    async def cancel(self, job: str) -> Job:
        return Job.from_record(await self._json("DELETE", f"jobs/{_part(job)}"))

    async def artifact(self, artifact: str) -> Artifact:
        return Artifact.from_record(await self._json("GET", f"artifacts/{_part(artifact)}"))

    async def artifacts(self, *, limit: int = 50, before: str | None = None) -> list[Artifact]:
        return [Artifact.from_record(one) for one in await self._page("artifacts", limit, before)]

    async def fetch(self, artifact: str) -> Path:
        async with self._send("GET", f"artifacts/{_part(artifact)}/file") as response:
            # On the host's own machine the file is there already; its name is quoted.
            here = Path(unquote(response.headers.get("x-studio-path", "")))
            if here.is_absolute() and await anyio.Path(here).is_file():
                return here
            name = response.headers["content-disposition"].rpartition("filename=")[2].strip('"')
            path = self._files / Path(name).name
            async with await anyio.open_file(path, "wb") as file:
                async for chunk in response.aiter_bytes():
                    await file.write(chunk)
        return path

    async def verify(self, path: Path) -> Verdict:
        with await anyio.to_thread.run_sync(path.open, "rb") as file:
            record = await self._json("POST", "verify", files={"file": (path.name, file)})
        layers = tuple(Layer(**layer) for layer in record["layers"])
        return Verdict(str(path), Outcome(record["verdict"]), record["sentence"], layers)

    async def cards(self) -> list[Model]:
        return [
            Model(
                Card(
                    one["name"],
                    StudioBlock.model_validate(one["studio"]),
                    one["metadata"],
                    one["prose"],
                ),
                one["installed"],
            )
            for one in await self._json("GET", "models")
        ]

    async def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        found = find_task(task)
        if model is None:
            return fields_of(found.request)
        for one in await self.cards():
            if one.card.name == model:
                return one.card.fields(found)
        raise NotFound(f"There is no model called {model!r}.")

    async def devices(self) -> list[LaneState]:
        return _DEVICES.validate_python(await self._json("GET", "devices"))

    async def _page(self, path: str, limit: int, before: str | None) -> Any:
        params: dict[str, str | int] = {"limit": limit}
        if before is not None:
            params["before"] = before
        return await self._json("GET", path, params=params)

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._send(method, path, **options) as response:
            return json.loads(await response.aread())

    @asynccontextmanager
    async def _send(self, method: str, path: str, **options: Any) -> AsyncIterator[httpx.Response]:
        """The response, if it is a good one; else the error that it carries is raised."""
        try:
            async with self._http.stream(method, path, **options) as response:
                if response.is_error:
                    await response.aread()
                    raise _error(response)
                yield response
        except httpx.TransportError as error:
            raise _gone() from error


def _part(name: str) -> str:
    """`name` as one part of a path, whatever it holds."""
    return quote(name, safe="")


def _gone() -> Unavailable:
    return Unavailable(
        "The studio that was running does not answer any more.",
        hint="Its jobs are safe. Start it again with `studio up`.",
        retry=True,
    )


def _error(response: httpx.Response) -> StudioError:
    try:
        return StudioError.from_record(response.json())
    except (ValueError, KeyError, TypeError):
        return Broken(f"The host answered with status {response.status_code}.")
