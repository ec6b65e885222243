"""What is said of a model that runs at a provider: where it runs, and what an order costs there."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from studio.client import Model
from studio.elsewhere import Hosted
from studio.fields import Value
from studio.words import say
from ui.markup import tag


def provider(model: Model, source: Hosted, language: str) -> Markup:
    """Where the model runs, and whether it can be asked."""
    key = "models.hosted" if model.installed else "models.hosted.off"
    return tag("p", say(key, language, provider=source.provider), class_="quiet")


def order(model: Model, values: Mapping[str, Value], language: str) -> Markup:
    """That these values are sent away, and about what that costs; nothing for a model here."""
    block = model.card.studio
    if not isinstance(block.source, Hosted):
        return Markup("")
    cost = None
    if block.prices is not None:
        given = {name: value for name, value in values.items() if value is not None}
        cost = tag("p", say("make.cost", language, cost=block.prices.foreseen(given)))
    return tag("div", tag("p", block.notice), cost, class_="note elsewhere", role="status")
