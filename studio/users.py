"""The people who share a studio: a name and a token each; only the token's digest is kept.

Whoever presents the operator's own token, or sits at a studio that wants none, is the operator.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from pathlib import Path

from studio.errors import InvalidRequest, NotFound
from studio.protocol import LOCAL

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class Users:
    """The named users of one home. Belongs to the host; a change is on the disk at once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._digests: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            self._digests = {}

    def list(self) -> list[str]:
        """Their names."""
        return sorted(self._digests)

    def add(self, name: str) -> str:
        """Let somebody in, and return their token: it is shown this once.

        Raises:
            InvalidRequest: if the name cannot be one, or is taken.
        """
        if not _NAME.fullmatch(name) or name == LOCAL:
            raise InvalidRequest(
                f"{name!r} cannot be a user's name.",
                hint="Small letters, digits and . _ - are allowed, at most 40; `local` is taken.",
            )
        if name in self._digests:
            raise InvalidRequest(
                f"There is a user {name} already.", hint="Remove them first to give a new token."
            )
        token = secrets.token_urlsafe(24)
        self._write({**self._digests, name: digest(token.encode())})
        return token

    def remove(self, name: str) -> None:
        """Let them in no more; what they made stays.

        Raises:
            NotFound: if there is no such user.
        """
        if name not in self._digests:
            raise NotFound(f"There is no user {name!r}.", hint="`studio users list` names them.")
        self._write({one: kept for one, kept in self._digests.items() if one != name})

    def digest_of(self, name: str) -> str | None:
        """The digest of that user's token."""
        return self._digests.get(name)

    def who(self, token: bytes) -> str | None:
        """Whose token it is."""
        presented = digest(token)
        matches = [
            name for name, kept in self._digests.items() if secrets.compare_digest(kept, presented)
        ]
        return matches[0] if matches else None

    def _write(self, digests: dict[str, str]) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(digests, file)
        fresh.rename(self._file)
        self._digests = digests


def digest(token: bytes) -> str:
    """What is kept of a token. It is long and random, so one round of SHA-256 is enough."""
    return hashlib.sha256(token).hexdigest()
