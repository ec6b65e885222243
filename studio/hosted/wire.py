"""The one HTTP client below all kits: it reaches the configured address and no other."""

from __future__ import annotations

import httpx2

from studio.hosted.calls import Trouble

#: Seconds until a connection stands.
_CONNECT_SECONDS = 10.0
#: Bytes of one answer: the largest picture or sound that any provider sends is far below.
_MOST_BYTES = 200_000_000


class _OneAddress(httpx2.AsyncHTTPTransport):
    """Refuses every request that does not go to `origin`, whoever asked for it."""

    def __init__(self, origin: httpx2.URL) -> None:
        super().__init__()
        self._origin = _place(origin)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _place(request.url) != self._origin:
            raise httpx2.UnsupportedProtocol(f"{request.url.host} is not this provider's address")
        response = await super().handle_async_request(request)
        if int(response.headers.get("content-length", 0)) > _MOST_BYTES:
            await response.aclose()
            raise httpx2.ReadError("the answer is far too large")
        return response


def client(base_url: str, silent_seconds: float) -> httpx2.AsyncClient:
    """A client for `base_url` alone; it follows no redirection and reads no environment."""
    return httpx2.AsyncClient(
        base_url=base_url,
        transport=_OneAddress(httpx2.URL(base_url)),
        timeout=httpx2.Timeout(silent_seconds, connect=_CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


def disturbed(error: Exception) -> Trouble:
    """What a broken, silent or refused connection is to the lane."""
    return Trouble(None, type(error).__name__, kind="connection")


def _place(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
