"""Every page, light and dark, on a desk and on a phone: nothing that axe calls serious."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from scripts.screenshots import READY, SCHEMES, SCREENS, begin_run

pytestmark = pytest.mark.browser

#: Whether nothing fades any more; what turns while one waits is left to turn.
STILL = """() => document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getTiming().iterations === Infinity)"""
#: What Gradio itself does wrong, by axe's rule: where, and why it is not ours to mend.
GRADIOS: dict[str, str] = {}


def complaints(page: Page) -> list[str]:
    """What axe calls serious or worse, once the page is still."""
    page.wait_for_function(STILL)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
        if GRADIOS.get(one["id"], "-") not in node["html"]
    ]


@pytest.fixture(scope="module")
def filled(url: str, made: object) -> str:
    """The address of a studio that holds a picture and a run."""
    begin_run(url)
    return url


@pytest.fixture(scope="module", params=[*READY, "detail"])
def opened(request: pytest.FixtureRequest, browser: Browser, filled: str) -> Iterator[Page]:
    """One of the pages, drawn; the last is a picture's own."""
    page = browser.new_page()
    page.set_default_timeout(60_000)
    if request.param == "detail":
        page.goto(f"{filled}/gallery")
        page.locator(".tile a").first.click()
        page.wait_for_selector(".detail img")
    else:
        page.goto(filled + request.param)
        page.locator(READY[request.param]).first.wait_for()
    yield page
    page.close()


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_page_has_a_serious_fault(
    opened: Page, screen: str, scheme: Literal["light", "dark"]
) -> None:
    # Style alone decides what either changes; so a page is loaded once for all four.
    opened.set_viewport_size(SCREENS[screen])
    opened.emulate_media(color_scheme=scheme)
    opened.evaluate("dark => document.body.classList.toggle('dark', dark)", scheme == "dark")
    assert complaints(opened) == []
