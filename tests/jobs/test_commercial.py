"""A studio that earns money: models whose licence forbids that are neither used nor fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.cards import Card
from studio.catalog import card_folder
from studio.errors import Refused, Unavailable
from studio.host import Host
from studio.job import JobState
from studio.protocol import LOCAL
from tests.fake_lane import FakeLane
from tests.hosts import SMALL, finished, run, settings_for, write_cards

FORBIDDEN = SMALL | {"model": "forbidden"}


def host_of(home: Path, *, commercial: bool) -> Host:
    write_cards(home)
    noise = home / "model_cards" / "noise.md"
    text = noise.read_text().replace("license: mit", "license: cc-by-nc-4.0")
    noise.with_stem("forbidden").write_text(text)
    settings = settings_for(home, commercial=commercial)
    return Host(settings, lanes=[FakeLane(settings)])


def test_a_model_for_other_use_alone_is_refused_with_its_licence_and_another(home: Path) -> None:
    async def test() -> None:
        async with host_of(home, commercial=True) as host:
            client = host.client(LOCAL)
            with pytest.raises(Refused, match=r"cc-by-nc-4\.0.*commercial") as caught:
                await client.submit("imagine", FORBIDDEN)
            assert "noise" in caught.value.hint
            assert "forbidden" not in caught.value.hint
            with pytest.raises(Refused, match="licence"):
                await client.get_model("musicgen-small")
            # Nobody named one: the others are chosen from.
            job = await client.submit("imagine", {"prompt": "a yellow star"})
            assert job.card != "forbidden"
            note = (await client.artifact((await finished(client, job.id)).artifacts[0])).note
            assert note.about["licence"] == host.catalog[job.card].licence

    run(test)


def test_a_task_that_only_such_models_do_has_none(home: Path) -> None:
    async def test() -> None:
        async with host_of(home, commercial=True) as host:
            for card in list(host.catalog):
                if card.name != "forbidden":
                    host.catalog.drop(card.name)
            with pytest.raises(Unavailable, match="No model"):
                await host.client(LOCAL).submit("imagine", {"prompt": "a star"})

    run(test)


def test_a_job_from_before_the_setting_is_not_carried_out(home: Path) -> None:
    async def test() -> None:
        async with host_of(home, commercial=False) as host:
            client = host.client(LOCAL)
            lane = host.lanes[0]
            assert isinstance(lane, FakeLane)
            lane.go.clear()
            before = [(await client.submit("imagine", FORBIDDEN)).id for _ in range(2)]
        async with host_of(home, commercial=True) as host:
            for job in before:
                ended = await finished(host.client(LOCAL), job)
                assert ended.state is JobState.FAILED
                assert ended.error is not None
                assert ended.error["error"] == "Refused"

    run(test)


def test_a_licence_is_known_by_its_name_and_the_card_decides() -> None:
    card = "---\nlicense: other\nlicense_name: {}\nstudio:\n  title: A\n  family: f\n  {}\n---\nx"
    rest = "tasks: []\n  source: {path: a}\n  memory: {weights: 0, working: 0}"
    for name, forbids in (
        ("cc-by-nc-4.0", True),
        ("sai-nc-community", True),
        ("Some Non-Commercial Licence", True),
        ("once", False),
        ("apache-2.0", False),
    ):
        assert Card.parse("a", card.format(name, rest)).noncommercial is forbids, name
    bought = Card.parse("a", card.format("cc-by-nc-4.0", f"noncommercial: false\n  {rest}"))
    assert not bought.noncommercial


def test_every_shipped_card_of_such_a_licence_says_so_itself() -> None:
    cards = [Card.read(path) for path in card_folder().glob("*.md") if path.stem != "README"]
    forbidden = [card for card in cards if card.noncommercial]
    assert "musicgen-small" in {card.name for card in forbidden}
    for card in forbidden:
        assert card.studio.noncommercial, f"write `noncommercial: true` into {card.name}.md"
