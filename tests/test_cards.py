"""The shipped cards are whole, and the page that explains cards explains all of them."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from studio.cards import ByHand, Card, Embedded, Hub, Limit, Memory, StudioBlock
from studio.catalog import Catalog, card_folder
from studio.elsewhere import Hosted, Prices
from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.families import find_family
from studio.fields import build
from studio.memory import need_of
from studio.settings import Settings
from studio.tasks import TASKS

README = (card_folder() / "README.md").read_text(encoding="utf-8")
CARDS = [Card.read(path) for path in sorted(card_folder().glob("*.md")) if path.stem != "README"]
TASK = TASKS["text-to-image"]


def example() -> Card:
    blocks = re.findall(r"```markdown\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 1
    return Card.parse("example-xl", blocks[0])


def keys(value: object) -> set[str]:
    """Every key anywhere in a YAML value."""
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys(inner)}
    return set()


def test_the_page_shows_every_key_there_is() -> None:
    written = keys(yaml.safe_load(README.split("```markdown\n---\n")[1].split("\n---\n")[0]))
    for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        written |= keys(yaml.safe_load(block))
    blocks: list[type[BaseModel]] = [
        StudioBlock, Hub, Embedded, ByHand, Memory, Limit, Hosted, Prices
    ]  # fmt: skip
    for one in blocks:
        assert set(one.model_fields) <= written, one


def test_the_pages_example_is_a_card() -> None:
    card = example()
    assert isinstance(card.studio.source, Hub)
    assert card.licence == "openrail++"
    narrowed = card.narrow(TASK, build(TASK.request, {"prompt": "x"}))
    assert (narrowed.model_dump()["width"], narrowed.model_dump()["steps"]) == (1024, 30)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_shipped_card_is_whole(card: Card) -> None:
    assert card.licence
    assert len(card.prose) > 500
    for word in ("bias", "training data"):
        assert word in card.prose.lower(), word
    for name in card.studio.tasks:
        task = TASKS[name]
        for spec in card.fields(task):
            if isinstance(spec.default, int | float) and not isinstance(spec.default, bool):
                assert spec.minimum is None or spec.default >= spec.minimum, spec
                assert spec.maximum is None or spec.default <= spec.maximum, spec


@pytest.mark.parametrize(
    "card",
    [card for card in CARDS if isinstance(card.studio.source, Hub)],
    ids=lambda card: card.name,
)
def test_a_card_from_the_hub_names_its_files_and_its_doubts(card: Card) -> None:
    source = card.studio.source
    assert isinstance(source, Hub)
    assert not [name for name in source.files if "*" in name], "people copy these by hand"
    assert any(name.endswith(".safetensors") for name in source.files)
    assert not [name for name in source.files if name.endswith((".bin", ".ckpt", ".pt"))]
    assert card.studio.unchecked


def test_what_a_model_lacks_is_not_in_its_form_and_is_refused() -> None:
    card = example()
    assert card.studio.lacks == ("negative_prompt",)
    assert "negative_prompt" not in {spec.name for spec in card.fields(TASK)}
    asked = build(TASK.request, {"prompt": "x", "negative_prompt": "y"})
    assert card.misses(TASK, asked) == ["negative_prompt"]
    with pytest.raises(InvalidRequest, match="negative_prompt: Example XL cannot do that"):
        card.narrow(TASK, asked)
    # What a form sends along with nothing in it asks for nothing.
    assert card.misses(TASK, build(TASK.request, {"prompt": "x", "negative_prompt": ""})) == []


def test_every_cards_family_is_there() -> None:
    there = {entry.name for entry in entry_points(group="studio.families")}
    here = [card for card in CARDS if not isinstance(card.studio.source, Hosted)]
    assert {card.studio.family for card in here} <= there
    with pytest.raises(Unavailable):
        find_family("nobody")


def test_larger_requests_need_more() -> None:
    card = example()
    requests = [{"width": 1024, "height": 1024}, {"width": 2048, "height": 1024}]
    usual = need_of(card, requests[:1])
    assert (usual.weights, usual.working) == (6_950_000_000, 3_500_000_000)
    assert need_of(card, requests).working == 2 * usual.working
    assert need_of(card, []).working == usual.working


def test_an_own_card_joins_the_catalogue(home: Path) -> None:
    (home / "model_cards").mkdir(parents=True)
    (home / "model_cards" / "mine.md").write_text(README.split("```markdown\n")[1].split("```")[0])
    catalog = Catalog.open(Settings(home=home))
    assert catalog["mine"].studio.title == "Example XL"
    with pytest.raises(Unavailable, match="not installed"):
        catalog.folder(catalog["mine"])
    with pytest.raises(NotFound):
        catalog["nobody"]
    (home / "models" / "mine").mkdir(parents=True)
    assert catalog.installed(catalog["mine"])
    assert catalog.revision(catalog["mine"]) == "by-hand"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("license: openrail++\n", ""), "license"),
        (("title: Example XL", "titel: Example XL"), "titel"),
        (("[text-to-image]            #", "[text-to-nothing] #"), "text-to-nothing"),
        (("    steps: 30", "    stepps: 30"), "stepps"),
        (("    steps: 30", "    steps: many"), "steps"),
        (("    steps: 30", "    steps: 300"), "steps"),
        (("lacks: [negative", "lacks: [negativ"), "negativ"),
        (("lacks: [negative_prompt]", "lacks: [prompt]"), "prompt"),
        (("working: 3500", "working: -1"), "working"),
        (("dtype: float16", "dtype: int3"), "dtype"),
        (("---\nlicense", "license"), "front matter"),
    ],
)
def test_what_is_wrong_with_a_card_is_named(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    text = README.split("```markdown\n")[1].split("```")[0]
    assert change[0] in text
    path = tmp_path / "wrong.md"
    path.write_text(text.replace(*change))
    with pytest.raises(InvalidRequest, match=complaint) as caught:
        Card.read(path)
    assert str(path) in caught.value.message
