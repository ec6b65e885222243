"""Who there is, and what somebody did and got for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

GUILD, CHANNEL, DIRECT = "2000", "3000", "3001"


@dataclass(frozen=True)
class Person:
    """Somebody, with what a server lets them do."""

    id: str
    name: str
    bot: bool = False
    roles: tuple[str, ...] = ()
    permissions: int = 0

    def user(self) -> dict[str, Any]:
        """The person as Discord describes them."""
        return {
            "id": self.id,
            "username": self.name,
            "discriminator": "0",
            "global_name": self.name.title(),
            "avatar": None,
            "bot": self.bot,
        }

    def member(self) -> dict[str, Any]:
        """The person as a member of the server."""
        return {
            "user": self.user(),
            "roles": list(self.roles),
            "joined_at": "2026-01-01T00:00:00+00:00",
            "deaf": False,
            "mute": False,
            "permissions": str(self.permissions),
            "flags": 0,
        }


BOT = Person("1000", "studio", bot=True)
ADA = Person("4000", "ada", roles=("5000",))
BOB = Person("4001", "bob")
#: Manages the server.
EVE = Person("4002", "eve", permissions=0x20)


@dataclass
class Edit:
    """One edit of an answer."""

    at: float
    body: dict[str, Any]
    files: dict[str, bytes]


@dataclass
class Interaction:
    """What somebody did, and what they have been shown since."""

    id: str
    token: str
    payload: dict[str, Any]
    sent: float = field(default_factory=time.monotonic)
    #: The first answer: its type, its data, and seconds since it was asked for.
    first: asyncio.Future[tuple[int, dict[str, Any], float]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    #: The message that answers, as it is now.
    message: dict[str, Any] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    followups: list[dict[str, Any]] = field(default_factory=list)
    #: Whether fifteen minutes are over.
    expired: bool = False

    async def answer(self, seconds: float = 3.0) -> tuple[int, dict[str, Any], float]:
        """The first answer; Discord waits three seconds for it."""
        return await asyncio.wait_for(asyncio.shield(self.first), seconds)

    async def until(self, true: Callable[[Interaction], object], seconds: float = 20.0) -> None:
        """Wait until `true`."""
        try:
            async with asyncio.timeout(seconds):
                while not true(self):
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"it still says {self.said!r}: {self.message}") from None

    async def files(self, count: int = 1) -> list[dict[str, Any]]:
        """The attachments, once there are so many."""
        await self.until(lambda one: len(one.message.get("attachments", ())) >= count)
        return list(self.message["attachments"])

    async def says(self, text: str) -> None:
        """Wait until the answer says so."""
        await self.until(lambda one: text in one.said)

    @property
    def said(self) -> str:
        """What the answer says."""
        return str(self.message.get("content", ""))
