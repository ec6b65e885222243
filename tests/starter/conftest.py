"""The training scripts are no package; these tests put their folder on the path, as running one of
them does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts" / "train_starter"
sys.path.insert(0, str(SCRIPTS))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Keep to one core, so that the time stated in tests/README.md means something."""
    import torch

    torch.set_num_threads(1)
