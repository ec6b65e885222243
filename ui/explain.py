"""How the pages explain what went wrong: what happened, and what to do next."""

from __future__ import annotations

import logging

from markupsafe import Markup

from studio.errors import Broken, StudioError
from ui.markup import tag

_log = logging.getLogger(__name__)


def as_studio_error(error: Exception) -> StudioError:
    """`error` in the studio's own terms; the unforeseen is logged under an incident number."""
    if isinstance(error, StudioError):
        return error
    broken = Broken()
    _log.error("incident %s", broken.incident, exc_info=error)
    return broken


def explain(title: str, error: Exception) -> Markup:
    """A banner that a screen reader announces."""
    known = as_studio_error(error)
    return tag(
        "div",
        tag("strong", title),
        tag("p", known.message),
        tag("p", known.hint, class_="hint") if known.hint else None,
        class_="banner problem",
        role="alert",
    )
