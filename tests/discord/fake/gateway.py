"""The gateway: who is there, what happens, and going on after a broken line."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import WSMsgType, web

from tests.discord.fake.people import BOT, CHANNEL, GUILD

_HELLO, _HEARTBEAT, _IDENTIFY, _RESUME, _INVALID, _ACK = 10, 1, 2, 6, 9, 11


class Gateway:
    """The bots' lines. Several bots of one token may listen: each hears everything."""

    def __init__(self) -> None:
        self.address = ""
        self.identified: list[dict[str, Any]] = []
        self.resumed: list[dict[str, Any]] = []
        #: Whether a broken line may be taken up again.
        self.resumable = True
        self.ready = asyncio.Event()
        self._lines: list[web.WebSocketResponse] = []
        self._sent: list[dict[str, Any]] = []

    async def dispatch(self, event: str, data: dict[str, Any]) -> None:
        """Tell every bot; one whose line is broken hears it when it comes back."""
        said = {"op": 0, "t": event, "s": len(self._sent) + 1, "d": data}
        self._sent.append(said)
        for line in list(self._lines):
            await _send(line, said)

    async def drop(self) -> None:
        """Break all lines."""
        self.ready.clear()
        for line in self._lines:
            await line.close(code=4000)
        self._lines.clear()

    async def listen(self, request: web.Request) -> web.WebSocketResponse:
        """One bot's line, until it breaks."""
        line = web.WebSocketResponse(max_msg_size=0)
        await line.prepare(request)
        await line.send_json({"op": _HELLO, "d": {"heartbeat_interval": 41250}})
        async for message in line:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            said = json.loads(message.data)
            match said["op"]:
                case 1:
                    await line.send_json({"op": _ACK})
                case 2:
                    await self._identify(line, said["d"])
                case 6:
                    await self._resume(line, said["d"])
        if line in self._lines:
            self._lines.remove(line)
        return line

    async def _identify(self, line: web.WebSocketResponse, data: dict[str, Any]) -> None:
        self.identified.append(data)
        number = len(self._sent)
        for offset, (event, what) in enumerate((("READY", self._ready()), _guild()), 1):
            await line.send_json({"op": 0, "t": event, "s": number + offset, "d": what})
        # They count for everybody, so that the numbers stay the same for all lines.
        self._sent += [
            {"op": 0, "t": "IGNORED", "s": number + offset, "d": {}} for offset in (1, 2)
        ]
        self._lines.append(line)
        self.ready.set()

    async def _resume(self, line: web.WebSocketResponse, data: dict[str, Any]) -> None:
        self.resumed.append(data)
        if not self.resumable:
            await line.send_json({"op": _INVALID, "d": False})
            return
        for said in self._sent[data["seq"] :]:
            await line.send_json(said)
        await line.send_json({"op": 0, "t": "RESUMED", "s": len(self._sent), "d": {}})
        self._lines.append(line)
        self.ready.set()

    def _ready(self) -> dict[str, Any]:
        return {
            "v": 10,
            "user": BOT.user(),
            "guilds": [{"id": GUILD, "unavailable": True}],
            "session_id": "session",
            "resume_gateway_url": self.address,
            "application": {"id": BOT.id, "flags": 0},
            "shard": [0, 1],
        }


def channel(direct: bool = False, nsfw: bool = False) -> dict[str, Any]:
    """The server's one channel, or a private one."""
    if direct:
        return {"id": "3001", "type": 1, "recipients": [], "last_message_id": None}
    return {
        "id": CHANNEL,
        "type": 0,
        "name": "art",
        "guild_id": GUILD,
        "position": 0,
        "permission_overwrites": [],
        "nsfw": nsfw,
        "parent_id": None,
        "topic": None,
    }


def thread(identity: str, name: str) -> dict[str, Any]:
    """A thread on the message with this id."""
    folded = {"archived": False, "auto_archive_duration": 1440, "locked": False,
              "archive_timestamp": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    return {
        "id": identity, "type": 11, "name": name, "guild_id": GUILD, "parent_id": CHANNEL,
        "owner_id": BOT.id, "message_count": 0, "member_count": 1, "rate_limit_per_user": 0,
        "thread_metadata": folded, "last_message_id": None, "flags": 0,
    }  # fmt: skip


def role(identity: str, name: str) -> dict[str, Any]:
    """A role, which lets its holders do nothing more."""
    colours = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
    return {
        "id": identity, "name": name, "color": 0, "colors": colours, "hoist": False,
        "position": 0, "managed": False, "permissions": "2147483647", "mentionable": False,
    }  # fmt: skip


def _guild() -> tuple[str, dict[str, Any]]:
    return "GUILD_CREATE", {
        "id": GUILD, "name": "Studio", "owner_id": "4999", "member_count": 4,
        "roles": [role(GUILD, "@everyone"), role("5000", "painters")],
        "channels": [channel()], "members": [BOT.member() | {"permissions": "2147483647"}],
        "emojis": [], "stickers": [], "features": [], "threads": [], "presences": [],
        "voice_states": [], "guild_scheduled_events": [], "stage_instances": [],
        "verification_level": 0, "default_message_notifications": 0, "explicit_content_filter": 0,
        "mfa_level": 0, "nsfw_level": 0, "premium_tier": 0, "preferred_locale": "en-US",
        "afk_timeout": 60, "system_channel_flags": 0,
    }  # fmt: skip


async def _send(line: web.WebSocketResponse, said: dict[str, Any]) -> None:
    if not line.closed:
        await line.send_json(said)
