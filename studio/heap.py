"""The C library's heap, which keeps what Python has freed."""

from __future__ import annotations

import ctypes
import sys


def trim() -> None:
    """Give freed memory back to the system, where its C library can do that (glibc)."""
    if sys.platform == "linux" and (call := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        call(0)
