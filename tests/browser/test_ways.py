"""Ways to make things: words to click, presets, variations; then the line, and the shelf."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from scripts.screenshots import studio
from tests.browser.folds import unfold

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A studio in which nobody else is in line, and nothing was asked before."""
    with studio() as url:
        yield url


def prompt(page: Page) -> Locator:
    return page.locator("#field-prompt textarea")


def card(page: Page, text: str) -> Locator:
    return page.locator(".card", has_text=text).first


def make(page: Page, text: str) -> Locator:
    prompt(page).fill(text)
    page.fill("#field-count input[type=number]", "1")
    page.click("#make")
    return card(page, text)


def test_examples_and_the_models_own_words_are_there_to_click(page: Page) -> None:
    page.locator(".hints", has_text="Examples").locator("summary").click(trial=True)
    page.get_by_role("button", name="a red circle above a blue square").click()
    expect(prompt(page)).to_have_value("a red circle above a blue square")
    words = page.locator(".hints", has_text="Words it knows")
    words.locator("summary").click()
    prompt(page).fill("a")
    for word in ("green", "heart"):
        words.get_by_role("button", name=word, exact=True).click()
    expect(prompt(page)).to_have_value("a green heart")
    page.click("#make")
    expect(card(page, "a green heart")).to_have_attribute("data-state", "done")
    expect(card(page, "a green heart").locator(".remark")).to_have_count(0)


def test_where_no_model_is_chosen_the_words_choose_one(page: Page) -> None:
    expect(page.locator("#field-model input")).to_have_value("The best for the words")
    examples = page.locator(".hints", has_text="Examples")
    for text in ("a red circle above a blue square", "three green trees on a hill in the rain"):
        expect(examples.locator(".chip", has_text=text)).to_have_count(1)
    made = make(page, "a cat under a yellow moon at night, pixel art")
    expect(made).to_have_attribute("data-state", "done")
    expect(made).to_contain_text("Starter scenes")
    expect(made.locator(".remark")).to_have_count(0)
    made = make(page, "a red circle above a blue square")
    expect(made).to_have_attribute("data-state", "done")
    expect(made).to_contain_text("Starter pictures")


def test_another_model_takes_nothing_away_that_was_written(page: Page) -> None:
    prompt(page).fill("a cat in the snow")
    page.fill("#field-seed textarea, #field-seed input", "12")
    examples = page.locator(".hints", has_text="Examples").locator(".chip")
    for title, first, number in (
        ("Starter scenes", "a white boat", 4),
        ("Starter pictures", "a red circle", 4),
        ("The best for the words", "a red circle", 6),
    ):
        page.click("#field-model input")
        page.get_by_role("option", name=title).click()
        # The form is drawn anew.
        expect(examples).to_have_count(number)
        expect(examples.first).to_contain_text(first)
        expect(page.locator("#field-model input")).to_have_value(title)
        expect(prompt(page)).to_have_value("a cat in the snow")
        expect(page.locator("#field-seed :is(textarea, input)")).to_have_value("12")
    page.click("#make")
    expect(card(page, "a cat in the snow")).to_contain_text("Starter scenes")


def test_words_that_the_model_does_not_know_are_named_with_those_like_them(page: Page) -> None:
    made = make(page, "a purpel snowman")
    expect(made.locator(".remark")).to_contain_text("“purpel”")
    expect(made.locator(".remark")).to_contain_text("Did you mean purple")
    expect(made.locator(".remark")).to_contain_text("“snowman”")


def test_a_preset_keeps_what_the_form_holds(page: Page) -> None:
    prompt(page).fill("a brown square")
    page.fill("#field-count input[type=number]", "3")
    unfold(page, "#presets", "#preset-name")
    page.fill("#preset-name textarea, #preset-name input", "three squares")
    page.click("#preset-save")
    page.locator("#preset-kept").wait_for(state="attached")
    # Else the page would put back the words itself.
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.wait_for_selector("#make")
    unfold(page, "#presets", "#preset-kept")
    page.click("#preset-kept input")
    page.get_by_role("option", name="three squares").click()
    expect(prompt(page)).to_have_value("a brown square")
    expect(page.locator("#field-count input[type=number]")).to_have_value("3")
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.wait_for_selector("#make")
    unfold(page, "#presets", "#preset-kept")
    page.click("#preset-kept input")
    page.get_by_role("option", name="three squares").click()
    expect(prompt(page)).to_have_value("a brown square")
    expect(page.locator("#field-count input[type=number]")).to_have_value("3")


def test_a_result_can_be_varied_and_its_settings_used_again(page: Page, url: str) -> None:
    made = make(page, "a cyan diamond")
    expect(made).to_have_attribute("data-state", "done")
    made.get_by_role("button", name="variations").click()
    expect(page.locator(".card", has_text="a cyan diamond")).to_have_count(2)
    expect(card(page, "a cyan diamond").locator("img")).to_have_count(4)
    seed = httpx.get(f"{url}/api/v1/jobs").json()[1]["request"]["seed"]
    page.locator(".card", has_text="a cyan diamond").nth(1).get_by_text("Use settings").click()
    page.wait_for_url(re.compile("again="))
    expect(prompt(page)).to_have_value("a cyan diamond")
    expect(page.locator("#field-seed textarea, #field-seed input")).to_have_value(str(seed))
    earlier = page.locator(".hints", has_text="What you asked before")
    earlier.locator("summary").click()
    expect(earlier.get_by_role("button", name="a cyan diamond")).to_be_visible()


def test_an_address_can_fill_in_the_form_and_one_without_sense_does_no_harm(
    page: Page, url: str
) -> None:
    page.goto(f"{url}/?prompt=a%20white%20moon&count=2")
    expect(prompt(page)).to_have_value("a white moon")
    expect(page.locator("#field-count input[type=number]")).to_have_value("2")
    for nonsense in ("again=nobody", "count=many", "task=nothing", "again=../../etc/passwd"):
        page.goto(f"{url}/?{nonsense}")
        page.locator("#fields .asked").wait_for()
        expect(prompt(page)).to_have_value("")


def test_the_line_is_reordered_stopped_and_retried_from_two_tabs(page: Page, url: str) -> None:
    for text in ("a first star", "a second star", "a third star"):
        order = {"prompt": text, "count": 64, "steps": 50}
        httpx.post(f"{url}/api/v1/text-to-image", json=order).raise_for_status()
    page.goto(f"{url}/queue")
    places = page.locator("#queue-line ol.line .subject")
    expect(places).to_have_text(["a first star", "a second star", "a third star"])
    page.get_by_role("button", name="Make a third star earlier").click()
    expect(places).to_have_text(["a first star", "a third star", "a second star"])
    other = page.context.new_page()
    other.goto(f"{url}/queue")
    page.get_by_role("button", name="Stop making a first star").click()
    for tab in (page, other):
        again = tab.get_by_role("button", name="Make a first star again")
        expect(again).to_be_visible()
    page.get_by_role("button", name="Make a first star again").click()
    expect(other.locator("ol.line .subject", has_text="a first star")).to_be_visible()
    for one in ("first", "second", "third"):
        other.get_by_role("button", name=f"Stop making a {one} star").click()
    expect(page.locator("#queue-line .empty")).to_be_visible()
    other.close()


def test_a_job_whose_tab_was_closed_goes_on_and_its_result_is_there(page: Page, url: str) -> None:
    page.goto(f"{url}/?prompt=a+closed+cross&count=8&steps=50")
    page.wait_for_selector("#make")
    page.click("#make")
    # Asked for every frame: it may be over soon.
    page.wait_for_function("""() => [...document.querySelectorAll(".card")].some((one) =>
      one.textContent.includes("a closed cross")
      && one.querySelector(".stage")?.textContent.includes("tep"))""")
    context = page.context
    page.close()
    again = context.new_page()
    again.goto(url)
    made = card(again, "a closed cross")
    expect(made).to_have_attribute("data-state", "done", timeout=120_000)
    expect(made.locator("img")).to_have_count(8)


def test_the_shelf_says_what_a_model_is_and_why_it_did_not_come(page: Page, url: str) -> None:
    page.goto(f"{url}/models")
    starter = page.locator("[data-model=starter-pictures]")
    expect(starter).to_contain_text("Ships with the studio")
    expect(starter.get_by_role("button")).to_have_count(0)
    starter.locator("summary").click()
    expect(starter.locator(".prose table").first).to_be_visible()
    turbo = page.locator("[data-model=sdxl-turbo]")
    expect(turbo).to_contain_text("sai-nc-community")
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    turbo.get_by_role("button", name="Get SDXL-Turbo").click()
    expect(turbo.get_by_role("alert")).to_contain_text("HF_HUB_OFFLINE")
    assert "sai-nc-community" in asked[0]
