"""Providers in the settings, prices on cards, and what the doctor and the commands say of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from studio.__main__ import main
from studio.catalog import Catalog
from studio.checkup import examine
from studio.elsewhere import Prices
from studio.errors import InvalidRequest, Unavailable
from studio.settings import Settings
from studio.tasks import TASKS
from tests.hosted.homes import settings, write_card
from tests.hosted.provider import KEY


def test_a_provider_needs_a_language_and_a_place(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    file = home / "settings.toml"
    for text, words in (
        ("[hosted.mine]\nbase_url = 'http://127.0.0.1:1'", "says no api"),
        ("[hosted.mine]\napi = 'openai'", "neither a base_url"),
        ("[hosted.openai]", "neither a base_url"),
    ):
        file.write_text(text)
        with pytest.raises(InvalidRequest, match=words):
            _ = Settings.load().providers
    file.write_text("[hosted.mine]\napi = 'openai'\nbase_url = 'ftp://127.0.0.1:1'")
    with pytest.raises(InvalidRequest):
        Settings.load()
    file.write_text("[hosted.mine]\napi = 'openai'\nbase_url = 'http://127.0.0.1:1/v1'")
    assert Settings.load().providers["mine"].api == "openai"


def test_a_key_file_in_the_environment_is_enough(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Catalog.open(Settings.load())["gpt-image"]
    with pytest.raises(Unavailable, match="not set up") as caught:
        Catalog.open(Settings.load()).folder(card)
    assert "[hosted.openai]" in caught.value.hint
    monkeypatch.setenv("STUDIO_OPENAI_KEY_FILE", str(tmp_path / "key"))
    catalog = Catalog.open(Settings.load())
    assert catalog.installed(card)
    assert catalog.revision(card) == "openai/gpt-image-1"
    # What runs here goes first all the same.
    assert catalog.for_task(TASKS["text-to-image"])[0].name == "starter-pictures"


def test_the_doctor_says_who_may_be_reached_and_how_the_key_lies(home: Path) -> None:
    assert (
        "nothing leaves"
        in {one.name: one.message for one in examine(Settings(home=home))}["hosted models"]
    )
    found = settings(home, "http://127.0.0.1:1")
    openai = next(one for one in examine(found) if one.name == "openai")
    assert openai.state == "note"
    assert "http://127.0.0.1:1/v1" in openai.message
    file = found.providers["openai"].key_file
    assert file is not None
    file.chmod(0o644)
    openai = next(one for one in examine(found) if one.name == "openai")
    assert (openai.state, openai.mend) == ("wrong", f"Run: chmod 600 {file}")
    file.unlink()
    assert next(one for one in examine(found) if one.name == "openai").state == "wrong"
    assert KEY not in str(list(examine(found)))


def test_costs_are_what_the_operator_wrote() -> None:
    prices = Prices(currency="EUR", input=5, output=40, tokens=1000, each=0.01, characters=15)
    assert prices.cost(sent=1_000_000).amount == 5.01
    assert str(prices.foreseen({"prompt": "x" * 400, "count": 2})) == "0.1010 EUR"
    spoken = Prices(characters=15).foreseen({"text": "x" * 1000, "count": 1})
    assert spoken.amount == 0.015
    written = Prices(output=10).foreseen({"prompt": "x", "max_tokens": 1000, "count": 1})
    assert written.amount == 0.01


def test_a_model_says_where_it_runs_and_what_it_costs(home: Path) -> None:
    (home / "model_cards").mkdir(parents=True)
    write_card(home, "painter", "openai", "gpt-image-test", "text-to-image")
    shown = CliRunner().invoke(main, ["models", "show", "painter"])
    assert "[hosted.openai]" in shown.output
    assert "runs at: openai, as gpt-image-test" in shown.output
    assert "0.0100 EUR" in shown.output
