"""The bot's sign of life: a small file that `studio doctor` and process managers can read."""

from __future__ import annotations

import json
import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from studio.files import replacing

if TYPE_CHECKING:
    from bots.bot import StudioBot


@dataclass(frozen=True)
class Sign:
    """How the bot was when it last said so."""

    pid: int
    #: In seconds since the epoch.
    at: float
    #: Whether it hears Discord.
    connected: bool
    #: Seconds that a heartbeat takes; None before the first.
    latency: float | None
    servers: int
    #: Errands that are not done.
    open: int
    #: Megabytes of memory.
    memory: float


class Health:
    """Tells how the bot is, in one file that is replaced each time."""

    def __init__(self, bot: StudioBot, file: Path) -> None:
        self._bot = bot
        self._file = file

    def tell(self) -> None:
        """Write down how the bot is now."""
        latency = self._bot.latency
        sign = Sign(
            os.getpid(),
            time.time(),
            self._bot.is_ready(),
            round(latency, 3) if math.isfinite(latency) else None,
            len(self._bot.guilds),
            self._bot.store.open_count(),
            round(psutil.Process().memory_info().rss / 1e6, 1),
        )
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with replacing(self._file, json.dumps(asdict(sign)).encode()) as put:
            put()

    def end(self) -> None:
        """Say that there is no bot any more."""
        self._file.unlink(missing_ok=True)


def last_sign(file: Path) -> Sign | None:
    """What the bot said last, if one runs or ended without a word."""
    try:
        return Sign(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
