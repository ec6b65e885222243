"""The stage that the tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bots import courier
from tests.discord.stage import Stage, staged
from tests.fake_lane import FakeLane
from tests.hosts import settings_for


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A stage whose lane needs no device, and whose bot edits more often than Discord likes."""
    home = tmp_path_factory.mktemp("discord") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(courier, "EDIT_SECONDS", 0.2)
        yield from staged(home, FakeLane(settings_for(home), seconds=0.02))
