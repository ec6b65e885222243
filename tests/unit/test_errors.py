"""Errors keep their kind, words and hint on every way through the studio."""

import pytest

from studio import errors
from studio.errors import Broken, InvalidRequest, StudioError

KINDS = StudioError.__subclasses__()


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_its_json_form(kind: type[StudioError]) -> None:
    error = kind()
    again = StudioError.from_record(error.record())
    assert type(again) is kind
    assert again.record() == error.record()


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_drawn_in_the_tree(kind: type[StudioError]) -> None:
    assert f"── {kind.__name__}" in (errors.__doc__ or "")


def test_statuses_tell_kinds_apart_and_none_looks_like_success() -> None:
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert all(2 < code < 256 for code in codes)
    assert all(400 <= kind.http_status < 600 for kind in KINDS)


def test_an_unknown_kind_becomes_broken_and_keeps_its_words() -> None:
    record = InvalidRequest("no such colour", hint="try red").record()
    record["error"] = "FromTheFuture"
    error = StudioError.from_record(record)
    assert isinstance(error, Broken)
    assert error.message == "no such colour"


def test_broken_names_an_incident_to_look_for() -> None:
    error = Broken()
    assert error.incident in error.hint
