"""The people who share the studio; for its operator alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import Body

from studio.api.failures import routes
from studio.api.here import Here

router = routes("users", "/users")


@router.get("")
async def list_users(client: Here) -> list[str]:
    """Their names."""
    return await client.users()


@router.post("", status_code=201)
async def add_user(
    client: Here, name: Annotated[str, Body(embed=True, max_length=100)]
) -> dict[str, str]:
    """Let somebody in: their token, which is shown this once."""
    return {"name": name, "token": await client.add_user(name)}


@router.delete("/{name}", status_code=204)
async def remove_user(client: Here, name: str) -> None:
    """Let them in no more; what they made stays."""
    await client.remove_user(name)
