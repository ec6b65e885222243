"""What goes wrong, and how Discord says so."""

from __future__ import annotations

import time
from dataclasses import dataclass

from aiohttp import web


@dataclass
class Fault:
    """The next `times` calls that match are answered with an error instead of being carried out."""

    method: str
    #: How the path begins, below `/api/v10`.
    path: str
    #: 0 is none at all: the line breaks.
    status: int
    #: Discord's own code: 50027 is a token that is too old, 50013 a permission that is missing.
    code: int = 0
    times: int = 1
    #: Seconds to wait, for a status of 429.
    after: float = 0.0
    #: Whether the call is carried out all the same, and only its answer is lost.
    carried_out: bool = False

    def matches(self, method: str, path: str) -> bool:
        """Whether this call goes wrong."""
        return self.times > 0 and method == self.method and path.startswith(self.path)

    def answer(self) -> web.Response:
        """The error's response; one of 429 has the headers that discord.py reads."""
        self.times -= 1
        if self.status != 429:
            return refusal(self.status, self.code)
        headers = {
            # Without it discord.py takes the answer for one of the network in front of Discord.
            "Via": "1.1 fake",
            "Retry-After": str(self.after),
            "X-RateLimit-Limit": "5",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset-After": str(self.after),
            "X-RateLimit-Reset": str(time.time() + self.after),
            "X-RateLimit-Bucket": self.path,
        }
        body = {"message": "limited", "retry_after": self.after, "global": False}
        return web.json_response(body, status=429, headers=headers)


def refusal(status: int, code: int, message: str = "refused") -> web.Response:
    """An error as Discord words it."""
    return web.json_response({"message": message, "code": code}, status=status)
