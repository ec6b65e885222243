"""What stands around the pages: languages, keys, the tour, and who may come in."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from scripts.screenshots import READY, studio
from studio.words import LANGUAGES, say
from tests.browser.conftest import TOKEN

pytestmark = pytest.mark.browser


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def visitor(browser: Browser, url: str, **options: object) -> Page:
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]
    page.set_default_timeout(60_000)
    page.goto(url)
    page.wait_for_selector("#make")
    return page


def card(page: Page, text: str) -> Locator:
    return page.locator(".card", has_text=text).first


def test_every_page_has_an_address_a_title_and_its_place_in_the_masthead(
    page: Page, url: str
) -> None:
    titles = set()
    for path, ready in READY.items():
        page.goto(url + path)
        page.locator(ready).first.wait_for()
        here = page.locator("#masthead a[aria-current=page]")
        expect(page).to_have_title(here.inner_text())
        titles.add(page.title())
    assert len(titles) == len(READY)


def test_the_masthead_is_there_before_any_script_runs(browser: Browser, url: str) -> None:
    context = browser.new_context(java_script_enabled=False, locale="de")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{url}/verify")
    here = page.locator("#masthead a[aria-current=page]")
    expect(here).to_have_text(say("verify.page", "de"))
    expect(page.locator("#lost")).to_be_hidden()
    context.close()


def test_what_is_sent_before_gradio_has_begun_is_made(browser: Browser, url: str) -> None:
    page = browser.new_page()
    page.set_default_timeout(60_000)
    held: list[Route] = []
    page.route("**/assets/*.js", lambda route: held.append(route))
    page.goto(url, wait_until="commit")
    page.fill("#early textarea", "an early star")
    page.click("#early button")
    page.route("**/assets/*.js", lambda route: route.continue_())
    for route in held:
        route.continue_()
    expect(card(page, "an early star")).to_be_visible()
    expect(page.locator("#early")).to_have_count(0)
    expect(page.locator("#field-prompt textarea")).to_have_value("an early star")
    page.close()


def test_the_first_form_comes_with_the_page_in_the_visitors_language(url: str) -> None:
    page = httpx.get(url, headers={"Accept-Language": "de"}).text
    for part in ("make.press", "field.seed.title", "hints.words.how", "make.model.missing"):
        assert say(part, "de") in page
    assert "%%" not in page


def test_what_a_returning_visitor_changes_at_once_is_kept(page: Page, url: str) -> None:
    order = {"prompt": "an earlier star", "steps": 1}
    httpx.post(f"{url}/api/v1/text-to-image", json=order).raise_for_status()
    held: list[Route] = []
    page.route("**/queue/join*", lambda route: held.append(route))
    page.reload()
    page.fill("#field-count input[type=number]", "3")
    page.fill("#field-seed textarea, #field-seed input", "7")
    page.route("**/queue/join*", lambda route: route.continue_())
    for route in held:
        route.continue_()
    expect(page.locator(".hints", has_text="What you asked before")).to_be_visible()
    expect(page.locator("#field-count input[type=number]")).to_have_value("3")
    expect(page.locator("#field-seed :is(textarea, input)")).to_have_value("7")


def test_scripts_come_compressed_and_no_other_file_with_them(url: str) -> None:
    found = re.search(r"assets/index-[\w-]+\.js", httpx.get(url).text)
    assert found
    small = httpx.get(f"{url}/{found[0]}")
    plain = httpx.get(f"{url}/{found[0]}", headers={"Accept-Encoding": "identity"})
    assert small.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert small.content == plain.content
    for name in ("nothing.js", "%2e%2e/index.html", "..%2findex.html"):
        assert httpx.get(f"{url}/assets/{name}").status_code == 404


def test_a_second_page_asks_for_none_of_the_scripts_again(page: Page, url: str) -> None:
    page.locator(READY["/"]).first.wait_for()  # all of them have come
    page.goto(url)
    page.wait_for_selector("#make")
    scripts = "performance.getEntriesByType('resource').filter(one => one.name.match(/assets.*js/))"
    sent = page.evaluate(f"{scripts}.map(one => one.transferSize)")
    assert len(sent) > 10
    assert sum(sent) == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_comes_in_the_language_of_the_browser(url: str, language: str) -> None:
    for place in ("", "/gallery", "/settings"):
        page = httpx.get(url + place, headers={"Accept-Language": language}).text
        assert f'lang="{language}"' in page
        assert say("studio.line", language) in page
        assert "%%" not in page


def test_a_visitor_reads_all_of_the_page_in_one_language(browser: Browser, url: str) -> None:
    page = visitor(browser, url, locale="ja")
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    expect(page.locator("#make")).to_have_text(say("make.press", "ja"))
    expect(page.locator("#work-title")).to_have_text(say("work.title", "ja"))
    page.locator("#task input").click()
    page.get_by_role("option").nth(1).click()
    expect(page.locator("#field-image")).to_contain_text(say("field.image.title", "ja"))
    expect(page.locator("#make")).to_have_text(say("make.press", "ja"))
    assert "%%" not in page.content()
    page.context.close()


def test_a_chosen_language_stays(page: Page, url: str) -> None:
    page.goto(f"{url}/settings")
    page.select_option("#language", "fr")
    expect(page.locator("#settings-title")).to_contain_text("Réglages")
    page.goto(url)
    expect(page.locator("#make")).to_have_text("Créer")
    expect(page.locator("#field-seed")).to_contain_text("Graine")


def test_the_keys_that_help_lists_work(page: Page, url: str) -> None:
    page.locator("body").press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog#keys")).to_be_hidden()
    page.keyboard.press("/")
    expect(page.locator("#field-prompt textarea")).to_be_focused()
    page.keyboard.type("a gray ring g?")
    expect(page.locator("dialog#keys")).to_be_hidden()
    page.keyboard.press("Control+Enter")
    expect(card(page, "a gray ring")).to_have_attribute("data-state", "done")
    page.locator("#work-title").click()
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.wait_for_url(f"{url}/queue")


def test_the_tour_comes_once_and_again_when_asked_for(page: Page, url: str) -> None:
    tour = page.locator(".tour")
    expect(tour).to_be_visible()
    for _ in range(4):
        tour.get_by_role("button", name="Next").click()
    tour.get_by_role("button", name="Next").click()
    expect(tour).to_be_hidden()
    page.reload()
    page.wait_for_selector("#field-prompt")
    tour.wait_for(state="attached")
    expect(tour).to_be_hidden()
    page.goto(f"{url}/help")
    page.locator("#tour-again a").click()
    expect(tour).to_be_visible()
    tour.get_by_role("button", name="Close").click()
    expect(tour).to_be_hidden()


def test_a_studio_that_was_started_again_is_found_again_by_itself(
    browser: Browser, tmp_path: Path
) -> None:
    settings = {"HOME": str(tmp_path / "home"), "PORT": str(free_port())}
    with studio(**settings) as url:
        page = visitor(browser, url)
        page.fill("#field-prompt textarea", "a pink ring")
        page.fill("#field-count input[type=number]", "64")
        page.click("#make")
        expect(card(page, "a pink ring").locator(".stage")).to_contain_text("tep")
        page.fill("#field-prompt textarea", "not sent yet")
        page.evaluate("window.before = true")
    expect(page.locator("#lost")).to_be_visible()
    with studio(**settings):
        page.wait_for_function("!window.before && document.querySelector('#make')")
        expect(page.locator("#lost")).to_be_hidden()
        expect(page.locator("#field-prompt textarea")).to_have_value("not sent yet")
        expect(card(page, "a pink ring").locator("img").first).to_be_attached()
        card(page, "a pink ring").get_by_role("button", name="Stop").click()
        page.context.close()


def test_another_user_sees_the_line_and_not_what_is_made(browser: Browser, guarded: str) -> None:
    client = httpx.Client(
        base_url=f"{guarded}/api/v1/", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with client as api:
        token = api.post("users", json={"name": "ann"}).json()["token"]
        job = api.post(
            "text-to-image", json={"prompt": "a secret star", "count": 64, "steps": 50}
        ).json()
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(guarded)
        page.fill("#token", token)
        page.get_by_role("button").click()
        page.wait_for_selector("#make")
        expect(page.locator("#work-finished .empty")).to_be_visible()
        page.goto(f"{guarded}/queue")
        expect(page.locator("#queue-line .card.other")).to_have_count(1)
        assert "secret" not in page.content()
        # Whoever is not the operator is told so, and the page stays whole.
        page.goto(f"{guarded}/settings")
        expect(page.locator("#settings-account")).to_contain_text("ann")
        expect(page.locator("#settings-checked")).to_contain_text("Only whoever runs this studio")
        api.delete(f"jobs/{job['id']}")
        page.locator("#settings-account button").click()
        page.wait_for_selector("#token")
        page.close()


def test_a_token_is_not_guessed_for_long(browser: Browser) -> None:
    with studio(TOKEN=TOKEN) as url:
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        for guess in range(6):
            page.fill("#token", f"guess {guess}")
            with page.expect_response("**/api/v1/session") as answer:
                page.get_by_role("button").click()
        assert answer.value.status == 429
        expect(page.get_by_role("alert")).to_contain_text("Wait a minute")
        page.close()
