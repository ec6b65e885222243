"""Named settings: kept for their owner, and nothing kept that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.presets import MOST, Preset, Presets


def preset(name: str, **values: object) -> Preset:
    return Preset(name, "text-to-image", values)  # type: ignore[arg-type]


def test_presets_are_kept_by_name_for_their_owner_alone(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets")
    presets.save("ann", preset("wide", width=1024))
    presets.save("ann", preset("Tall", height=1024))
    presets.save("ann", preset("wide", width=768))
    assert presets.list("bob") == []
    assert Presets(tmp_path / "presets").list("ann") == [
        preset("Tall", height=1024),
        preset("wide", width=768),
    ]
    presets.delete("ann", "wide")
    assert [one.name for one in presets.list("ann")] == ["Tall"]
    with pytest.raises(NotFound):
        presets.delete("ann", "wide")
    with pytest.raises(NotFound):
        presets.delete("bob", "Tall")


@pytest.mark.parametrize(
    "wrong",
    [
        preset(""),
        preset("  "),
        preset("x" * 81),
        preset("a\u202eb"),
        preset("x", nothing=1),
        preset("x", prompt="x" * 30_000),
    ],
)
def test_what_cannot_be_a_preset_is_refused(tmp_path: Path, wrong: Preset) -> None:
    with pytest.raises(InvalidRequest):
        Presets(tmp_path).save("ann", wrong)


def test_nobody_keeps_them_without_end(tmp_path: Path) -> None:
    presets = Presets(tmp_path)
    for number in range(MOST):
        presets.save("ann", preset(f"number {number}"))
    with pytest.raises(Unavailable):
        presets.save("ann", preset("one more"))
    presets.save("ann", preset("number 1", width=64))
