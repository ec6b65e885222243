"""Consents on the page of settings: asked for, refused with the reason, listed and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from scripts.screenshots import studio
from studio.consent import Consent
from studio.protocol import LOCAL
from studio.provenance import open_provenance
from tests.browser.test_accessibility import complaints
from tests.browser.test_media import make
from tests.hosts import settings_for
from tests.sound.test_consent import CARD

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("agreed") / "home"
    cards = home / "model_cards"
    cards.mkdir(mode=0o700, parents=True)
    card = CARD.format(name="listener", task="automatic-speech-recognition")
    (cards / "listener.md").write_text(card)
    return home


@pytest.fixture(scope="module")
def url(home: Path) -> Iterator[str]:
    with studio(HOME=str(home)) as url:
        yield url


@pytest.fixture
def given(home: Path, url: str) -> Consent:
    """A consent of the studio's own user, signed without anybody having listened."""
    provenance = open_provenance(settings_for(home))
    consents = provenance.consents
    consent = consents.grant(
        LOCAL,
        consents.ask(LOCAL, "0" * 32, "a" * 64),
        7,
        recording="b" * 64,
        heard="",
        listener="nobody",
        speaker="0.950 alike, by nobody",
    )
    provenance.close()
    return consent


def test_a_recording_that_a_studio_made_is_refused(page: Page, url: str, tmp_path: Path) -> None:
    sample = tmp_path / "sample.wav"
    soundfile.write(sample, np.random.default_rng(1).normal(0, 0.1, 24_000), 8000)
    spoken = make(url, "text-to-speech", text="I agree that this studio may use my voice.")[0]
    recording = tmp_path / "recording.wav"
    recording.write_bytes(httpx.get(f"{url}/api/v1/artifacts/{spoken}/file").content)
    page.goto(f"{url}/settings")
    expect(page.locator("#consents")).to_have_text("No consents yet.")
    page.get_by_role("button", name="Ask for a consent").click()
    page.click("#consent-ask")
    said = page.locator("#consent-sentence")
    expect(said.get_by_role("alert")).to_contain_text("There is no sound yet.")
    expect(page.locator("#consent-give")).to_be_hidden()
    page.set_input_files("#consent-sample input[type=file]", sample)
    page.locator("#consent-sample audio").first.wait_for(state="attached")
    page.click("#consent-ask")
    expect(said.locator("blockquote")).to_contain_text("I agree that this studio may use my voice.")
    assert complaints(page) == []
    page.set_input_files("#consent-recording input[type=file]", recording)
    page.locator("#consent-recording audio").first.wait_for(state="attached")
    page.click("#consent-give")
    outcome = page.locator("#consent-outcome").get_by_role("alert")
    expect(outcome).to_contain_text("only a person can agree")
    assert httpx.get(f"{url}/api/v1/consents").json() == []


def test_a_consent_is_shown_used_and_taken_back(page: Page, url: str, given: Consent) -> None:
    page.goto(f"{url}/settings")
    card = page.locator(f"#consents [data-key='{given.id}']")
    expect(card).to_contain_text("Holds")
    expect(card).to_contain_text("0.950 alike")
    expect(card.locator("time").first).not_to_be_empty()
    card.get_by_text("Use this voice").click()
    expect(page.locator("#field-consent :is(input, textarea)")).to_have_value(given.id)
    page.goto(f"{url}/settings")
    page.once("dialog", lambda dialog: dialog.accept())
    card.get_by_role("button", name="Take back").click()
    expect(card.locator("h3")).to_have_text("Taken back")
    expect(card.get_by_role("button")).to_have_count(0)
    (after,) = httpx.get(f"{url}/api/v1/consents").json()
    assert after["revoked"]
