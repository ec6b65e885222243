"""Anthropic's kit: Claude, which writes and sees."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2

from studio.hosted import wire
from studio.hosted.calls import Answer, Call, Trouble, Turn, Writing

#: Where Anthropic is.
ADDRESS = "https://api.anthropic.com"


class Anthropic:
    """The kit `anthropic`; see `studio.hosted.calls.Kit`."""

    version = f"anthropic {anthropic.__version__}"

    def __init__(self, key: str, base_url: str | None, silent_seconds: float) -> None:
        """Without a `key`, as servers of one's own take it, none is sent that means anything."""
        address = base_url or ADDRESS
        self._client = anthropic.AsyncAnthropic(
            api_key=key or "none",
            base_url=address,
            max_retries=0,
            http_client=wire.client(address, silent_seconds),
        )

    async def ask(self, call: Call, tell: Callable[[str], None]) -> Answer:
        if not isinstance(call, Writing):
            raise Trouble(400, "Claude writes, and makes no pictures or sounds.")
        try:
            return await self._write(call, tell)
        except anthropic.APIStatusError as error:
            raise Trouble(
                error.status_code,
                wire.words(error, error.body),
                code=error.type or "",
                retry_after=error.response.headers.get("retry-after"),
            ) from None
        except (anthropic.APIError, httpx2.HTTPError) as error:
            raise wire.disturbed(error) from None
        except (ValueError, TypeError, AttributeError, AssertionError) as error:
            raise Trouble(None, type(error).__name__, kind="answer") from None

    async def close(self) -> None:
        await self._client.close()

    async def _write(self, call: Writing, tell: Callable[[str], None]) -> Answer:
        messages: Any = [_message(turn) for turn in call.turns]
        given: dict[str, Any] = {
            "system": call.system or None,
            "temperature": call.temperature,
            "top_p": call.top_p,
            "stop_sequences": list(call.stop) or None,
        }
        stream = await self._client.messages.create(
            model=call.model,
            max_tokens=call.most_tokens,
            messages=messages,
            stream=True,
            extra_body={
                name: value for name, value in {**given, **call.extra}.items() if value is not None
            },
        )
        if not stream.response.headers.get("content-type", "").startswith("text/event-stream"):
            await stream.close()
            raise Trouble(None, "no stream of events", kind="answer")
        written: list[str] = []
        model, ended, sent, came = call.model, "", 0, 0
        whole = False
        event: Any
        async with stream:
            async for event in stream:
                match event.type:
                    case "message_start":
                        model, sent = event.message.model, event.message.usage.input_tokens
                    case "content_block_delta" if event.delta.type == "text_delta":
                        written.append(event.delta.text)
                        tell(event.delta.text)
                    case "message_delta":
                        ended = event.delta.stop_reason or ended
                        came = event.usage.output_tokens
                    case "message_stop":
                        whole = True
        if ended == "refusal":
            raise Trouble(None, "", kind="refusal")
        if not whole:
            raise Trouble(None, "the stream was cut", kind="connection")
        return Answer(
            "".join(written),
            model=model,
            input_tokens=sent,
            output_tokens=came,
            cut=ended == "max_tokens",
        )


def _message(turn: Turn) -> dict[str, Any]:
    shown = [
        {
            "type": "image",
            "source": {
                "type": "base64",
                "media_type": "image/png",
                "data": base64.b64encode(picture).decode("ascii"),
            },
        }
        for picture in turn.pictures
    ]
    return {"role": turn.role, "content": [*shown, {"type": "text", "text": turn.text}]}
