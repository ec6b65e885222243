"""Every failure as the same JSON: `error`, `message`, `hint`, `retry`, with the error's status."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, ClassVar

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from studio.errors import Broken, ErrorRecord, InvalidRequest, NotFound, Refused, StudioError

#: Below which the API lies.
PREFIX = "/api/v1"

#: What a router declares, so that the OpenAPI document shows what a failure looks like.
_FAILURES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorRecord, "description": "The request is wrong, or not allowed."},
    "5XX": {"model": ErrorRecord, "description": "The studio could not do it."},
}


def routes(tag: str, below: str = "", prefix: str = PREFIX) -> APIRouter:
    """A router for endpoints below `prefix` and `below`, that fail as described here."""
    return APIRouter(prefix=prefix + below, tags=[tag], responses=_FAILURES)


_LOG = logging.getLogger(__name__)


class Unauthenticated(Refused):
    """This studio wants a token, and the request has none or a wrong one."""

    http_status: ClassVar[int] = 401
    default_hint = "Send the header `Authorization: Bearer TOKEN`."

    def record(self) -> ErrorRecord:
        return {**super().record(), "error": Refused.__name__}


class TooMany(Refused):
    """Too many wrong tokens came from there."""

    http_status: ClassVar[int] = 429
    default_hint = "Wait a minute, then try the right one."

    def record(self) -> ErrorRecord:
        return {**super().record(), "error": Refused.__name__, "retry": True}


class TooLarge(InvalidRequest):
    """The request is longer than this server reads."""

    http_status: ClassVar[int] = 413

    def record(self) -> ErrorRecord:
        return {**super().record(), "error": InvalidRequest.__name__}


def install(app: FastAPI) -> None:
    """Answer every failure of `app` in the one shape."""

    @app.exception_handler(StudioError)
    async def known(request: Request, error: StudioError) -> Response:
        return answer(error)

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        kind = NotFound if error.status_code == 404 else InvalidRequest
        hint = "The document /api/v1/openapi.json lists what there is."
        return answer(kind(f"{error.detail}.", hint=hint), error.status_code, error.headers)

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> Response:
        problems = [f"{problem['loc'][-1]}: {problem['msg']}" for problem in error.errors()]
        return answer(InvalidRequest("; ".join(problems)))

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        broken = Broken()
        _LOG.error("incident %s: %s", broken.incident, request.url.path, exc_info=error)
        return answer(broken)


def answer(
    error: StudioError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The response that carries `error`."""
    # Escaped to ASCII: a message may quote what no encoding can carry, such as half a surrogate.
    response = Response(
        json.dumps(error.record()), status or error.http_status, media_type="application/json"
    )
    response.headers.update(headers or {})
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if response.status_code == 413:
        response.headers["Connection"] = "close"  # or the rest would be read, and thrown away
    return response
