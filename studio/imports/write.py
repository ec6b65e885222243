"""The card that an import writes."""

from __future__ import annotations

import re
from typing import Any

import yaml

from studio.cards import Imported
from studio.catalog import Catalog
from studio.errors import InvalidRequest
from studio.imports.plan import Plan

_TASKS = ("text-to-image", "image-to-image", "inpainting", "latent-walk")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


def checked_name(name: str, catalog: Catalog) -> str:
    """`name`, if a card may be called so and none is.

    Raises:
        InvalidRequest: otherwise.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name[:80]!r} cannot be a model's name.",
            hint="Use small letters, digits, dots and hyphens, 80 at most.",
        )
    if name in {card.name for card in catalog} or name == "readme":
        raise InvalidRequest(
            f"There is a model called {name!r} already.", hint="Choose another with --name."
        )
    return name


def card_for(name: str, made: Plan, source: Imported, licence: str) -> str:
    """The text of a card for an imported model."""
    kind = made.architecture
    scale = 8 if "unet/config.json" in made.configs else 0
    side = made.configs.get("unet/config.json", {}).get("sample_size", 0)
    side = side * scale if isinstance(side, int) and side else kind.side
    span = {"minimum": max(64, side // 2), "maximum": min(2048, side * 2), "step": 8}
    block: dict[str, Any] = {
        "title": name,
        "family": "diffusers",
        "tasks": list(_TASKS),
        "source": source.model_dump(exclude_defaults=True),
        "memory": {"weights": round(made.found.weights / 1e6, 3), "working": kind.working},
        "dtype": made.dtype,
        "defaults": {"width": side, "height": side, "steps": kind.steps, "guidance": kind.guidance},
        "limits": {"width": span, "height": dict(span)},
        "options": dict(kind.options),
        "unchecked": list(_doubts(made, source, licence)),
    }
    front = {
        "license": licence,
        "pipeline_tag": "text-to-image",
        "library_name": "diffusers",
        "tags": ["imported"],
        "studio": block,
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n{_prose(made)}"


def _doubts(made: Plan, source: Imported, licence: str) -> list[str]:
    doubts = [
        f"Working memory, steps and guidance are what is usual for {made.architecture.title}.",
        "Where the weights come from, and what they were trained on, is not in the file.",
    ]
    if licence == "other":
        doubts.append(
            "Nobody has said under which licence the weights are: look where you got them."
        )
    if made.architecture.name == "stable-diffusion-2":
        doubts.append("Whether it predicts velocity, as most of 768 pixels do, is not in the file.")
    if source.in_place:
        doubts.append("The folder is used where it lies; whoever changes it changes the model.")
    return doubts


def _prose(made: Plan) -> str:
    borrowed = ", ".join(["tokenizer", *(part.name for part in made.lent)])
    lent = f" Borrowed from {made.found.base}: {borrowed}." if made.base else ""
    return (
        f"# {made.path.name}\n\n"
        f"Imported with `studio models import` and recognised as {made.found.title}, by the names "
        f"and shapes of its tensors.{lent}\n\n"
        "## Licence\n\n"
        "The licence is the one that the weights came with. You answer for keeping to it.\n"
    )
