"""How much memory a run takes beside what was there when it began: the highest, not the last."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from studio.heap import trim

_STATUS = Path("/proc/self/status")


class Gauge:
    """Measures from its making on. One at a time: devices have one mark of their highest use."""

    def __init__(self, device: str) -> None:
        """Watch the memory of `device`, as torch calls it."""
        self._cuda = device if device.startswith("cuda") else None
        self._before: int | None = None
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats(self._cuda)
            self._before = torch.cuda.memory_allocated(self._cuda)
        elif device == "cpu" and sys.platform == "linux":
            # What the allocator keeps for later would pass for a part of what was there before.
            trim()
            with suppress(OSError):
                # 5 sets the mark of the process's highest use back to what it uses now.
                Path("/proc/self/clear_refs").write_text("5")
                self._before = _status("RssAnon")

    def peak(self) -> int:
        """Bytes in use at the highest point since; 0 where this device cannot tell.

        On a processor weights that are mapped from their file do not count, whenever they are
        first touched.
        """
        if self._before is None:
            return 0
        if self._cuda:
            import torch

            return torch.cuda.max_memory_allocated(self._cuda) - self._before
        return max(0, _status("VmHWM") - _status("RssFile") - _status("RssShmem") - self._before)


def _status(name: str) -> int:
    """One of this process's figures, in bytes."""
    for line in _STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
