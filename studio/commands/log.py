"""Where the studio's own log goes: below the home, because the terminal is for people."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path


def keep_log(home: Path) -> None:
    """Write everything that is logged from now on to `home/logs/studio.log`, and keep it short."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = home / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    keeper = RotatingFileHandler(folder / "studio.log", maxBytes=5_000_000, backupCount=3)
    keeper.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[keeper])
    for chatty in ("httpx", "httpcore", "gradio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
