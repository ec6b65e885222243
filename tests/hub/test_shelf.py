"""Models fetched while the host goes on: progress, stopping, going on, and what went wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.hub.loopback import Loopback, serve
from tests.hub.test_get import CARD, FILES, UNET

#: Runs in a process of its own: the hub's address is read when its library is imported.
SCRIPT = """
import json, sys, time
from pathlib import Path
from studio.cards import Card
from studio.errors import StudioError
from studio.shelf import Shelf

card, said = Card.read(Path(sys.argv[1])), []
shelf = Shelf(Path(sys.argv[2]))
stop = sys.argv[3] == "stop"
shelf.get(card)
try:
    shelf.get(card)
except StudioError as error:
    said.append(error.record()["error"])
while (now := shelf.download("some")) is not None and now.runs:
    said.append([now.done, now.total])
    if stop and now.done:
        shelf.stop("some")
    time.sleep(0.005)
failed = shelf.download("some")
print(json.dumps({"said": said, "error": failed and failed.error}))
"""


def fetch(home: Path, hub: Loopback, how: str = "get") -> Any:
    home.mkdir(exist_ok=True)
    card = home / "some.md"
    card.write_text(CARD)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(card), str(home / "models"), how],
        env={**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_model_comes_while_others_look_on(home: Path) -> None:
    with serve(Loopback(dict(FILES))) as hub:
        heard = fetch(home, hub)
        assert heard["error"] is None
        assert "Unavailable" in heard["said"], "one at a time"
        progress = [one for one in heard["said"] if isinstance(one, list)]
        assert progress == sorted(progress)
        assert (home / "models" / "some" / UNET).read_bytes() == FILES[UNET]


def test_a_stopped_download_goes_on_where_it_was(home: Path) -> None:
    with serve(Loopback(dict(FILES))) as hub:
        assert fetch(home, hub, "stop")["error"] is None
        assert not (home / "models" / "some").exists()
        fetch(home, hub)
        assert (home / "models" / "some" / UNET).read_bytes() == FILES[UNET]


def test_why_it_did_not_come_is_kept(home: Path) -> None:
    with serve(Loopback(dict(FILES))) as hub:
        hub.status = 500
        error = fetch(home, hub)["error"]
        assert error["error"] == "Unavailable"
        assert "model_index.json" in error["hint"]
