"""What the pages say of texts that are being written, and of models that run elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio.cards import Card
from studio.client import Model
from studio.elsewhere import Prices
from studio.job import Job, Loading, Sealed, TextDelta
from studio.tasks import TASKS
from ui import draw, elsewhere, shelf
from ui.view import Live, View

CARDS = Path(__file__).parents[2] / "model_cards"


def hosted(prices: Prices | None = None) -> Model:
    card = Card.read(CARDS / "gpt-image.md")
    block = card.studio.model_copy(update={"prices": prices})
    return Model(replace(card, studio=block), installed=True)


def test_a_text_is_shown_while_it_is_written_and_never_run() -> None:
    order = {"prompt": "a tale", "count": 1}
    job = Job("1" * 32, "local", "text-generation", "writer", order, 0, 0.0)
    live = Live().after(TextDelta("Once <b>")).after(TextDelta("upon"))
    shown = draw.unfinished(View(jobs=[job], live={job.id: live}))
    assert "Once &lt;b&gt;upon" in shown
    # A worker that begins anew tells everything again; a sealed text is no draft any more.
    assert live.after(Loading("writer")).texts == {}
    assert live.after(Sealed(0, "2" * 32)).texts == {}


def test_a_model_elsewhere_says_who_runs_it_and_not_what_memory_it_takes() -> None:
    shown = shelf.shelf([hosted()], {}, "en")
    assert "Runs at the provider “openai”" in shown
    assert "Runs at OpenAI, not here." in shown
    assert "Ships with the studio" not in shown
    assert "Memory" not in shown


def test_a_model_that_is_brought_by_hand_says_how_until_it_is_there() -> None:
    card = Card.read(CARDS / "audiogen-medium.md")
    assert 'Brought by hand: <span lang="en">Fetch and' in shelf.shelf(
        [Model(card, False)], {}, "en"
    )
    shown = shelf.shelf([Model(card, True)], {}, "en")
    assert "delete its folder" in shown
    assert "Fetch and" not in shown.partition("<details>")[0]


def test_a_task_is_called_as_people_write_it() -> None:
    assert TASKS["text-to-3d"].title == "Text to 3D"
    assert TASKS["text-to-music"].title == "Text to music"


def test_an_order_elsewhere_says_what_it_costs_before_it_is_made() -> None:
    model = hosted(Prices(each=0.04))
    assert "0.1200 USD" in elsewhere.order(model, {"prompt": "a", "count": 3, "seed": None}, "en")
    assert "USD" not in elsewhere.order(hosted(), {"count": 3}, "en")
    here = Model(Card.read(CARDS / "starter-pictures.md"), installed=True)
    assert elsewhere.order(here, {"count": 3}, "en") == ""
