"""The convert child: turns one checkpoint into a folder that a family can load, then ends.

`python -m studio.worker.convert` reads one JSON order from stdin and says in JSON lines what is
done, and at last `ok` or an error. It is confined as the device child is: no network, and of the
home only the weights and the spool. `studio.imports.bring` is the side that asks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from studio.errors import StudioError
from studio.worker.cage import confine


def main() -> None:
    """Carry out the order on stdin."""
    order = json.load(sys.stdin)
    confine(order["parent"], Path(order["home"]))
    # Only now: importing these starts threads, and what they read should be confined.
    from studio.families.diffusers_convert import convert

    try:
        for part in convert(
            Path(order["checkpoint"]),
            Path(order["configs"]),
            Path(order["folder"]),
            order["parts"],
            dtype=order["dtype"],
            variant=order["variant"],
        ):
            _say({"part": part})
        _say({"ok": True})
    except StudioError as error:
        _say({"error": error.record()})


def _say(message: dict[str, object]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
