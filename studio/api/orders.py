"""Ordering: one endpoint per task, with the task's own schema, derived from `TASKS`."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, NoReturn

from fastapi import APIRouter, Header, Query, Request, Response

from studio.api.failures import routes
from studio.api.here import Here
from studio.errors import InvalidRequest
from studio.job import Job
from studio.tasks import TASKS, Task


def router() -> APIRouter:
    """An endpoint for every task."""
    orders = routes("orders")
    for task in TASKS.values():
        orders.add_api_route(
            f"/{task.id}",
            _endpoint(task),
            methods=["POST"],
            status_code=202,
            response_model=Job,
            name=task.id,
            summary=task.title,
            description=f"{task.description} Returns the job; ask for its events, or for the job.",
            openapi_extra={"requestBody": _body(task)},
        )
    return orders


def _body(task: Task) -> dict[str, Any]:
    schema = task.request.model_json_schema()
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _endpoint(task: Task) -> Callable[..., Coroutine[Any, Any, Job]]:
    async def order(
        request: Request,
        response: Response,
        client: Here,
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
        priority: Annotated[int, Query(ge=-10, le=10)] = 0,
    ) -> Job:
        values = await _object(request)
        job = await client.submit(task.id, values, key=idempotency_key, priority=priority)
        response.headers["Location"] = request.url_for("read_job", job=job.id).path
        return job

    return order


async def _object(request: Request) -> dict[str, Any]:
    """The JSON object in the body, as loose values; the client's own checks are the strict ones."""
    body = await request.body()
    try:
        values = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"The body is not JSON: {error}.", hint="Send one JSON object with the task's fields."
        ) from None
    if not isinstance(values, dict):
        raise InvalidRequest(
            "The body is not a JSON object.", hint="Send one JSON object with the task's fields."
        )
    return values


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
