"""The people who share a studio: let in by their token, and only by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InvalidRequest, NotFound
from studio.users import Users


def test_a_token_names_its_user_and_is_kept_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "users.json"
    users = Users(file)
    ann, bob = users.add("ann"), users.add("bob")
    assert ann not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    again = Users(file)
    assert again.list() == ["ann", "bob"]
    assert (again.who(ann.encode()), again.who(bob.encode())) == ("ann", "bob")
    assert again.who(b"") is None
    assert again.who("ä".encode()) is None
    again.remove("ann")
    assert again.who(ann.encode()) is None
    assert Users(file).list() == ["bob"]
    with pytest.raises(NotFound):
        again.remove("ann")


@pytest.mark.parametrize("name", ["", "Ann", "../ann", "local", "a:b", "x" * 41, "ann\n"])
def test_what_cannot_be_a_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest):
        Users(tmp_path / "users.json").add(name)


def test_a_name_is_given_once(tmp_path: Path) -> None:
    users = Users(tmp_path / "users.json")
    users.add("ann")
    with pytest.raises(InvalidRequest):
        users.add("ann")
