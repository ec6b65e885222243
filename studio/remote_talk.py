"""The verbs of conversations over HTTP."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from urllib.parse import quote

from studio.job import Job
from studio.talk import Conversation, Talk


class RemoteTalk(Talk):
    """One owner's view of a host's conversations."""

    async def conversations(
        self, search: str = "", *, limit: int = 50, before: str | None = None
    ) -> list[Conversation]:
        params: dict[str, Any] = {"search": search, "limit": limit}
        if before is not None:
            params["before"] = before
        found = await self._json("GET", "conversations", params=params)
        return [Conversation.from_record(one) for one in found]

    async def conversation(self, conversation: str) -> Conversation:
        return Conversation.from_record(await self._json("GET", _at(conversation)))

    async def start_conversation(
        self, title: str = "", *, model: str | None = None, system: str = ""
    ) -> Conversation:
        wish = {"title": title, "model": model, "system": system}
        return Conversation.from_record(await self._json("POST", "conversations", json=wish))

    async def change_conversation(
        self,
        conversation: str,
        *,
        title: str | None = None,
        model: str | None = None,
        system: str | None = None,
    ) -> Conversation:
        wish = {"title": title, "model": model, "system": system}
        return Conversation.from_record(await self._json("PATCH", _at(conversation), json=wish))

    async def delete_conversation(self, conversation: str) -> None:
        await self._json("DELETE", _at(conversation))

    async def talk(
        self,
        conversation: str,
        text: str,
        *,
        image: str | None = None,
        key: str | None = None,
    ) -> Job:
        record = await self._json(
            "POST",
            f"{_at(conversation)}/turns",
            json={"text": text, "image": image},
            headers={} if key is None else {"Idempotency-Key": key},
        )
        return Job.from_record(record)

    async def regenerate(self, conversation: str, *, key: str | None = None) -> Job:
        headers = {} if key is None else {"Idempotency-Key": key}
        record = await self._json("POST", f"{_at(conversation)}/replies", headers=headers)
        return Job.from_record(record)

    async def go_on(self, conversation: str, *, key: str | None = None) -> Job:
        headers = {} if key is None else {"Idempotency-Key": key}
        record = await self._json("POST", f"{_at(conversation)}/continuations", headers=headers)
        return Job.from_record(record)

    @abstractmethod
    async def _json(self, method: str, path: str, **options: Any) -> Any: ...


def _at(conversation: str) -> str:
    return f"conversations/{quote(conversation, safe='')}"
