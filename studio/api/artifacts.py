"""Finished outputs by id, their files as they were signed, and checking anybody's file."""

from __future__ import annotations

import copy
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import anyio
from fastapi import Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel
from starlette.datastructures import UploadFile

from studio.api.bodies import counted
from studio.api.failures import TooLarge, routes
from studio.api.here import Here
from studio.api.jobs import Limit
from studio.artifact import Artifact, Note
from studio.errors import InvalidRequest, NotFound, Refused
from studio.gallery import Filter
from studio.links import holds
from studio.score import Score
from studio.sheet import MEDIA_TYPES, SheetFormat, written

#: Tells a program of the host's own user where the file lies, so that it need not be copied.
PATH_HEADER = "X-Studio-Path"

#: What the OpenAPI document says of a request that brings one file.
FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}

#: The same with the `.c2pa` file that lay beside it, if one did.
CHECK_BODY = copy.deepcopy(FILE_BODY)
CHECK_BODY["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]["manifest"] = {
    "type": "string",
    "format": "binary",
}

router = routes("artifacts")

#: What a multipart body may hold beside its file, in bytes.
_ENVELOPE = 10_000


class Page(Filter):
    """A page of those outputs that the filter lets through."""

    limit: Limit = 50
    before: str | None = None


class Link(BaseModel):
    """Where anybody can fetch a file for a while."""

    #: Below the studio's address.
    path: str


@router.get("/artifacts")
async def list_artifacts(client: Here, page: Annotated[Page, Query()]) -> list[Artifact]:
    """Your outputs, newest first; `before` is the id of the last one you have seen."""
    return await client.artifacts(page, limit=page.limit, before=page.before)


@router.get("/artifacts/{artifact}")
async def read_artifact(client: Here, artifact: str) -> Artifact:
    """One of your outputs: what it is, and how it was made."""
    return await client.artifact(artifact)


@router.get("/artifacts/{artifact}/file", response_class=FileResponse)
async def read_file(request: Request, client: Here, artifact: str) -> FileResponse:
    """The file itself, byte by byte as it was signed."""
    found = await client.artifact(artifact)
    path = await client.fetch(artifact)
    return _file(request, path, found.media_type, f"{found.id}{path.suffix}")


@router.get("/artifacts/{artifact}/manifest", response_class=FileResponse)
async def read_manifest(request: Request, client: Here, artifact: str) -> FileResponse:
    """The signed manifest of a file that cannot hold one; keep it beside the file."""
    path = await client.companion(artifact)
    if path is None:
        raise NotFound(
            "This file holds its manifest itself.", hint="Fetch the file; nothing is missing."
        )
    name = f"{(await client.fetch(artifact)).name}.c2pa"
    return _file(request, path, "application/c2pa", name)


@router.get("/artifacts/{artifact}/preview", response_class=FileResponse)
async def read_preview(request: Request, client: Here, artifact: str) -> FileResponse:
    """A small copy of a picture, to find it by. It is unsigned, says so, and is not an output."""
    return _file(request, await client.preview(artifact), "image/webp", f"preview-{artifact}.webp")


@router.get("/artifacts/{artifact}/score")
async def read_score(
    client: Here, artifact: str, form: Annotated[SheetFormat, Query(alias="format")] = "mid"
) -> Response:
    """The notes of a composed piece: a MIDI file, ABC notation, or a piano roll to look at."""
    score = (await client.artifact(artifact)).note.about.get("score")
    if score is None:
        raise NotFound("This has no notes.", hint="Only what a model composes as notes has them.")
    content = await anyio.to_thread.run_sync(written, Score.from_record(score), artifact, form)
    name = f'inline; filename="colophon-{artifact[:8]}.{form}"'
    return Response(content, 200, {"Content-Disposition": name}, MEDIA_TYPES[form])


@router.get("/artifacts/{artifact}/note")
async def read_note(client: Here, artifact: str, response: Response) -> Note:
    """How it was made, to keep beside the file: prompt and settings, which the file keeps quiet."""
    found = await client.artifact(artifact)
    name = f"colophon-{found.id[:8]}.json"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return found.note


@router.post("/artifacts/{artifact}/link")
async def share(client: Here, artifact: str, seconds: Annotated[float, Query(gt=0)]) -> Link:
    """A link with which anybody can fetch the file for so many seconds, a month at most."""
    return Link(path=await client.share(artifact, seconds=seconds))


@router.get("/shared/{artifact}", response_class=FileResponse)
def read_shared(request: Request, artifact: str, until: int, signature: str) -> FileResponse:
    """The file that a link leads to. Whoever has the link needs no token."""
    host = request.app.state.host
    if not holds(host.secret, artifact, until, signature):
        raise Refused(
            "This link is not valid, or not any more.", hint="Ask whoever gave it for a new one."
        )
    store = host.provenance.store
    found, path = store.get(artifact), store.path(artifact)
    return _file(request, path, found.media_type, f"colophon-{found.id[:8]}{path.suffix}")


@router.post("/verify", openapi_extra=CHECK_BODY)
async def verify_file(client: Here, request: Request) -> dict[str, Any]:
    """What can be found out about a file, wherever it came from. It is not kept.

    Where the file cannot hold its signed statement, send that as `manifest`.
    """
    async with uploaded(request) as (path, name):
        verdict = await client.verify(path, name=name)
    return verdict.record()


def _file(request: Request, path: Path, media_type: str, name: str) -> FileResponse:
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    if request.app.state.gate.is_private(request):
        headers[PATH_HEADER] = quote(str(path))
    return FileResponse(
        path,
        media_type=media_type,
        filename=name,
        content_disposition_type="inline",
        headers=headers,
    )


def limited(request: Request) -> Request:
    """The same request; reading more of its body than a file may have raises `TooLarge`."""
    most = request.app.state.host.settings.max_upload_bytes
    error = TooLarge(
        f"The file is larger than {most} bytes.",
        hint="Reduce it, or raise `max_upload_bytes` in the settings.",
    )
    return Request(request.scope, counted(request.receive, most + _ENVELOPE, error))


@asynccontextmanager
async def uploaded(request: Request) -> AsyncIterator[tuple[Path, str]]:
    """The file that came with the request, in a private folder that is gone afterwards.

    A `manifest` that came with it lies beside it.
    """
    incoming = request.app.state.host.incoming
    async with limited(request).form(max_files=2, max_fields=1) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise InvalidRequest(
                "There is no file in the request.",
                hint="Send it as multipart/form-data, in the field `file`.",
            )
        folder = Path(await anyio.to_thread.run_sync(partial(tempfile.mkdtemp, dir=incoming)))
        try:
            path = folder / "file"
            await anyio.to_thread.run_sync(_copy, file, path)
            if isinstance(manifest := form.get("manifest"), UploadFile):
                await anyio.to_thread.run_sync(_copy, manifest, folder / "file.c2pa")
            yield path, file.filename or "file"
        finally:
            await anyio.to_thread.run_sync(shutil.rmtree, folder)


def _copy(file: UploadFile, path: Path) -> None:
    with path.open("xb") as target:
        shutil.copyfileobj(file.file, target)
