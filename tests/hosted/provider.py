"""A provider on this machine: real HTTP, in the shapes that the three makers answer in."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import soundfile
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

#: The key that must turn up nowhere but in the requests' headers.
KEY = "sk-very-secret-4711-do-not-print"
WORDS = ("Once ", "upon ", "a time, ", "there was a café.")


@dataclass(frozen=True)
class Reply:
    """One scripted answer; `pieces` are sent one by one, and `cut` ends without the last byte."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[bytes] = ()
    pause: float = 0.0
    cut: bool = False

    @staticmethod
    def json(value: object, status: int = 200, **headers: str) -> Reply:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        content = {"content-type": "application/json", **named}
        return Reply(status, json.dumps(value).encode(), content)

    @staticmethod
    def sse(pieces: Sequence[bytes], **values: Any) -> Reply:
        return Reply(headers={"content-type": "text/event-stream"}, pieces=pieces, **values)


@dataclass(frozen=True)
class Seen:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Provider:
    """Answers from `script`, the first reply first; when it is empty, with what was asked for."""

    def __init__(self) -> None:
        self.script: list[Reply] = []
        self.seen: list[Seen] = []
        #: How many requests were broken off by the caller.
        self.left = 0
        self.url = ""

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.seen.append(Seen(request.url.path, dict(request.headers), body))
        reply = self.script.pop(0) if self.script else usual(request.url.path, body)
        if not reply.pieces:
            await asyncio.sleep(reply.pause)
            return Response(reply.body, reply.status, dict(reply.headers))
        return StreamingResponse(self._send(reply), reply.status, dict(reply.headers))

    async def _send(self, reply: Reply) -> AsyncIterator[bytes]:
        try:
            for piece in reply.pieces:
                yield piece
                await asyncio.sleep(reply.pause)
            if reply.cut:
                raise ConnectionResetError
        except asyncio.CancelledError:
            self.left += 1
            raise


@contextmanager
def running() -> Iterator[Provider]:
    """A provider that answers at `url` until the context ends."""
    provider = Provider()
    app = Starlette(routes=[Route("/{path:path}", provider.answer, methods=["GET", "POST"])])
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        provider.url = f"http://127.0.0.1:{port}"
        yield provider
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()


def usual(path: str, body: bytes) -> Reply:
    """What each maker answers when all is well."""
    if path.endswith("/chat/completions"):
        return Reply.sse(chat())
    if path.endswith(("/images/generations", "/images/edits")):
        return Reply.json(images())
    if path.endswith("/audio/speech"):
        return Reply(body=sound(), headers={"content-type": "audio/wav"})
    if path.endswith("/messages"):
        return Reply.sse(claude())
    if path.endswith(":streamGenerateContent"):
        return Reply.sse(gemini())
    if path.endswith(":generateContent"):
        return Reply.json(gemini_picture())
    return Reply.json({"error": {"message": f"no {path}", "code": "x"}}, 404)


def data(value: object) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def chat(end: str = "stop") -> list[bytes]:
    """Chat completions as a stream, with the usage at its end."""

    def chunk(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return data({**_head(), "choices": [choice]})

    usage = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": word}) for word in WORDS),
        chunk({}, end),
        data({**_head(), "choices": [], "usage": usage}),
        b"data: [DONE]\n\n",
    ]


def _head() -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-test-2026-01-01",
    }


def claude(end: str = "end_turn") -> list[bytes]:
    """Messages as a stream of named events."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-1",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 1},
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": message},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {"type": "ping"},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": word},
            }
            for word in WORDS
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": end, "stop_sequence": None},
            "usage": {"output_tokens": 34},
        },
        {"type": "message_stop"},
    ]
    return [b"event: " + event["type"].encode() + b"\n" + data(event) for event in events]


def gemini(
    end: str = "STOP", words: Sequence[str] = WORDS, thoughts: int | None = None
) -> list[bytes]:
    """Generated content as a stream, after so many tokens of thoughts."""
    last = len(words) - 1
    usage = {"promptTokenCount": 12, "candidatesTokenCount": 34}
    if thoughts is not None:
        usage["thoughtsTokenCount"] = thoughts
    return [
        data(
            {
                "candidates": [
                    {
                        "content": {"role": "model", "parts": [{"text": word}]},
                        "index": 0,
                        **({"finishReason": end} if place == last else {}),
                    }
                ],
                "usageMetadata": usage,
                "modelVersion": "gemini-test-1",
            }
        )
        for place, word in enumerate(words)
    ]


def gemini_picture() -> dict[str, Any]:
    inline = {"mimeType": "image/png", "data": base64.b64encode(picture()).decode()}
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "Here."}, {"inlineData": inline}]},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 1290},
        "modelVersion": "gemini-image-test-1",
    }


def images(file: bytes | None = None) -> dict[str, Any]:
    encoded = base64.b64encode(file or picture()).decode()
    return {
        "created": 1,
        "data": [{"b64_json": encoded}],
        "usage": {
            "input_tokens": 12,
            "output_tokens": 1056,
            "total_tokens": 1068,
            "input_tokens_details": {"text_tokens": 12, "image_tokens": 0},
        },
    }


def picture(side: int = 256) -> bytes:
    """A PNG with enough in it for a mark."""
    noise = np.random.default_rng(7).integers(60, 200, (side // 8, side // 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def sound(seconds: float = 2.0) -> bytes:
    """A WAV file as it is streamed: its head does not know how long it is."""
    rate = 24_000
    time = np.arange(int(seconds * rate)) / rate
    file = io.BytesIO()
    tone = 0.3 * np.sin(2 * np.pi * 220 * time) * (1 + np.sin(2 * np.pi * 3 * time)) / 2
    soundfile.write(file, tone.astype(np.float32), rate, "PCM_16", format="WAV")
    wav = bytearray(file.getvalue())
    begin = wav.index(b"data")
    wav[4:8] = wav[begin + 4 : begin + 8] = b"\xff\xff\xff\xff"
    return bytes(wav)


def error(message: str, code: str = "", status: int = 400, **headers: str) -> Reply:
    """An error in a body that all three kits read."""
    body = {"type": "error", "error": {"message": message, "code": code, "type": code or "x"}}
    return Reply.json(body, status, **headers)
