"""Jobs: the list, one, its events as a stream, and stopping it; and everybody's line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Query
from fastapi.responses import StreamingResponse

from studio.api.failures import routes
from studio.api.here import Here
from studio.job import Event, Job
from studio.protocol import Place

router = routes("jobs")

Limit = Annotated[int, Query(ge=1, le=200)]

#: Seconds of silence after which a comment is sent, so that nothing on the way hangs up.
_ALIVE_SECONDS = 15.0


@router.get("/jobs")
async def list_jobs(client: Here, limit: Limit = 50, before: str | None = None) -> list[Job]:
    """Your jobs, newest first; `before` is the id of the last one you have seen."""
    return await client.jobs(limit=limit, before=before)


@router.get("/jobs/{job}")
async def read_job(client: Here, job: str) -> Job:
    """One of your jobs, as it is now."""
    return await client.job(job)


@router.get("/jobs/{job}/events", response_class=StreamingResponse)
async def stream_events(client: Here, job: str) -> StreamingResponse:
    """Server-sent events: how far the job is, then what happens, to its last event.

    Ask again at any time; nothing is lost but what was said in between.
    """
    await client.job(job)
    return StreamingResponse(
        _lines(client.events(job)),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.delete("/jobs/{job}")
async def cancel_job(client: Here, job: str) -> Job:
    """Stop a job: at once if it waits, within a step if it runs."""
    return await client.cancel(job)


@router.post("/jobs/{job}/retry", status_code=202)
async def retry_job(client: Here, job: str) -> Job:
    """Order what failed or was stopped once more, with the same seed; returns the new job."""
    return await client.retry(job)


@router.post("/jobs/{job}/move")
async def move_job(client: Here, job: str, before: str | None = None) -> Job:
    """Let a waiting job go before another waiting one of yours, or after all of them."""
    return await client.move(job, before)


@router.get("/queue")
async def read_queue(client: Here) -> list[Place]:
    """Everybody's unfinished jobs; what they are about is shown of your own alone."""
    return await client.queue()


async def _lines(events: AsyncIterator[Event]) -> AsyncIterator[str]:
    """The events as `text/event-stream`, with a sign of life while nothing happens."""
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait([coming], timeout=_ALIVE_SECONDS)
            if not coming.done():
                yield ": alive\n\n"
                continue
            if (event := coming.result()) is None:
                return
            yield f"event: {type(event).__name__}\ndata: {json.dumps(event.record())}\n\n"
            coming = asyncio.ensure_future(anext(events, None))
    finally:
        coming.cancel()
