"""What Gradio would do at its start that nobody here needs: more than half of the time it takes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any, NoReturn


@contextmanager
def importing() -> Iterator[None]:
    """Around Gradio's import: no type stubs, and no pandas before something of it is needed.

    Gradio parses the source of all its components whenever it is imported, to see whether the stubs
    beside them, which editors read, are true. They came with it, and are. Of pandas only tables and
    the cache of functions make use, and no page here has either.
    """
    finding, pandas = inspect.getfile, _Later("pandas")
    inspect.getfile = _nowhere  # type: ignore[assignment]
    sys.modules.setdefault("pandas", pandas)
    try:
        yield
    finally:
        inspect.getfile = finding
        if sys.modules["pandas"] is pandas:
            del sys.modules["pandas"]


@contextmanager
def building() -> Iterator[None]:
    """Around the building of all pages: no application, and no description of what is half built.

    Gradio makes both anew at the end of each page, and once more for the queue, and throws them
    away. Those that serve are made when the pages are mounted.
    """
    from gradio import Blocks
    from gradio.routes import App

    making, describing = App.create_app, Blocks.get_config_file
    App.create_app = staticmethod(lambda *_given, **_named: None)
    Blocks.get_config_file = lambda _: {}
    try:
        yield
    finally:
        App.create_app, Blocks.get_config_file = making, describing


class _Later(ModuleType):
    """A module that is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def _nowhere(_: object) -> NoReturn:
    """In place of `inspect.getfile`: so Gradio takes every component for one without a file."""
    raise OSError
