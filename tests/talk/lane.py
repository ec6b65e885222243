"""A lane that answers without a model: it says what it was told, word by word."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

from studio.cards import Card
from studio.draft import Draft
from studio.errors import Cancelled
from studio.families import Order
from studio.host import Host
from studio.job import Event, TextDelta
from studio.worker.report import Made
from tests.fake_lane import FakeLane
from tests.hosts import settings_for

_CARD = """---
license: mit
studio:
  title: {name}
  family: none
  tasks: [{tasks}]
  source: {{path: starter/pictures}}
  memory: {{weights: 1, working: 1}}
---
What answers without a model.
"""


class EchoLane(FakeLane):
    """Answers `1: hello` to the first `hello`, `2: hello` when one turn went before, and so on."""

    async def generate(
        self,
        card: Card,
        folder: Path,
        revision: str,
        orders: Sequence[Order],
        *,
        tell: Callable[[str, Event], None],
        begun: Callable[[], Awaitable[None]],
    ) -> AsyncGenerator[Made, None]:
        """The answers; see `Lane.generate`."""
        self._unwanted.clear()
        await begun()
        self.batches.append(tuple(orders))
        for number, order in enumerate(orders):
            text = answer(order)
            tell(order.job, TextDelta(text[:2]))
            while not self.go.is_set():
                await asyncio.sleep(0.01)
                if order.job in self._unwanted:
                    raise Cancelled
            tell(order.job, TextDelta(text[2:]))
            draft = Draft("text", order.index, order.seed, facts={"text": text})
            spool = self._spool / f"{len(self.batches)}-{number}"
            place = await asyncio.to_thread(draft.spool, spool)
            yield Made(order, place, {"device": "none"}, len(orders), 0.1)


def answer(order: Order) -> str:
    """How many turns there were with this one, and what was asked."""
    if "question" in order.request:
        return f"a picture: {order.request['question']}"
    told = json.loads(order.request["history"] or "[]")
    return f"{len(told) // 2 + 1}: {order.request['prompt']}"


def echo_host(home: Path) -> tuple[Host, EchoLane]:
    """A host whose models are `echo`, and `eyes`, which also answers about pictures."""
    write_echo_cards(home)
    settings = settings_for(home)
    lane = EchoLane(settings)
    return Host(settings, lanes=[lane]), lane


def write_echo_cards(home: Path) -> None:
    """Cards for the lane that answers without a model."""
    folder = home / "model_cards"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, tasks in (("echo", "text-generation"), ("eyes", "visual-question-answering")):
        (folder / f"{name}.md").write_text(_CARD.format(name=name, tasks=tasks))
