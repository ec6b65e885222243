"""The one HTTP client below all kits: it reaches the configured address and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2

from studio.hosted.calls import Trouble

#: Seconds until a connection stands.
_CONNECT_SECONDS = 10.0
#: Bytes of one answer: the largest picture or sound that any provider sends is far below.
_MOST_BYTES = 200_000_000


class _OneAddress(httpx2.AsyncHTTPTransport):
    """Refuses every request that goes elsewhere than `origin`, and answers without an end."""

    def __init__(self, origin: httpx2.URL, most_bytes: int) -> None:
        super().__init__()
        self._origin = _place(origin)
        self._most_bytes = most_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _place(request.url) != self._origin:
            raise httpx2.UnsupportedProtocol(f"{request.url.host} is not this provider's address")
        response = await super().handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101
        response.stream = _Limited(response.stream, self._most_bytes)
        return response


class _Limited(httpx2.AsyncByteStream):
    """An answer that breaks off where it gets too large."""

    def __init__(self, stream: httpx2.AsyncByteStream, most_bytes: int) -> None:
        self._stream = stream
        self._left = most_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self._left -= len(piece)
            if self._left < 0:
                raise httpx2.ReadError("the answer is far too large")
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def client(
    base_url: str, silent_seconds: float, most_bytes: int = _MOST_BYTES
) -> httpx2.AsyncClient:
    """A client for `base_url` alone; it follows no redirection and reads no environment."""
    return httpx2.AsyncClient(
        base_url=base_url,
        transport=_OneAddress(httpx2.URL(base_url), most_bytes),
        timeout=httpx2.Timeout(silent_seconds, connect=_CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


def words(error: Exception, body: object) -> str:
    """What an error's body says to people; the kits wrap it into more than that."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return str(inner["message"])
    return str(error)


def disturbed(error: Exception) -> Trouble:
    """What a broken, silent or refused connection is to the lane."""
    return Trouble(None, type(error).__name__, kind="connection")


def _place(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
