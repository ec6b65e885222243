"""What a server's admins allow, and how much of it. Pure: the values alone decide."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from studio.errors import Refused
from studio.words import say

DAY = 24 * 3600.0


class Limit(BaseModel):
    """How much somebody may order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Orders in any 24 hours; None is as many as one likes.
    per_day: Annotated[int, Field(ge=0)] | None = None
    #: Seconds between two orders.
    cooldown: Annotated[float, Field(ge=0)] = 0.0


class Rules(BaseModel):
    """The rules of one server; empty allows everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Ids of the tasks that may be ordered; empty is all of them.
    tasks: tuple[str, ...] = ()
    #: Names of the models that may be used; empty is all of them.
    models: tuple[str, ...] = ()
    #: Words and phrases that no order may hold.
    blocked: tuple[str, ...] = ()
    #: Words and phrases for age-restricted channels alone.
    gated: tuple[str, ...] = ()
    #: Whether files are hidden until somebody taps them.
    spoiler: bool = False
    #: By the id of a channel or role; under the server's own id for everybody.
    limits: Mapping[str, Limit] = {}


@dataclass(frozen=True)
class Asked:
    """An order, as far as rules look at it."""

    task: str
    #: None if one is chosen later among those that are allowed.
    model: str | None
    #: All that it says.
    texts: tuple[str, ...]
    guild: str
    #: The channel; of a thread also the one that it is in.
    places: Collection[str]
    roles: Collection[str]
    #: Whether the channel is age-restricted; somebody's own direct messages count as such.
    adult: bool
    #: When the same person ordered in this server in the last day, oldest first.
    earlier: Sequence[float]
    now: float
    language: str


def check(rules: Rules, asked: Asked) -> None:
    """Pass what the server allows.

    Raises:
        Refused: saying which rule forbids it, in the words of whoever asked.
    """
    if rules.tasks and asked.task not in rules.tasks:
        raise Refused(say("bot.rule.task", asked.language), hint="")
    if rules.models and asked.model is not None and asked.model not in rules.models:
        raise other_model(rules, asked.language)
    if any(_holds(asked.texts, term) for term in rules.blocked):
        raise Refused(say("bot.rule.word", asked.language), hint="")
    if not asked.adult and any(_holds(asked.texts, term) for term in rules.gated):
        raise Refused(say("bot.rule.adult", asked.language), hint="")
    for limit in applying(rules, asked.guild, asked.places, asked.roles):
        if limit.per_day is not None and len(asked.earlier) >= limit.per_day:
            if limit.per_day == 0:
                raise Refused(say("bot.rule.none", asked.language), hint="")
            when = moment(asked.earlier[-limit.per_day] + DAY)
            said = say("bot.rule.quota", asked.language, limit=limit.per_day, when=when)
            raise Refused(said, hint="")
        if asked.earlier and asked.now < asked.earlier[-1] + limit.cooldown:
            when = moment(asked.earlier[-1] + limit.cooldown)
            raise Refused(say("bot.rule.cooldown", asked.language, when=when), hint="")


def moment(seconds: float) -> str:
    """A moment, in seconds since the epoch, as Discord shows it to each in their own time."""
    return f"<t:{math.ceil(seconds)}:R>"


def other_model(rules: Rules, language: str) -> Refused:
    """That only these models are allowed."""
    return Refused(say("bot.rule.model", language, models=", ".join(rules.models)), hint="")


def applying(
    rules: Rules, guild: str, places: Collection[str], roles: Collection[str]
) -> list[Limit]:
    """The limits that hold for somebody: their best role's, or everybody's; and those places'."""
    own = [rules.limits[role] for role in roles if role in rules.limits]
    if own:
        best = max(own, key=lambda one: (one.per_day is None, one.per_day or 0, -one.cooldown))
        found = [best]
    else:
        found = [rules.limits[guild]] if guild in rules.limits else []
    return found + [rules.limits[place] for place in places if place in rules.limits]


def _holds(texts: Sequence[str], term: str) -> bool:
    """Whether `term` stands in one of the texts, as a word or words of its own."""
    wanted = _plain(term)
    return any(re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", _plain(text)) for text in texts)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
