"""Links with which anybody can fetch one file for a while: a path, signed by this studio."""

from __future__ import annotations

import hashlib
import hmac
import time

#: A link lasts a month at most.
MAX_SECONDS = 31 * 24 * 3600.0


def link(secret: bytes, artifact: str, until: int) -> str:
    """The path under which the file can be fetched until then, in seconds since the epoch."""
    signature = _signature(secret, artifact, until)
    return f"/api/v1/shared/{artifact}?until={until}&signature={signature}"


def holds(secret: bytes, artifact: str, until: int, signature: str) -> bool:
    """Whether this studio gave such a link away, and its time is not over."""
    right = _signature(secret, artifact, until)
    return hmac.compare_digest(right.encode(), signature.encode()) and time.time() < until


def _signature(secret: bytes, artifact: str, until: int) -> str:
    said = f"studio link|{artifact}|{until}".encode(errors="surrogatepass")
    return hmac.new(secret, said, hashlib.sha256).hexdigest()
