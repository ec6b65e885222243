"""The gallery in the browser: find, star, sort, compare, copy, throw away and think again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from scripts.screenshots import studio
from studio import attach

pytestmark = pytest.mark.browser

#: What is made, oldest first.
PROMPTS = ("a red circle", "a yellow star", "a blue square above a yellow star")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of this module's studio."""
    return tmp_path_factory.mktemp("gallery") / "home"


@pytest.fixture(scope="module")
def gallery(home: Path) -> Iterator[str]:
    """The address of a studio in which three pictures were made, and one by somebody else."""
    with studio(HOME=str(home)) as url:
        for prompt in PROMPTS:
            make(url, prompt)
        yield url


def make(url: str, prompt: str, **headers: str) -> str:
    """Make a picture over HTTP; its id."""
    with httpx.Client(base_url=f"{url}/api/v1/", headers=headers, trust_env=False) as http:
        # The same pictures each time: chance alone may bring others nearer to a star.
        order = {"prompt": prompt, "steps": 4, "seed": 1}
        job = http.post("text-to-image", json=order).json()["id"]
        with http.stream("GET", f"jobs/{job}/events", timeout=120) as events:
            for _ in events.iter_lines():
                pass
        artifact: str = http.get(f"jobs/{job}").json()["artifacts"][0]
        return artifact


@pytest.fixture
def page(browser: Browser, gallery: str) -> Iterator[Page]:
    """A fresh visitor in the gallery. No script may fail, and nothing be asked of elsewhere."""
    requests: list[str] = []
    errors: list[str] = []
    context = browser.new_context(accept_downloads=True, locale="en-GB")
    context.set_default_timeout(60_000)
    context.on("request", lambda request: requests.append(request.url))
    context.on("weberror", lambda error: errors.append(str(error.error)))
    page = context.new_page()
    page.goto(f"{gallery}/gallery")
    expect(page.locator(".tile")).to_have_count(len(PROMPTS))
    yield page
    context.close()
    assert [one for one in requests if not one.startswith((gallery, "data:", "blob:"))] == []
    assert errors == []


def subjects(page: Page) -> list[str]:
    return page.locator(".tile .subject").all_inner_texts()


def tile(page: Page, prompt: str) -> str:
    """The selector of the tile of exactly that prompt."""
    number = subjects(page).index(prompt) + 1
    return f".tile:nth-child({number})"


def test_previews_are_shown_newest_first_and_searched_as_one_types(page: Page) -> None:
    assert subjects(page) == [*reversed(PROMPTS)]
    picture = page.locator(".tile img").first
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") == 256
    expect(picture).to_have_attribute("alt", f"AI-generated: {PROMPTS[-1]}")
    page.locator("#gallery-search").press_sequentially("yellow st", delay=20)
    expect(page.locator(".tile")).to_have_count(2)
    expect(page.locator("#gallery-search")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/gallery\?search=yellow\+st$"))
    page.reload()
    expect(page.locator(".tile")).to_have_count(2)
    page.fill("#gallery-search", '"no such" OR (NOT')
    expect(page.locator(".empty")).to_contain_text("Nothing fits")
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator(".tile")).to_have_count(3)


def test_a_star_stays_and_can_be_asked_for(page: Page) -> None:
    star = page.locator(f"{tile(page, 'a red circle')} .star")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(star).to_be_focused()
    page.get_by_role("button", name="Starred (1)").click()
    expect(page.locator(".tile")).to_have_count(1)
    page.reload()
    expect(page.locator(".tile .subject")).to_have_text(["a red circle"])
    page.locator(".tile .star").click()
    expect(page.locator(".empty")).to_be_visible()


def test_a_collection_is_made_renamed_and_forgotten(page: Page) -> None:
    for prompt in PROMPTS[:2]:
        page.locator(f"{tile(page, prompt)} input[type=checkbox]").check()
    expect(page.locator(".selection strong")).to_have_text("2 selected")
    page.fill(".selection .ask input", "Shapes")
    page.locator(".selection .ask button").click()
    menu = page.locator("[data-filter=collection]")
    expect(menu.locator("option")).to_have_text(["All", "Shapes (2)"])
    menu.select_option(label="Shapes (2)")
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_text("Change the list").click()
    page.fill(".collection input", "Forms")
    page.locator(".collection form button").click()
    expect(page.locator(".collection h2")).to_have_text("Forms")
    page.get_by_role("button", name="Forget the list").click()
    expect(page.locator(".tile")).to_have_count(3)
    expect(menu).to_have_count(0)


def test_two_are_compared_with_a_slider_by_keys_alone(page: Page) -> None:
    for prompt in PROMPTS[:2]:
        page.locator(f"{tile(page, prompt)} input[type=checkbox]").check()
    expect(page.locator(".selection strong")).to_have_text("2 selected")
    page.get_by_role("button", name="Compare").press("Enter")
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(10):
        slider.press("ArrowRight")
    assert page.locator(".pair").evaluate("one => one.style.getPropertyValue('--split')") == "60%"
    expect(page.locator(".pair img")).to_have_count(2)
    for at in (0, 1):
        expect(page.locator(".pair img").nth(at)).to_have_js_property("naturalWidth", 512)
    page.get_by_role("button", name="Back to the gallery").click()
    expect(page.locator(".tile")).to_have_count(3)


def test_an_artifact_has_an_address_a_receipt_and_words_to_copy(page: Page, gallery: str) -> None:
    page.locator(f"{tile(page, 'a yellow star')} a").click()
    expect(page.locator(".detail h2")).to_have_text("a yellow star")
    artifact = page.locator(".detail").get_attribute("data-artifact")
    expect(page).to_have_url(f"{gallery}/gallery?show={artifact}")
    for part in ("512", "a signed manifest", "Seed"):
        expect(page.locator(".detail .receipt").first).to_contain_text(part)
    with page.expect_download() as download:
        page.get_by_text("Download the note").click()
    note = json.loads(Path(download.value.path()).read_text())
    assert note["request"]["prompt"] == "a yellow star"
    with page.expect_download() as download:
        page.get_by_text("Download", exact=True).click()
    assert b"yellow" not in Path(download.value.path()).read_bytes()
    page.locator("[data-way=cli] summary").click()
    expect(page.locator("[data-way=cli] pre")).to_contain_text(f"--seed {note['seed']}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("[data-way=cli] button").click()
    expect(page.locator("[data-way=cli] button")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("studio make text-to-image --")
    page.get_by_role("button", name="Verify").click()
    expect(page.locator(".verdict")).to_contain_text("Signed")
    page.go_back()
    expect(page.locator(".tile")).to_have_count(3)
    page.goto(f"{gallery}/artifact/{artifact}")
    expect(page.locator(".detail h2")).to_have_text("a yellow star")
    page.get_by_text("Make again, or with changes").click()
    expect(page.locator("#field-prompt textarea")).to_have_value("a yellow star")


def test_tags_are_kept_and_found(page: Page) -> None:
    page.locator(f"{tile(page, 'a red circle')} a").click()
    page.fill("form[data-action=tag] input", "for the wall, round")
    page.get_by_role("button", name="Save tags").click()
    page.get_by_role("button", name="Back to the gallery").click()
    expect(page.locator(".tile")).to_have_count(3)
    page.fill("#gallery-search", "wall")
    expect(page.locator(".tile .subject")).to_have_text(["a red circle"])


def test_what_is_thrown_away_comes_back(page: Page) -> None:
    page.locator(f"{tile(page, 'a red circle')} input[type=checkbox]").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".tile")).to_have_count(3)
    page.locator(f"{tile(page, 'a red circle')} a").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".toast")).to_contain_text("1 work is in the bin")
    page.reload()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("button", name="Bin (1)").click()
    expect(page.locator(".tile .subject")).to_have_text(["a red circle"])
    page.locator(".tile input[type=checkbox]").check()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".empty")).to_be_visible()
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator(".tile")).to_have_count(3)


def test_what_is_somebody_elses_shows_nothing(page: Page, gallery: str, home: Path) -> None:
    running = attach.find(home)
    assert running is not None
    headers = {"Authorization": f"Bearer {running.token}", "X-Studio-Owner": "victor"}
    theirs = make(gallery, "a secret wish", **headers)
    page.goto(f"{gallery}/artifact/{theirs}")
    expect(page.get_by_role("alert")).to_contain_text("You have no such output")
    expect(page.locator("body")).not_to_contain_text("a secret wish")
    for part in ("file", "preview", "note", "lineage"):
        assert httpx.get(f"{gallery}/api/v1/artifacts/{theirs}/{part}").status_code == 404


def test_a_prompt_is_shown_and_never_run(page: Page, gallery: str) -> None:
    prompt = "<img src=x onerror=window.ran=1> {{value}} ${window.ran=1} a green ring"
    artifact = make(gallery, prompt)
    page.goto(f"{gallery}/artifact/{artifact}")
    expect(page.locator(".detail h2")).to_have_text(prompt)
    expect(page.locator(".detail [onerror]")).to_have_count(0)
    assert page.evaluate("window.ran") is None
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".tile")).to_have_count(3)


def test_the_gallery_fits_a_phone_and_every_control_has_a_name(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for state in ("grid", "detail"):
        if state == "detail":
            page.locator(".tile a").first.click()
            expect(page.locator(".detail h2")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        names = page.locator(
            "button:visible, a:visible, input:visible, select:visible"
        ).evaluate_all(
            "all => all.filter(one => !(one.ariaLabel || one.labels?.length || one.innerText"
            " || one.title || one.querySelector('img[alt]'))).map(one => one.outerHTML)"
        )
        assert names == []


def test_pictures_are_found_by_meaning_and_by_another_picture(page: Page, gallery: str) -> None:
    # On a busy machine it takes a while until the studio has looked at all of them.
    looked = 0
    while looked < len(PROMPTS):
        answer = httpx.get(f"{gallery}/api/v1/gallery/search?meaning=star", timeout=60)
        looked = len(answer.raise_for_status().json()["found"])
    # The picture of a star alone is nearest by far; by their words the newest would come first.
    page.get_by_role("button", name="By meaning").click()
    page.locator("#gallery-search").fill("a star")
    page.wait_for_url("**meaning=true**")
    expect(page.locator(".tile .subject").first).to_have_text(PROMPTS[1])
    expect(page.locator(".tile")).to_have_count(len(PROMPTS))
    page.locator(".tile a").first.click()
    page.get_by_role("button", name="Find what looks like it").click()
    expect(page.locator(".tile")).to_have_count(len(PROMPTS) - 1)
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator(".tile")).to_have_count(len(PROMPTS))
