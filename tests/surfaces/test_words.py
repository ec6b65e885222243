"""The pages' sentences: none missing, none left over."""

from __future__ import annotations

import re
from pathlib import Path

import ui
from studio.provenance.verdict import Outcome
from ui.words import ENGLISH

#: Families of keys that are put together from what the studio reports.
BUILT = ("layer.", "state.", "verdict.", "verify.empty.")


def test_every_sentence_that_is_said_exists_and_the_other_way_round() -> None:
    folder = Path(ui.__file__).parent
    source = "".join(path.read_text() for path in folder.glob("*.py") if path.name != "words.py")
    said = {key for key in re.findall(r'"([a-z]+(?:\.[a-z-]+)+)"', source) if key in ENGLISH}
    called = set(re.findall(r'say\(\s*"([^"]+)"', source))
    assert called <= set(ENGLISH)
    assert {key for key in ENGLISH if not key.startswith(BUILT)} <= said


def test_every_outcome_has_a_word() -> None:
    assert {f"verdict.{outcome.value}" for outcome in Outcome} <= set(ENGLISH)
