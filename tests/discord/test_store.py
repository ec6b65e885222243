"""What the bot remembers, and for how long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bots.errand import Errand, State
from bots.rules import DAY
from bots.store import Store


def errand(identity: str, task: str = "text-to-image") -> Errand:
    values = {"prompt": "a secret"}
    return Errand(identity, "t", "ann", "3", "guild", False, "en", 1, task, values)


def test_who_is_forgotten_has_still_ordered_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        for one in (errand("1"), errand("2", task=""), errand("3")):
            store.take(one)
            store.update(one, state=State.POSTED, job="0" * 32)
        store.take(errand("4"))
        before = store.ordered("ann", "guild", 0)
        assert len(before) == 3
        for _ in range(2):
            store.forget("ann")
            assert store.ordered("ann", "guild", 0) == before
        assert store.of_job("0" * 32) is None
        assert [one.id for one in store._errands("")] == ["4"], "what is under way goes on"
        store.drop(errand("4"))
        assert "secret" not in "".join(store._db.iterdump())
        store.sweep(time.time() - 90 * DAY)
        assert store.ordered("ann", "guild", 0) == before[:2]
        tomorrow = time.time() + DAY
        monkeypatch.setattr("bots.store.time.time", lambda: tomorrow)
        store.sweep(tomorrow - 90 * DAY)
        assert store.ordered("ann", "guild", 0) == []
