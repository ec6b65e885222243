"""What goes wrong around a page: another screen, other tabs, jobs gone elsewhere."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from scripts.screenshots import SCREENS
from tests.browser.conftest import LARGEST

pytestmark = pytest.mark.browser


def card(page: Page, text: str) -> Locator:
    return page.locator(".card", has_text=text).first


def order(url: str, prompt: str, **fields: object) -> str:
    answer = httpx.post(f"{url}/api/v1/text-to-image", json={"prompt": prompt, **fields})
    return str(answer.raise_for_status().json()["id"])


def state(url: str, job: str) -> str:
    return str(httpx.get(f"{url}/api/v1/jobs/{job}").raise_for_status().json()["state"])


def test_a_job_begun_on_a_desk_is_followed_on_a_phone(
    page: Page, browser: Browser, url: str
) -> None:
    # Open before the job begins, which may be over before a page has come.
    phone = browser.new_context(viewport=SCREENS["phone"], has_touch=True).new_page()
    phone.set_default_timeout(60_000)
    phone.goto(url)
    phone.wait_for_selector("#make")
    page.goto(f"{url}/?prompt=a+wide+cross&count=16&steps=50")
    page.click("#make")
    expect(card(page, "a wide cross").locator(".stage")).to_contain_text("tep")
    page.goto("about:blank")
    expect(card(phone, "a wide cross").locator(".stage")).to_contain_text("tep")
    done = card(phone, "a wide cross")
    expect(done).to_have_attribute("data-state", "done", timeout=120_000)
    expect(done.locator("img")).to_have_count(16)
    assert phone.evaluate("document.documentElement.scrollWidth") <= SCREENS["phone"]["width"]
    phone.context.close()


def test_previews_come_while_it_is_made_and_stop_frees_the_worker(page: Page, url: str) -> None:
    page.goto(f"{url}/?prompt=a+slow+square&count=64&steps=50")
    page.wait_for_selector("#make")
    page.evaluate("""() => {
      window.seen = new Set();
      new MutationObserver(() => {
        for (const one of document.querySelectorAll("canvas[data-rgb]")) seen.add(one.dataset.rgb);
      }).observe(document.body, {subtree: true, childList: true, attributes: true});
    }""")
    page.click("#make")
    page.wait_for_function("seen.size >= 3")
    card(page, "a slow square").get_by_role("button", name="Stop").click()
    expect(card(page, "a slow square")).to_have_attribute("data-state", "cancelled")
    # The next one does not wait for the rest of the sixty-four.
    order(url, "a quick square", steps=1)
    expect(card(page, "a quick square")).to_have_attribute("data-state", "done")


def test_a_job_that_two_tabs_stop_is_stopped_in_both(page: Page, url: str) -> None:
    job = order(url, "a double stop", count=64, steps=50)
    other = page.context.new_page()
    other.goto(url)
    presses = [card(tab, "a double stop").locator("[data-action=stop]") for tab in (page, other)]
    for press in presses:
        expect(press).to_be_visible()
    # Both at once, before either has heard of the other.
    for press in presses:
        press.evaluate("press => press.click()")
    for tab in (page, other):
        expect(card(tab, "a double stop")).to_have_attribute("data-state", "cancelled")
        expect(tab.locator("#work [role=alert]")).to_have_count(0)
    assert state(url, job) == "cancelled"
    other.close()


def test_a_job_stopped_and_an_output_deleted_elsewhere_leave_the_page_whole(
    page: Page, url: str
) -> None:
    job = order(url, "a stop from outside", count=64, steps=50)
    expect(card(page, "a stop from outside").locator(".stage")).to_be_visible()
    httpx.delete(f"{url}/api/v1/jobs/{job}").raise_for_status()
    expect(card(page, "a stop from outside")).to_have_attribute("data-state", "cancelled")
    ring = order(url, "a deleted ring")
    expect(card(page, "a deleted ring")).to_have_attribute("data-state", "done")
    gone = httpx.get(f"{url}/api/v1/jobs/{ring}").json()["artifacts"][0]
    httpx.delete(f"{url}/api/v1/artifacts/{gone}").raise_for_status()
    card(page, "a deleted ring").get_by_role("button", name="Verify").click()
    expect(page.locator("#work [role=alert]").first).to_be_visible()
    page.fill("#field-prompt textarea", "a ring thereafter")
    page.fill("#field-count input[type=number]", "1")
    page.click("#make")
    expect(card(page, "a ring thereafter")).to_have_attribute("data-state", "done")


@pytest.mark.parametrize("place", ["/", "/queue"])
def test_why_a_button_did_nothing_stays_to_be_read(page: Page, url: str, place: str) -> None:
    job = order(url, "a press too late", count=64, steps=50)
    page.goto(url + place)
    stop = card(page, "a press too late").locator("[data-action=stop]")
    expect(stop).to_be_visible()
    # Somebody else has taken the job away, and this page has not heard of it.
    stop.evaluate(f"press => {{ press.dataset.id = '{'0' * 32}'; press.click(); }}")
    expect(page.get_by_role("alert").first).to_be_visible()
    # The page looks for itself meanwhile.
    look = order(url, "a look in between", steps=1)
    expect(card(page, "a look in between")).to_be_visible()
    expect(page.get_by_role("alert").first).to_be_visible()
    httpx.delete(f"{url}/api/v1/jobs/{look}").raise_for_status()
    httpx.delete(f"{url}/api/v1/jobs/{job}").raise_for_status()
    ended = page.locator(f"[data-job='{job}']")
    ended.get_by_role("button", name="Make a press too late again").click()
    stop = page.get_by_role("button", name="Stop making a press too late")
    expect(stop).to_have_count(1)
    expect(page.get_by_role("alert")).to_have_count(0)
    again = stop.get_attribute("data-id")
    httpx.delete(f"{url}/api/v1/jobs/{again}").raise_for_status()


def test_a_name_like_a_path_leads_nowhere(page: Page, url: str, made: Path) -> None:
    page.goto(f"{url}/verify")
    file = {"name": "../../x.png", "mimeType": "image/png", "buffer": made.read_bytes()}
    page.set_input_files("#verify-files input[type=file]", file)  # type: ignore[arg-type]
    expect(page.locator("#verify-found .verdict")).to_be_visible()
    expect(page.locator("#verify-found")).not_to_contain_text("..")


def bomb(path: Path) -> Path:
    """A PNG of few bytes that claims to be 60,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    return path


def text(path: Path) -> Path:
    """Words that call themselves a picture."""
    path.write_text("not a picture at all")
    return path


@pytest.mark.parametrize(
    ("write", "why"), [(bomb, "60000 × 60000 pixels"), (text, "This is a text")]
)
def test_a_file_that_is_no_picture_is_refused_and_nothing_is_ordered(
    page: Page, url: str, tmp_path: Path, write: Callable[[Path], Path], why: str
) -> None:
    before = len(httpx.get(f"{url}/api/v1/jobs").json())
    page.goto(f"{url}/?task=image-to-image&prompt=a+star")
    page.set_input_files("#field-image input[type=file]", write(tmp_path / "picture.png"))
    expect(page.locator("#field-image img")).to_be_attached()
    page.click("#make")
    expect(page.locator("#problem .banner")).to_contain_text(why)
    expect(page.locator("#problem .banner .hint")).to_be_visible()
    assert len(httpx.get(f"{url}/api/v1/jobs").json()) == before


def test_a_file_over_the_limit_is_refused_by_the_page(page: Page, url: str) -> None:
    before = len(httpx.get(f"{url}/api/v1/jobs").json())
    page.goto(f"{url}/?task=image-to-image&prompt=a+star")
    page.locator("#field-image").wait_for()
    large = {"name": "a.png", "mimeType": "image/png", "buffer": bytes(LARGEST + 1)}
    page.set_input_files("#field-image input[type=file]", large)  # type: ignore[arg-type]
    expect(page.locator("#large")).to_be_visible()
    page.click("#make")
    expect(page.locator("#problem .banner")).to_contain_text("image")
    assert len(httpx.get(f"{url}/api/v1/jobs").json()) == before
