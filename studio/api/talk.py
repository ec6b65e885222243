"""Conversations: what was said, what a model answered, and saying more."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from fastapi import Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from studio.api.failures import routes
from studio.api.here import Here
from studio.api.jobs import Limit
from studio.job import Job
from studio.talk import Conversation

router = routes("conversations", "/conversations")

_Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


class Beginning(BaseModel):
    """What a conversation begins with."""

    model_config = ConfigDict(extra="forbid")

    title: str = ""
    model: str | None = Field(None, max_length=200)
    system: str = ""


class Change(BaseModel):
    """What of a conversation is to change; null stays, and an empty model is the best installed."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = None
    model: str | None = Field(None, max_length=200)
    system: str | None = None


class Message(BaseModel):
    """What is said, and the id of the picture that it is about."""

    model_config = ConfigDict(extra="forbid")

    text: str
    image: str | None = Field(None, max_length=200)


@router.get("")
async def list_conversations(
    client: Here,
    search: Annotated[str, Query(max_length=1000)] = "",
    limit: Limit = 50,
    before: str | None = None,
) -> list[Conversation]:
    """Your conversations without their turns, the one used last first."""
    return await client.conversations(search, limit=limit, before=before)


@router.post("", status_code=201)
async def start_conversation(client: Here, wish: Beginning) -> Conversation:
    """Begin one; without a title it is called by the first words that are said in it."""
    return await client.start_conversation(wish.title, model=wish.model, system=wish.system)


@router.get("/{conversation}")
async def read_conversation(client: Here, conversation: str) -> Conversation:
    """One of your conversations, as it is now."""
    return await client.conversation(conversation)


@router.patch("/{conversation}")
async def change_conversation(client: Here, conversation: str, wish: Change) -> Conversation:
    """Change its title, its model or its system prompt; for the answers from now on."""
    return await client.change_conversation(
        conversation, title=wish.title, model=wish.model, system=wish.system
    )


@router.delete("/{conversation}", status_code=200)
async def delete_conversation(client: Here, conversation: str) -> None:
    """Forget every word of it, and throw its answers into the bin."""
    await client.delete_conversation(conversation)


@router.post("/{conversation}/turns", status_code=202)
async def talk(client: Here, conversation: str, message: Message, key: _Key = None) -> Job:
    """Say something; the job that writes the answer. Its events stream the words."""
    return await client.talk(conversation, message.text, image=message.image, key=key)


@router.post("/{conversation}/replies", status_code=202)
async def regenerate(client: Here, conversation: str, key: _Key = None) -> Job:
    """Answer what was said last once more; the earlier answers are kept."""
    return await client.regenerate(conversation, key=key)


@router.post("/{conversation}/continuations", status_code=202)
async def go_on(client: Here, conversation: str, key: _Key = None) -> Job:
    """Go on with the last answer from where it ended or was stopped, as another answer."""
    return await client.go_on(conversation, key=key)


@router.get("/{conversation}/export", response_class=Response)
async def export_conversation(
    client: Here,
    conversation: str,
    form: Annotated[Literal["md", "json"], Query(alias="as")] = "md",
) -> Response:
    """The conversation as a file: Markdown, or JSON with every answer."""
    found = await client.conversation(conversation)
    if form == "md":
        content, media = found.markdown(), "text/markdown"
    else:
        content, media = (
            json.dumps(found.record(), ensure_ascii=False, indent=2),
            "application/json",
        )
    name = f"conversation-{found.id[:8]}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type=media, headers=headers)
