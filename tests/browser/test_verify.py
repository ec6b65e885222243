"""Checking files in the page: one's own, a stranger's, and one that lost its manifest."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


def check(page: Page, url: str, path: Path) -> Locator:
    """Drop a file on the Verify page; the card with what was found."""
    page.goto(f"{url}/verify")
    page.set_input_files("#verify-files input[type=file]", path)
    return page.locator("#verify-found .card", has_text=path.name)


def layer(card: Locator, name: str) -> Locator:
    return card.locator(".layers li", has_text=name).locator(".state")


def test_what_was_downloaded_is_signed(page: Page, url: str, made: Path) -> None:
    card = check(page, url, made)
    expect(card.locator(".verdict.signed")).to_contain_text("Signed")
    expect(layer(card, "Signed manifest")).to_have_text("trusted")
    expect(layer(card, "Invisible mark")).to_have_text("found")


def test_verify_beside_a_result_says_the_same(page: Page, made: Path) -> None:
    card = page.locator(".card", has_text="a blue circle").first
    card.get_by_role("button", name="Verify").click()
    expect(card.locator(".verdict.signed")).to_contain_text("Signed")
    expect(card.locator(".layers li")).to_have_count(4)


def test_a_file_without_its_manifest_is_known_by_its_mark(
    page: Page, url: str, made: Path, tmp_path: Path
) -> None:
    stripped = tmp_path / "stripped.jpg"
    Image.open(made).convert("RGB").save(stripped, quality=85)
    card = check(page, url, stripped)
    expect(card.locator(".verdict.marked")).to_be_visible()
    expect(layer(card, "Signed manifest")).to_have_text("not there")
    expect(layer(card, "Invisible mark")).to_have_text("found")


def test_nothing_is_claimed_about_a_strangers_picture(page: Page, url: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    Image.linear_gradient("L").convert("RGB").save(outside)
    card = check(page, url, outside)
    expect(card.locator(".verdict.none")).to_contain_text("says nothing")


def test_a_file_that_is_no_picture_is_explained(page: Page, url: str, tmp_path: Path) -> None:
    text = tmp_path / "notes.png"
    text.write_bytes(b"\x89PNG, and then nothing")
    expect(check(page, url, text).get_by_role("alert")).to_contain_text("could not be checked")
