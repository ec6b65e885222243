"""Colophon: a self-hosted multimodal creative studio that signs its work."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from studio.async_studio import AsyncStudio as AsyncStudio
    from studio.client import Studio as Studio

__all__ = ["AsyncStudio", "Studio", "__version__"]


def __getattr__(name: str) -> Any:
    # Lazily, so that `import studio.errors` in a worker or a bot costs nothing else.
    if name == "AsyncStudio":
        return import_module("studio.async_studio").AsyncStudio
    if name == "Studio":
        return import_module("studio.client").Studio
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
