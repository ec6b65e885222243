"""Which devices this machine has, as far as that can be told without torch."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

#: Where NVIDIA's driver lists its cards.
_CARDS = Path("/proc/driver/nvidia/gpus")
#: What is there where a driver is: NVIDIA's, that of Windows below WSL, AMD's.
_TRACES = (_CARDS, Path("/dev/dxg"), Path("/dev/kfd"))


def devices_of(names: Iterable[str], cards: Path = _CARDS) -> list[str]:
    """The devices that `names` come to; `auto` is every NVIDIA card and the processor.

    Where a driver is there and lists no cards, the child finds out by itself what its `auto` is.
    """
    return [device for name in names for device in (_all(cards) if name == "auto" else [name])]


def _all(cards: Path) -> list[str]:
    present = len(list(cards.iterdir())) if cards.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if present and visible is not None:
        present = len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    if present:
        return [*(f"cuda:{number}" for number in range(present)), "cpu"]
    return ["cpu"] if only_a_processor() else ["auto"]


def only_a_processor() -> bool:
    """Whether torch need not be asked for an accelerator, since no driver of one is there."""
    return sys.platform == "linux" and not any(trace.exists() for trace in _TRACES)
