"""The page to talk: written, stopped, answered anew, found again in another tab, and kept."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_accessibility import complaints
from tests.browser.test_media import make

pytestmark = [pytest.mark.browser, pytest.mark.starter]


def test_a_conversation_outlives_its_tab(page: Page, url: str, tmp_path: Path) -> None:
    page.goto(f"{url}/talk")
    expect(page.locator("#talk-shown")).to_contain_text("starter model")
    page.click("#make")
    expect(page.get_by_role("alert")).to_be_visible()
    page.fill("#talk-text textarea", "a story about a **red boat** <b>here</b>")
    page.click("#make")
    shown = page.locator("#talk-shown")
    expect(shown.get_by_text("Signed")).to_be_visible()
    # Markdown is rendered, and HTML is not.
    expect(shown.locator(".said strong")).to_have_text("red boat")
    expect(shown.locator(".said b")).to_have_count(0)
    page.get_by_role("button", name="Another answer").click()
    expect(shown.get_by_text("Earlier answers: 1")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(shown.get_by_text("Earlier answers: 2")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    later = page.context.new_page()
    page.close()
    later.goto(f"{url}/talk")
    later.set_viewport_size({"width": 390, "height": 800})
    expect(later.locator("#talk-shown .said").first).to_contain_text("red boat")
    assert complaints(later) == []
    assert later.evaluate("document.documentElement.scrollWidth") <= 390
    with later.expect_download() as download:
        later.get_by_role("link", name="Markdown").click()
    path = tmp_path / "kept.md"
    download.value.save_as(path)
    assert "red boat" in path.read_text()
    # The device is busy, so that there is time to press.
    busy = {"prompt": "a blue circle", "count": 64, "steps": 50}
    job = httpx.post(f"{url}/api/v1/text-to-image", json=busy, trust_env=False).json()["id"]
    later.fill("#talk-text textarea", "and then?")
    later.click("#make")
    later.get_by_role("button", name="Stop").click()
    expect(later.locator("#talk-shown").get_by_text("Stopped")).to_be_visible()
    httpx.delete(f"{url}/api/v1/jobs/{job}", trust_env=False)
    later.fill("#talk-search textarea", "nothing like it")
    expect(later.locator(".talks li")).to_have_count(0)
    later.fill("#talk-search textarea", "boat")
    expect(later.locator(".talks li")).to_have_count(1)
    later.once("dialog", lambda dialog: dialog.accept("Under way"))
    later.get_by_role("button", name="Rename").click()
    expect(later.locator("#talk-shown h2")).to_have_text("Under way")
    later.on("dialog", lambda dialog: dialog.accept())
    later.get_by_role("button", name="Delete").click()
    expect(later.locator(".talks li")).to_have_count(0)


def test_a_picture_is_attached_and_asked_about(page: Page, url: str, tmp_path: Path) -> None:
    circle = make(url, "text-to-image", prompt="a red circle")[0]
    picture = tmp_path / "circle.png"
    picture.write_bytes(httpx.get(f"{url}/api/v1/artifacts/{circle}/file").content)
    page.goto(f"{url}/talk")
    page.get_by_text("Advanced").click()
    page.locator("#talk-picture input[type=file]").set_input_files(picture)
    expect(page.locator("#talk-picture")).to_contain_text("circle")
    page.fill("#talk-text textarea", "what colour is the circle?")
    page.click("#make")
    shown = page.locator("#talk-shown")
    expect(shown.get_by_text("Signed")).to_be_visible()
    expect(shown.locator(".said").last).to_contain_text("red")
