"""Every page, light and dark, on a desk and on a phone: nothing that axe calls serious."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from scripts.screenshots import READY, SCREENS, begin_run

pytestmark = pytest.mark.browser

#: What Gradio itself does wrong, by axe's rule: where, and why it is not ours to mend.
GRADIOS: dict[str, str] = {}


def complaints(page: Page) -> list[str]:
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


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(
    browser: Browser, filled: str, screen: str, scheme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme)
    page = context.new_page()
    faults = []
    for path, ready in READY.items():
        page.goto(filled + path)
        page.locator(ready).first.wait_for()
        # Gradio fades what it has drawn.
        page.wait_for_timeout(500)
        faults += [f"{path} {one}" for one in complaints(page)]
    page.goto(f"{filled}/gallery")
    page.locator(".tile a").first.click()
    page.wait_for_selector(".detail img")
    faults += [f"detail {one}" for one in complaints(page)]
    context.close()
    assert faults == []
