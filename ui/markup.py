"""HTML from Python values; whatever is not markup already is escaped."""

from __future__ import annotations

from markupsafe import Markup, escape


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """One element. `data_job` becomes `data-job`, `class_` becomes `class`.

    An attribute that is None or False is left out; True stands for itself. Children that are None
    are left out.
    """
    written = Markup("").join(
        Markup(" {}").format(_name(key))
        if value is True
        else Markup(' {}="{}"').format(_name(key), value)
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    start = Markup("<{}{}>").format(name, written)
    if name in ("img", "input", "link", "meta"):
        return start
    inside = Markup("").join(escape(child) for child in children if child is not None)
    return start + inside + Markup("</{}>").format(name)


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
