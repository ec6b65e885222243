"""Files that people attach, on their way from Discord into the studio."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import discord
import httpx

from studio.client import Client
from studio.errors import NotFound
from studio.fields import Value

_SECONDS = 60.0


def as_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an order as they can be written down; a file becomes where it lies."""
    return {name: _written(value) for name, value in values.items()}


def _written(value: Any) -> Any:
    if isinstance(value, discord.Attachment):
        return {"url": value.url, "name": value.filename}
    return [_written(one) for one in value] if isinstance(value, list) else value


async def brought(client: Client, values: Mapping[str, Any]) -> dict[str, Value]:
    """The fields as the studio takes them: files are fetched and uploaded, and become their ids.

    Raises:
        NotFound: if Discord does not have a file any more.
        InvalidRequest: if the studio does not take it.
    """
    return {name: await _brought(client, value) for name, value in values.items()}


async def _brought(client: Client, value: Any) -> Value:
    if isinstance(value, list):
        return [str(await _brought(client, one)) for one in value]
    if isinstance(value, Mapping):
        async with fetched(value["url"], value["name"]) as path:
            return (await client.upload(path, name=value["name"])).id
    return cast(Value, value)


@asynccontextmanager
async def fetched(url: str, name: str) -> AsyncIterator[Path]:
    """The file at `url`, in a private folder that is gone afterwards."""
    folder = await anyio.to_thread.run_sync(tempfile.TemporaryDirectory)
    try:
        path = Path(folder.name) / Path(name).name
        async with (
            httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as http,
            http.stream("GET", url) as response,
        ):
            if response.is_error:
                raise NotFound(
                    f"Discord does not give {name} away any more.", hint="Attach it once more."
                )
            async with await anyio.open_file(path, "xb") as file:
                async for chunk in response.aiter_bytes():
                    await file.write(chunk)
        yield path
    except httpx.TransportError as error:
        raise OSError(f"{name} could not be fetched") from error
    finally:
        await anyio.to_thread.run_sync(folder.cleanup)
