"""Writes the table in `docs/settings.md` from the fields of `studio/settings.py`.

    python -m scripts.settings_table

The tests notice where that was forgotten.
"""

from __future__ import annotations

import json
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from scripts.tables import ROOT, rows, write
from studio.settings import Settings

NAME = "settings"
PAGE = ROOT / "docs" / "settings.md"


def table() -> str:
    """Every setting with its default, as TOML has it, and what it means."""
    cells = [
        (f"`{name}`", _default(field), field.description or "")
        for name, field in Settings.model_fields.items()
        # Where the file lies cannot be said in it.
        if name != "home"
    ]
    return rows(("setting", "default", "what it is"), cells, "|---|---|---|")


def _default(field: FieldInfo) -> str:
    """The default and, of a choice, what else there is; nothing where it is empty."""
    default = field.default
    if isinstance(default, tuple):
        default = list(default)
    shown = f"`{json.dumps(default)}`" if default not in (None, "", [], {}) else ""
    others = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    return ", or ".join([shown, *(f"`{json.dumps(one)}`" for one in others if one != default)])


def main() -> None:
    """Write the page anew."""
    write(PAGE, NAME, table())


if __name__ == "__main__":
    main()
