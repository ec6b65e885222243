"""The workshop's card."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.catalog import Catalog
from studio.settings import Settings


@pytest.fixture
def card_tasks(tmp_path: Path) -> tuple[str, ...]:
    """The tasks that the card names."""
    return Catalog.open(Settings(home=tmp_path))["workshop"].studio.tasks
