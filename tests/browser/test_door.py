"""A studio with a token asks for it, and shows nothing before."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import TOKEN

pytestmark = pytest.mark.browser


def test_a_studio_with_a_token_lets_in_whoever_has_it(browser: Browser, guarded: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    answer = page.goto(guarded)
    assert answer is not None
    assert answer.status == 401
    assert "Prompt" not in page.content()
    page.fill("#token", "a guess")
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("not this studio’s token")
    page.fill("#token", TOKEN)
    page.get_by_role("button").click()
    page.wait_for_selector("#make")
    page.close()
