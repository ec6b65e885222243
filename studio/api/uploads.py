"""Uploads: files that people bring along to make something of."""

from __future__ import annotations

from fastapi import Request

from studio.api.artifacts import FILE_BODY, uploaded
from studio.api.failures import routes
from studio.api.here import Here
from studio.uploads import Upload

router = routes("uploads")


@router.post("/uploads", status_code=201, openapi_extra=FILE_BODY)
async def upload_file(client: Here, request: Request) -> Upload:
    """Bring a file along; its id goes into the media fields of your orders."""
    async with uploaded(request) as (path, name):
        return await client.upload(path, name=name)
