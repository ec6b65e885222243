"""Importing a model through the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.hub import checkpoints

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:diffusers", "ignore::FutureWarning:diffusers"
)


def test_a_folder_is_shown_imported_and_let_go(page: Page, url: str, tmp_path: Path) -> None:
    checkpoints.stable_diffusion(tmp_path / "mine", tmp_path / "other.safetensors")
    page.goto(f"{url}/models")
    page.get_by_label("Path on the studio’s machine").fill(str(tmp_path))
    page.click("#import-look")
    found = page.locator("#import-found")
    found.get_by_text("It cannot be imported").wait_for()
    found.get_by_role("button", name="Import mine").click()
    card = page.locator("[data-model=mine]")
    card.wait_for()
    page.once("dialog", lambda dialog: dialog.accept())
    card.get_by_role("button", name="Remove mine").click()
    card.wait_for(state="detached")
    assert (tmp_path / "mine" / "model_index.json").exists()
    page.get_by_label("Path on the studio’s machine").fill("/nowhere")
    page.click("#import-look")
    found.get_by_text("There is nothing at /nowhere").wait_for()
