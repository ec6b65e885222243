"""Homes with providers: settings, a key in its file, and cards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.host import Host
from studio.settings import Settings
from tests.fake_lane import FakeLane
from tests.hosted.provider import KEY
from tests.hosts import settings_for, write_cards

_CARD = """---
license: other
studio:
  title: {title}
  family: hosted
  tasks: [{tasks}]
  source: {{provider: {provider}, model: {model}}}
  memory: {{weights: 0, working: 0}}
  prices: {{currency: EUR, input: 5, output: 40, each: 0.01, characters: 15}}
  options: {options}
---
A model that runs elsewhere.
"""


def settings(home: Path, url: str, **values: Any) -> Settings:
    """Settings with the three makers at `url`, and their key in a file that is not below home."""
    key = home.parent / "key"
    key.write_text(f"{KEY}\n")
    key.chmod(0o600)
    common = {"key_file": key, "retries": 2, **values}
    return settings_for(
        home,
        hosted={
            "openai": {"base_url": f"{url}/v1", **common},
            "anthropic": {"base_url": url, **common},
            "google": {"base_url": url, **common},
        },
    )


def host(home: Path, url: str, **values: Any) -> Host:
    """A host whose cards are `painter`, `gemini-painter` and `speaker`, beside `noise`."""
    write_cards(home)
    write_card(home, "painter", "openai", "gpt-image-test", "text-to-image, image-to-image")
    write_card(home, "gemini-painter", "google", "gemini-image-test", "text-to-image")
    write_card(home, "speaker", "openai", "tts-test", "text-to-speech", "{voice: alloy}")
    found = settings(home, url, **values)
    return Host(found, lanes=[FakeLane(found)])


def write_card(
    home: Path, name: str, provider: str, model: str, tasks: str, options: str = "{}"
) -> None:
    """A card of a hosted model."""
    text = _CARD.format(
        title=name.capitalize(), provider=provider, model=model, tasks=tasks, options=options
    )
    (home / "model_cards" / f"{name}.md").write_text(text)
