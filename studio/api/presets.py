"""Presets: named settings that people keep for themselves."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from studio.api.failures import routes
from studio.api.here import Here
from studio.presets import Preset

router = routes("presets", "/presets")


@router.get("")
async def list_presets(client: Here) -> list[Preset]:
    """Your presets, by name."""
    return await client.presets()


@router.post("")
async def save_preset(client: Here, preset: Preset) -> list[Preset]:
    """Keep some fields of a task under a name; one of the same name is replaced."""
    await client.save_preset(preset)
    return await client.presets()


@router.delete("")
async def delete_preset(client: Here, name: Annotated[str, Query(max_length=200)]) -> list[Preset]:
    """Forget the preset of that name."""
    await client.delete_preset(name)
    return await client.presets()
