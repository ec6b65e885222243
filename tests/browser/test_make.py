"""Making something in the page: from a prompt to a signed picture, and everything in between."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.folds import unfold

pytestmark = pytest.mark.browser

#: Notes every stage and every distinct preview that the page shows, from now on: either may be
#: gone before a test has asked for it.
RECORD = """() => {
  window.seen = { stages: new Set(), previews: new Set(), captions: new Set(), painted: false };
  const look = () => {
    for (const one of document.querySelectorAll(".stage")) seen.stages.add(one.textContent);
    for (const one of document.querySelectorAll("#work canvas")) {
      seen.previews.add(one.dataset.rgb);
      seen.captions.add(one.closest("figure").querySelector("figcaption").textContent);
      const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
      // More than one colour, where somebody can see it.
      seen.painted ||= one.checkVisibility() && one.width <= 128 && new Set(data).size > 3;
    }
  };
  new MutationObserver(look).observe(document, {
    subtree: true, childList: true, attributes: true, characterData: true,
  });
}"""


def order(page: Page, prompt: str, *, count: int = 1, steps: int = 12) -> Locator:
    """Fill in the form and press Make; the job's card."""
    page.fill("#field-prompt textarea", prompt)
    page.fill("#field-count input[type=number]", str(count))
    if not page.locator("#field-steps").is_visible():
        unfold(page, "#advanced", "#field-steps")
    page.fill("#field-steps input[type=number]", str(steps))
    page.click("#make")
    return page.locator(".card", has_text=prompt).first


def state(card: Locator, wanted: str, *, timeout: float = 60_000) -> None:
    expect(card).to_have_attribute("data-state", wanted, timeout=timeout)


def test_a_prompt_becomes_a_picture_with_progress_preview_and_receipt(page: Page) -> None:
    page.evaluate(RECORD)
    card = order(page, "a red circle above a blue square", count=4, steps=50)
    state(card, "done")
    assert page.evaluate("[...seen.stages].some(stage => /[Ss]tep \\d+ of 50/.test(stage))")
    assert page.evaluate("seen.previews.size") >= 3
    assert page.evaluate("seen.painted")
    assert page.evaluate("[...seen.captions]") == ["Preview"]

    pictures = card.locator("img")
    expect(pictures).to_have_count(4)
    pictures.first.scroll_into_view_if_needed()
    expect(pictures.first).to_have_js_property("naturalWidth", 512)
    expect(pictures.first).to_have_attribute(
        "alt", "AI-generated: a red circle above a blue square (1 of 4)"
    )
    for part in ("small-world starter model", "512 × 512 px", "a signed manifest"):
        expect(card).to_contain_text(part)
    expect(card.locator("canvas")).to_have_count(0)


def test_an_empty_seed_is_random_and_a_given_one_is_kept(page: Page, url: str) -> None:
    rings = page.locator(".card[data-state=done]", has_text="a green ring")
    for made in (1, 2):
        order(page, "a green ring")
        expect(rings).to_have_count(made)
    page.fill("#field-seed textarea, #field-seed input", "7")
    state(order(page, "a green cross"), "done")
    seeds = {
        job["id"]: (job["request"]["prompt"], job["request"]["seed"])
        for job in httpx.get(f"{url}/api/v1/jobs").json()
    }
    random = [seed for prompt, seed in seeds.values() if prompt == "a green ring"]
    assert len(set(random)) == 2
    assert 0 not in random
    assert ("a green cross", 7) in seeds.values()


def test_stop_ends_a_run_within_a_step(page: Page) -> None:
    card = order(page, "a black heart", count=64, steps=50)
    expect(card.locator(".stage")).to_contain_text(re.compile("[Ss]tep"), timeout=60_000)
    card.get_by_role("button", name="Stop").click()
    expect(card).to_have_attribute("data-state", "cancelled")
    expect(card).to_contain_text("Stopped")
    state(order(page, "a white square"), "done")


def test_a_reloaded_page_finds_its_running_job_and_its_result(page: Page) -> None:
    order(page, "an orange diamond", count=16, steps=50)
    card = page.locator(".card", has_text="an orange diamond").first
    expect(card.locator(".stage")).to_contain_text(re.compile("[Ss]tep"), timeout=60_000)
    page.reload()
    expect(card.locator(".stage")).to_contain_text(re.compile("[Ss]tep"), timeout=60_000)
    page.goto("about:blank")
    page.go_back()
    state(card, "done", timeout=120_000)
    expect(card.locator("img")).to_have_count(16)


def test_what_is_wrong_with_an_order_is_said_beside_it(page: Page) -> None:
    page.click("#make")
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text("prompt")
    page.fill("#field-prompt textarea", "safe\u202eevil")
    page.click("#make")
    expect(problem).to_contain_text("U+202E")
    page.fill("#field-prompt textarea", "a yellow star")
    page.fill("#field-seed textarea, #field-seed input", "seven")
    page.click("#make")
    expect(problem).to_contain_text("'seven' is not a whole number")
    expect(page.locator("#work")).not_to_contain_text("safe")


def test_a_prompt_is_shown_and_never_run(page: Page) -> None:
    prompt = "<img src=x onerror=window.ran=1> {{value}} ${window.ran=1} a red star"
    card = order(page, prompt)
    state(card, "done")
    expect(card.locator(".subject")).to_have_text(prompt)
    assert page.evaluate("window.ran") is None


def test_the_page_fits_a_phone_and_every_control_has_a_name(page: Page, url: str) -> None:
    state(order(page, "a purple triangle"), "done")
    page.set_viewport_size({"width": 390, "height": 844})
    for place in ("/", "/verify"):
        page.goto(url + place)
        page.wait_for_selector("#make, #verify-files button")
        page.wait_for_selector(".card, .empty")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        names = page.locator(
            "button:visible, a:visible, textarea:visible, input:visible"
        ).evaluate_all(
            "all => all.filter(one => !(one.ariaLabel || one.labels?.length || one.innerText"
            " || one.title || one.querySelector('img[alt]'))).map(one => one.outerHTML)"
        )
        assert names == []
