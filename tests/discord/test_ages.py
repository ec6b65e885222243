"""What is for adults alone stays where Discord lets adults alone in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.cards import Card
from tests.discord.fake.gateway import channel
from tests.discord.stage import Stage, staged
from tests.fake_lane import FakeLane
from tests.hosts import settings_for

_CARD = """---
license: mit
tags: [not-for-all-audiences]
studio:
  title: bold
  family: none
  tasks: [text-to-image]
  source: {path: starter/pictures}
  memory: {weights: 1, working: 1}
  defaults: {width: 64, height: 64}
---
A model that its makers mark.
"""


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage with a model for adults alone."""
    home = tmp_path_factory.mktemp("ages") / "home"
    (home / "model_cards").mkdir(mode=0o700, parents=True)
    (home / "model_cards" / "bold.md").write_text(_CARD)
    yield from staged(home, FakeLane(settings_for(home)))


async def gate(stage: Stage, shut: bool) -> None:
    await stage.discord.gateway.dispatch("CHANNEL_UPDATE", channel(nsfw=shut))


def test_a_card_says_whether_it_is_for_everybody() -> None:
    assert Card.parse("bold", _CARD).adult
    assert not Card.parse("bold", _CARD.replace("not-for-all-audiences", "art")).adult


def test_a_model_for_adults_is_refused_elsewhere_and_so_is_what_it_made(club: Stage) -> None:
    async def scene() -> None:
        await gate(club, False)
        refused = await club.discord.slash("imagine", prompt="a tower", model="bold")
        await refused.says("age-restricted channels alone")
        assert refused.message["attachments"] == []
        await gate(club, True)
        made = await club.discord.slash("imagine", prompt="a tower", model="bold", count=1)
        await made.files(1)
        job = (await club.client().jobs(limit=1))[0].id
        await gate(club, False)
        shown = await club.discord.slash("show", job=job)
        await shown.says("Order it in a channel")
        assert shown.message["attachments"] == []
        # Now that the model is known, nothing is ordered at all.
        known = await club.discord.slash("imagine", prompt="a tower", model="bold")
        kind, data, _ = await known.answer()
        assert (kind, data["flags"]) == (4, 1 << 6)
        assert "/show brings there" in data["content"]

    club.play(scene())


@pytest.mark.parametrize("direct", [False, True])
def test_words_for_adults_are_refused_elsewhere_for_what_is_seen(club: Stage, direct: bool) -> None:
    async def scene() -> None:
        await gate(club, True)
        order = await club.discord.slash("imagine", prompt="a nude statue", model="noise", count=1)
        await order.files(1)
        await gate(club, False)
        refused = await club.discord.slash("imagine", prompt="a NUDE statue", direct=direct)
        kind, data, _ = await refused.answer()
        assert (kind, data["flags"]) == (4, 1 << 6)
        assert "age-restricted channels alone" in data["content"]
        unwanted = await club.discord.slash(
            "imagine", prompt="a statue", negative_prompt="nude", model="noise", direct=direct,
            count=1,
        )  # fmt: skip
        await unwanted.files(1)

    club.play(scene())


def test_a_recipe_for_adults_is_refused_elsewhere(club: Stage) -> None:
    async def scene() -> None:
        await gate(club, False)
        refused = await club.discord.slash("recipe style-board", subject="nude")
        _, data, _ = await refused.answer()
        assert "age-restricted channels alone" in data["content"]

    club.play(scene())
