"""The bot's token: read from a file, and written nowhere."""

from __future__ import annotations

import logging
import os
import re
import stat
from pathlib import Path

from studio.errors import InvalidRequest, NotFound, Refused

_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
#: Tokens in addresses: of interactions, with which their answers can be edited.
_ADDRESS = re.compile(r"(/(?:webhooks|interactions)/\d+/)[^/\s?'\"]+")


def default_file(home: Path) -> Path:
    """Where the token lies unless it is named: among a service's credentials, or in the home."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(credentials, "discord.token") if credentials else home / "discord.token"


def read_token(file: Path) -> str:
    """The token in `file`.

    Raises:
        NotFound: if there is no such file.
        Refused: if others on this machine can read it.
        InvalidRequest: if what it holds is no token.
    """
    try:
        mode, token = file.stat().st_mode, file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise NotFound(
            f"The Discord token cannot be read from {file}: {error.strerror}.",
            hint="Create an application with a bot, and put its token into that file; chmod 600.",
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise Refused(
            f"Others on this machine can read the token in {file}.", hint=f"Run: chmod 600 {file}"
        )
    if not _SHAPE.fullmatch(token):
        raise InvalidRequest(
            f"{file} holds no Discord token.",
            hint="Copy the bot's token: three parts with dots between them, and nothing else.",
        )
    return token


class Redacting(logging.Filter):
    """Takes tokens out of everything that is logged."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass the record, without tokens in its text or in the error that it carries."""
        record.msg, record.args = self.clean(record.getMessage()), None
        if record.exc_info and record.exc_info[1]:
            formatter = logging.Formatter()
            record.exc_text = self.clean(formatter.formatException(record.exc_info))
        return True

    def clean(self, text: str) -> str:
        """`text` without tokens."""
        return _ADDRESS.sub(r"\1…", text.replace(self._token, "…"))
