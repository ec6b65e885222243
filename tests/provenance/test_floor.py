"""The floor: no setting and no field of a request yields an output without mark and manifest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from studio.provenance import Provenance
from studio.provenance.manifest import read
from studio.settings import Settings
from studio.tasks import TASKS
from tests.provenance.conftest import seal
from tests.provenance.pictures import texture

#: Where a number, a word or a switch does not do.
SPECIAL: dict[str, Any] = {
    "home": None,  # is another one in every test
    "token": "t" * 16,
    "hosts": ("studio.example",),
    "cards": (),
    "devices": ("cpu",),
    "signer": "no-such-program",
    "hosted": {},
    "database_url": "sqlite://",
    "disclosure": "before",
}


def is_marked_and_signed(opened: Provenance, **request: object) -> None:
    made = seal(opened, texture(1, 256), **request)
    path = opened.store.path(made.id)
    assert len(made.note.marks["image"]["id"]) == 12
    with path.open("rb") as file:
        report = read(file, made.media_type, opened.keys.root_pem())
    assert report.state == "trusted"
    assert made.note.marks["image"]["id"] in report.soft_bindings.values()


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"home"}))
def test_no_setting_leaves_a_mark_out(name: str, another: Callable[..., Provenance]) -> None:
    default = Settings.model_fields[name].default
    if name in SPECIAL:
        values = [SPECIAL[name]]
    elif isinstance(default, bool):
        values = [not default]
    elif isinstance(default, int | float):
        values = [default + 1]
    else:
        values = ["no mark"]
    for place, value in enumerate(values):
        is_marked_and_signed(another(f"home {place}", **{name: value}))


def test_no_field_of_a_request_leaves_a_mark_out(provenance: Provenance) -> None:
    fields = {
        name: field
        for task in TASKS.values()
        if task.makes == "image"
        for name, field in task.request.model_fields.items()
    }
    for name in sorted(set(fields) - {"format"}):
        for value in (None, True, "no watermark, no manifest"):
            is_marked_and_signed(provenance, **{name: value})
    for format_ in ("png", "webp", "jpeg"):
        is_marked_and_signed(provenance, format=format_)


def test_no_setting_and_no_field_speaks_of_marks() -> None:
    names = set(Settings.model_fields)
    for task in TASKS.values():
        names |= set(task.request.model_fields)
    assert not [name for name in names if any(w in name for w in ("mark", "manifest", "sign_"))]
