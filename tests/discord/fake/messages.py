"""Messages, and the files that hang on them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from tests.discord.fake.faults import refusal
from tests.discord.fake.people import BOT, CHANNEL, DIRECT

#: Message flags: for one's own eyes; the bot is still thinking.
EPHEMERAL, LOADING = 1 << 6, 1 << 7

Record = dict[str, Any]


class Rejected(Exception):
    """What was sent is not a message that Discord takes."""

    def __init__(self, answer: web.Response) -> None:
        super().__init__(answer.text)
        self.answer = answer


class Messages:
    """All messages there are, and the CDN with their files."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self.all: dict[str, Record] = {}
        #: The files' bytes, by the path below `/cdn/`.
        self.cdn: dict[str, bytes] = {}
        self._nonces: dict[tuple[str, str], str] = {}
        #: Where the CDN is: `http://127.0.0.1:1234/cdn`; known once the server listens.
        self.address = ""
        #: The largest file, in bytes.
        self.largest = 10 * 2**20

    def post(self, channel: str, body: Mapping[str, Any], files: Mapping[str, bytes]) -> Record:
        """A new message; or the earlier one, if it has the same nonce and that is enforced."""
        nonce = (channel, str(body.get("nonce")))
        if body.get("enforce_nonce") and nonce in self._nonces:
            return self.all[self._nonces[nonce]]
        message = self._write(str(next(self._numbers)), channel, {}, body, files)
        if body.get("nonce") is not None:
            message["nonce"] = body["nonce"]
            self._nonces[nonce] = message["id"]
        return message

    def forget_nonces(self) -> None:
        """As Discord does after a few minutes."""
        self._nonces.clear()

    def edit(self, identity: str, body: Mapping[str, Any], files: Mapping[str, bytes]) -> Record:
        """A message, with what is new put in the place of what was there."""
        old = self.all[identity]
        message = self._write(identity, old["channel_id"], old, body, files)
        message["flags"] &= ~LOADING
        message["edited_timestamp"] = "2026-01-01T00:00:01+00:00"
        return message

    def hang(self, name: str, content: bytes, description: str | None = None) -> Record:
        """A file on the CDN, as an attachment."""
        identity = str(next(self._numbers))
        path = f"{identity}/{name}"
        self.cdn[path] = content
        url = f"{self.address}/{path}"
        kind = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "wav": "audio/wav"}
        found: Record = {
            "id": identity,
            "filename": name,
            "size": len(content),
            "url": url,
            "proxy_url": url,
            "content_type": kind.get(name.rpartition(".")[2], "application/octet-stream"),
        }
        return found | ({"description": description} if description is not None else {})

    def file(self, attachment: Mapping[str, Any]) -> bytes:
        """The bytes of an attachment, as the CDN has them."""
        return self.cdn[str(attachment["url"]).partition("/cdn/")[2]]

    def _write(
        self,
        identity: str,
        channel: str,
        old: Mapping[str, Any],
        body: Mapping[str, Any],
        files: Mapping[str, bytes],
    ) -> Record:
        if len(body.get("content") or "") > 2000 or len(body.get("components") or ()) > 5:
            raise Rejected(refusal(400, 50035, "Invalid Form Body"))
        if any(len(content) > self.largest for content in files.values()):
            raise Rejected(refusal(413, 40005, "Request entity too large"))
        if len(files) > 10 or sum(map(len, files.values())) > 25 * 2**20:
            raise Rejected(refusal(413, 40005, "Request entity too large"))
        named = {str(one.get("id")): one for one in body.get("attachments") or ()}
        kept = [
            one
            for one in old.get("attachments", [])
            if "attachments" not in body or one["id"] in named
        ]
        for number, (name, content) in enumerate(files.items()):
            described = named.get(str(number), {}).get("description")
            kept.append(self.hang(name, content, described))
        message = {
            "id": identity,
            "channel_id": channel,
            "author": BOT.user(),
            "content": old.get("content", ""),
            "timestamp": "2026-01-01T00:00:00+00:00",
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "embeds": [],
            "pinned": False,
            "type": 0,
            "components": old.get("components", []),
            "at": time.monotonic(),
        }
        message |= {
            name: body[name] or message[name] for name in ("embeds", "components") if name in body
        }
        if "content" in body:
            message["content"] = body["content"] or ""
        if body.get("components") == []:
            message["components"] = []
        message["attachments"] = kept
        message["flags"] = (body.get("flags") or 0) | old.get("flags", 0)
        if "message_reference" in body:
            reference = body["message_reference"]
            message["message_reference"] = {
                name: str(reference[name]) for name in ("message_id", "channel_id")
            }
            message["type"] = 19
        self.all[identity] = message
        return message


def as_told(message: Record) -> Record:
    """The message as a bot without privileges is told of it: words only where they are meant."""
    meant = message["channel_id"] == DIRECT or message["author"]["id"] == BOT.id
    if meant or any(one["id"] == BOT.id for one in message["mentions"]):
        return message
    return message | {"content": "", "attachments": [], "components": [], "embeds": []}


def numbers() -> Iterator[int]:
    """Ids, each larger than the last: snowflakes of today, as Discord's are."""
    discord_epoch = 1_420_070_400_000
    return itertools.count((int(time.time() * 1000) - discord_epoch) << 22)


def in_channel(message: Mapping[str, Any], channel: str = CHANNEL) -> bool:
    """Whether everybody in the channel sees the message."""
    return message["channel_id"] == channel and not message["flags"] & EPHEMERAL
