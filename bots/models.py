"""What the bot knows of the studio's models; asked for now and then."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from studio.client import Client
from studio.elsewhere import Hosted
from studio.fields import Value, build
from studio.tasks import TASKS, Task

#: Seconds for which the list of models is taken as it was.
_SECONDS = 30.0


@dataclass(frozen=True)
class Known:
    """The models that are installed."""

    #: Their names, by the tasks that they do.
    by_task: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Those that are for adults alone.
    adult: frozenset[str] = frozenset()


class Models:
    """The models, as they were a moment ago at most."""

    def __init__(self) -> None:
        self.known = Known()
        self._asked = -_SECONDS

    async def now(self, client: Client) -> Known:
        """What is installed; `known` stays at hand where nothing may be waited for."""
        if time.monotonic() - self._asked > _SECONDS:
            here = [model.card for model in await client.cards() if model.installed]
            self.known = Known(
                {task: tuple(card.name for card in here if task in card.studio.tasks)
                 for task in TASKS},
                frozenset(card.name for card in here if card.adult),
            )  # fmt: skip
            self._asked = time.monotonic()
        return self.known


async def choose(
    client: Client, names: Collection[str], task: Task, values: Mapping[str, Value], *, adult: bool
) -> str | None:
    """The first of these models that is installed and can do this; None if there is none.

    What runs elsewhere costs money and sees what people write: it has to be named.
    """
    request = build(task.request, dict(values))
    for model in await client.cards():
        card = model.card
        here = model.installed and not isinstance(card.studio.source, Hosted)
        able = task.id in card.studio.tasks and not card.misses(task, request)
        if card.name in names and here and able and (adult or not card.adult):
            return card.name
    return None
