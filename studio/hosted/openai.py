"""OpenAI's kit, for OpenAI itself and every server that speaks its language.

vLLM, SGLang, Ollama, llama.cpp and LM Studio do: chat completions are what all of them know.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk

from studio.hosted import wire
from studio.hosted.calls import (
    Answer,
    Call,
    Painting,
    Speaking,
    Trouble,
    Turn,
    What,
    Writing,
)

#: Where OpenAI is.
ADDRESS = "https://api.openai.com/v1"
#: Codes of a request that their rules forbid.
_REFUSALS = ("content_policy_violation", "moderation_blocked", "content_filter")


class OpenAI:
    """The kit `openai`; see `studio.hosted.calls.Kit`."""

    version = f"openai {openai.__version__}"

    def __init__(self, key: str, base_url: str | None, silent_seconds: float) -> None:
        """Without a `key`, as servers of one's own take it, none is sent that means anything."""
        address = base_url or ADDRESS
        self._client = openai.AsyncOpenAI(
            api_key=key or "none",
            organization="",
            project="",
            base_url=address,
            # The lane counts and spaces the attempts; twice would be squared.
            max_retries=0,
            http_client=wire.client(address, silent_seconds),
        )
        # Empty for the kit to look for none in the environment; gone, or they would be sent empty.
        self._client.organization = self._client.project = None

    async def ask(self, call: Call, tell: Callable[[str], None]) -> Answer:
        try:
            match call:
                case Writing():
                    return await self._write(call, tell)
                case Painting():
                    return await self._paint(call)
                case Speaking():
                    return await self._speak(call)
        except openai.APIStatusError as error:
            refused = error.code in _REFUSALS
            raise Trouble(
                error.status_code,
                wire.words(error, error.body),
                code=error.code or "",
                retry_after=error.response.headers.get("retry-after"),
                kind="refusal" if refused else "status",
            ) from None
        except (openai.APIConnectionError, httpx2.HTTPError) as error:
            raise wire.disturbed(error) from None
        except openai.APIError as error:
            # Said in the middle of a stream, where there is no status any more.
            refused = error.code in _REFUSALS
            kind: What = "refusal" if refused else "connection"
            raise Trouble(None, error.message, code=error.code or "", kind=kind) from None
        except (ValueError, TypeError, AttributeError) as error:
            raise Trouble(None, type(error).__name__, kind="answer") from None

    async def close(self) -> None:
        await self._client.close()

    async def _write(self, call: Writing, tell: Callable[[str], None]) -> Answer:
        messages: Any = [_message(turn) for turn in call.turns]
        if call.system:
            messages.insert(0, {"role": "system", "content": call.system})
        parameters: dict[str, Any] = {
            "temperature": call.temperature,
            "top_p": call.top_p,
            "stop": list(call.stop) or None,
            # What every server knows; newer models of OpenAI's own take the other name alone.
            "max_tokens": call.most_tokens,
            **call.extra,
        }
        if "max_completion_tokens" in parameters:
            parameters["max_completion_tokens"] = parameters.pop("max_tokens")
        stream = await self._client.chat.completions.create(
            model=call.model,
            messages=messages,
            stream=True,
            stream_options={"include_usage": True},
            extra_body={name: value for name, value in parameters.items() if value is not None},
        )
        if not stream.response.headers.get("content-type", "").startswith("text/event-stream"):
            await stream.close()
            raise Trouble(None, "no stream of events", kind="answer")
        written: list[str] = []
        model, ended, sent, came = call.model, "", 0, 0
        async with stream:
            async for chunk in stream:
                model = chunk.model or model
                if chunk.usage is not None:
                    sent, came = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                delta, end = _piece(chunk)
                ended = end or ended
                if delta:
                    written.append(delta)
                    tell(delta)
        if ended == "content_filter":
            raise Trouble(None, "", kind="refusal")
        if not ended:
            raise Trouble(None, "the stream was cut", kind="connection")
        return Answer(
            "".join(written),
            model=model,
            input_tokens=sent,
            output_tokens=came,
            cut=ended == "length",
        )

    async def _paint(self, call: Painting) -> Answer:
        size: Any = "auto" if call.size is None else "{}x{}".format(*call.size)
        given: dict[str, Any] = {
            "model": call.model,
            "prompt": call.prompt,
            "size": size,
            "n": 1,
            "extra_body": dict(call.extra),
        }
        if call.picture is None:
            made = await self._client.images.generate(**given)
        else:
            file = ("picture.png", call.picture, "image/png")
            made = await self._client.images.edit(**given, image=file)
        picture = (made.data or [None])[0]
        if picture is None or not picture.b64_json:
            # An address would have to be fetched from somewhere that nobody allowed.
            raise Trouble(None, "no picture in it", kind="answer")
        usage = made.usage
        return Answer(
            media=_bytes(picture.b64_json),
            model=call.model,
            input_tokens=usage.input_tokens if usage else 0,
            output_tokens=usage.output_tokens if usage else 0,
        )

    async def _speak(self, call: Speaking) -> Answer:
        spoken = await self._client.audio.speech.create(
            model=call.model,
            input=call.text,
            voice=call.voice,
            speed=call.speed,
            response_format="wav",
            extra_body=dict(call.extra),
        )
        if not spoken.response.headers.get("content-type", "").startswith("audio/"):
            raise Trouble(None, "no sound", kind="answer")
        return Answer(media=spoken.content, model=call.model)


def _message(turn: Turn) -> dict[str, Any]:
    if not turn.pictures:
        return {"role": turn.role, "content": turn.text}
    shown = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_base64(picture)}"}}
        for picture in turn.pictures
    ]
    return {"role": turn.role, "content": [*shown, {"type": "text", "text": turn.text}]}


def _piece(chunk: ChatCompletionChunk) -> tuple[str, str]:
    """More text, if any, and why the stream ends here, if it does."""
    if not chunk.choices:
        return "", ""
    choice = chunk.choices[0]
    if choice.delta.refusal:
        raise Trouble(None, "", kind="refusal")
    return choice.delta.content or "", choice.finish_reason or ""


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Trouble(None, "no base64", kind="answer") from None
