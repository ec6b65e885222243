"""Google's kit: Gemini, which writes, sees and, as its image models, paints."""

from __future__ import annotations

import math
from collections.abc import Callable

import google.genai
import httpx2
from google.genai import errors, types

from studio.hosted import wire
from studio.hosted.calls import Answer, Call, Painting, Trouble, Turn, Writing

#: Where Gemini is.
ADDRESS = "https://generativelanguage.googleapis.com"
#: Ends that are no end of the answer but the provider's own rules.
_REFUSALS = {
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR",
}  # fmt: skip
#: The shapes that its image models draw.
_SHAPES = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")


class Google:
    """The kit `google-genai`; see `studio.hosted.calls.Kit`."""

    version = f"google-genai {google.genai.__version__}"

    def __init__(self, key: str, base_url: str | None, silent_seconds: float) -> None:
        """Without a `key`, as servers of one's own take it, none is sent that means anything."""
        address = base_url or ADDRESS
        self._wire = wire.client(address, silent_seconds)
        self._client = google.genai.Client(
            api_key=key or "none",
            vertexai=False,
            http_options=types.HttpOptions(base_url=address, httpx_async_client=self._wire),
        )

    async def ask(self, call: Call, tell: Callable[[str], None]) -> Answer:
        try:
            match call:
                case Writing():
                    return await self._write(call, tell)
                case Painting():
                    return await self._paint(call)
                case _:
                    raise Trouble(400, "Gemini is asked for words and pictures here, not sounds.")
        except errors.APIError as error:
            headers = getattr(error.response, "headers", {})
            raise Trouble(
                error.code,
                error.message or "",
                code=error.status or "",
                retry_after=headers.get("retry-after"),
            ) from None
        except httpx2.HTTPError as error:
            raise wire.disturbed(error) from None
        except (ValueError, TypeError, AttributeError, errors.UnknownApiResponseError) as error:
            raise Trouble(None, type(error).__name__, kind="answer") from None

    async def close(self) -> None:
        await self._wire.aclose()

    async def _write(self, call: Writing, tell: Callable[[str], None]) -> Answer:
        config = types.GenerateContentConfig(
            system_instruction=call.system or None,
            temperature=call.temperature,
            top_p=call.top_p,
            max_output_tokens=call.most_tokens,
            stop_sequences=list(call.stop) or None,
            **call.extra,
        )
        stream = await self._client.aio.models.generate_content_stream(
            model=call.model, contents=[_content(turn) for turn in call.turns], config=config
        )
        written: list[str] = []
        model, ended, sent, came = call.model, "", 0, 0
        async for chunk in stream:
            ended = _ended(chunk) or ended
            model = chunk.model_version or model
            if (usage := chunk.usage_metadata) is not None:
                sent = usage.prompt_token_count or sent
                came = _came(usage) or came
            if delta := "".join(part.text or "" for part in _parts(chunk) if not part.thought):
                written.append(delta)
                tell(delta)
        if not ended:
            raise Trouble(None, "the stream was cut", kind="connection")
        return Answer(
            "".join(written),
            model=model,
            input_tokens=sent,
            output_tokens=came,
            cut=ended == "MAX_TOKENS",
        )

    async def _paint(self, call: Painting) -> Answer:
        shape = None if call.size is None else types.ImageConfig(aspect_ratio=_shape(*call.size))
        pictures = () if call.picture is None else (call.picture,)
        made = await self._client.aio.models.generate_content(
            model=call.model,
            contents=[_content(Turn("user", call.prompt, pictures))],
            config=types.GenerateContentConfig(
                response_modalities=["TEXT", "IMAGE"], image_config=shape, **call.extra
            ),
        )
        _ended(made)
        usage = made.usage_metadata or types.GenerateContentResponseUsageMetadata()
        for part in _parts(made):
            if part.inline_data is not None and part.inline_data.data:
                return Answer(
                    media=part.inline_data.data,
                    model=made.model_version or call.model,
                    input_tokens=usage.prompt_token_count or 0,
                    output_tokens=_came(usage),
                )
        raise Trouble(None, "no picture in it", kind="answer")


def _content(turn: Turn) -> types.Content:
    shown = [types.Part.from_bytes(data=one, mime_type="image/png") for one in turn.pictures]
    role = "model" if turn.role == "assistant" else "user"
    return types.Content(role=role, parts=[*shown, types.Part.from_text(text=turn.text)])


def _came(usage: types.GenerateContentResponseUsageMetadata) -> int:
    """The tokens that are paid as its answer; what it thought is, too."""
    return (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)


def _parts(made: types.GenerateContentResponse) -> list[types.Part]:
    content = made.candidates[0].content if made.candidates else None
    return (content.parts or []) if content else []


def _ended(made: types.GenerateContentResponse) -> str:
    """Why the answer ends here; empty where it goes on. A refusal is `Trouble`."""
    if made.prompt_feedback is not None and made.prompt_feedback.block_reason is not None:
        raise Trouble(None, "", kind="refusal")
    reason = made.candidates[0].finish_reason if made.candidates else None
    if reason is not None and reason.value in _REFUSALS:
        raise Trouble(None, "", kind="refusal")
    return reason.value if reason is not None else ""


def _shape(width: int, height: int) -> str:
    """The nearest of its shapes."""

    def off(shape: str) -> float:
        across, down = map(int, shape.split(":"))
        return abs(math.log(width * down / (height * across)))

    return min(_SHAPES, key=off)
