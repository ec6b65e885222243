"""Sounds and films in the page: played, seen, fetched, and checked with what lies beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from mido import MidiFile
from playwright.sync_api import Locator, Page, expect

from tests.browser.test_accessibility import complaints

pytestmark = pytest.mark.browser


def make(url: str, task: str, **values: object) -> list[str]:
    """The ids of what one order made."""
    with httpx.Client(base_url=f"{url}/api/v1/", timeout=120, trust_env=False) as http:
        job: str = http.post(task, json=values).raise_for_status().json()["id"]
        # Its events end when it does.
        with http.stream("GET", f"jobs/{job}/events") as events:
            for _ in events.iter_lines():
                pass
        made: dict[str, Any] = http.get(f"jobs/{job}").raise_for_status().json()
    assert made["state"] == "done", made["error"]
    return list(made["artifacts"])


@pytest.fixture(scope="module")
def sound(url: str) -> str:
    """A spoken greeting whose manifest lies beside it."""
    return make(url, "text-to-speech", text="Good morning.", format="opus")[0]


@pytest.fixture(scope="module")
def film(url: str) -> str:
    """A film of two pictures, a second each."""
    scenes = make(url, "text-to-image", prompt="a red circle", count=2)
    size = {"width": 256, "height": 256, "fps": 12}
    return make(url, "film-assembly", scenes=scenes, seconds=1, **size)[0]


def output(page: Page, artifact: str) -> Locator:
    return page.locator(f"[data-artifact='{artifact}']")


def plays(media: Locator) -> float:
    """How many seconds it lasts, once the browser has played a part of it."""
    media.evaluate("one => { one.muted = true; return one.play(); }")
    expect(media).not_to_have_js_property("currentTime", 0)
    return float(media.evaluate("one => one.duration"))


@pytest.mark.parametrize("place", ["/", "/gallery?show={}"])
def test_a_sound_plays_below_its_wave(page: Page, url: str, sound: str, place: str) -> None:
    page.goto(url + place.format(sound))
    shown = output(page, sound)
    expect(shown.locator(".sound img")).to_have_js_property("naturalWidth", 256)
    assert 0.3 < plays(shown.locator("audio")) < 5


@pytest.mark.parametrize("place", ["/", "/gallery?show={}"])
def test_a_film_has_a_poster_plays_and_can_be_sought(
    page: Page, url: str, film: str, place: str
) -> None:
    page.goto(url + place.format(film))
    video = output(page, film).locator("video")
    expect(video).to_have_attribute("poster", f"/api/v1/artifacts/{film}/preview")
    assert plays(video) == pytest.approx(5 / 3, abs=0.2)
    expect(video).to_have_js_property("videoWidth", 256)
    video.evaluate("one => { one.pause(); one.currentTime = 1.25; }")
    expect(video).to_have_js_property("seeking", False)
    assert video.evaluate("one => one.currentTime") == pytest.approx(1.25, abs=0.1)


def test_the_gallery_finds_them_by_their_pictures_and_names_films_by_their_task(
    page: Page, url: str, sound: str, film: str
) -> None:
    page.goto(f"{url}/gallery")
    for artifact in (sound, film):
        face = page.locator(f"img[src='/api/v1/artifacts/{artifact}/preview']")
        expect(face).not_to_have_js_property("naturalWidth", 0)
    expect(page.locator(".tile .subject", has_text="Film assembly")).to_be_visible()
    expect(page.locator(".tile .subject", has_text="['")).to_have_count(0)


def test_a_file_and_its_manifest_are_fetched_and_checked_together(
    page: Page, url: str, sound: str, tmp_path: Path
) -> None:
    page.goto(url)
    files = []
    for press in ("Download", "Manifest"):
        with page.expect_download() as download:
            output(page, sound).get_by_text(press, exact=True).click()
        files.append(tmp_path / download.value.suggested_filename)
        download.value.save_as(files[-1])
    assert files[1].name == f"{files[0].name}.c2pa"
    page.goto(f"{url}/verify")
    card = page.locator("#verify-found .card")
    page.set_input_files("#verify-files input[type=file]", files)
    expect(card.locator(".verdict.signed")).to_contain_text("Signed")
    expect(card).to_have_count(1)
    page.set_input_files("#verify-files input[type=file]", files[1])
    expect(card.get_by_role("alert")).to_contain_text("together with the file")


def test_a_composed_piece_shows_its_notes_and_gives_them(
    page: Page, url: str, tmp_path: Path
) -> None:
    piece = make(url, "text-to-music", prompt="calm piano", duration=4.0)[0]
    page.goto(url)
    with page.expect_download() as download:
        output(page, piece).get_by_text("Score (MIDI)").click()
    download.value.save_as(tmp_path / "notes.mid")
    assert sum(message.type == "note_on" for message in MidiFile(tmp_path / "notes.mid")) > 4
    page.goto(f"{url}/gallery?show={piece}")
    shown = page.locator(".detail")
    roll = shown.locator(".roll img")
    roll.scroll_into_view_if_needed()
    expect(roll).not_to_have_js_property("naturalWidth", 0)
    shown.get_by_text("ABC notation").click()
    expect(shown.locator("pre", has_text="%abc-2.1")).to_be_visible()
    assert complaints(page) == []
