"""`studio devices` and `studio models fit`, as somebody types them."""

from __future__ import annotations

from studio.cards import Card
from studio.fitting import fit
from studio.worker.report import LaneState
from tests.cli.conftest import Shell

SMALL, LARGE, HUGE = (
    Card.parse(
        name,
        f"---\nlicense: mit\nstudio:\n  title: {name}\n  family: none\n  tasks: [text-to-image]\n"
        f"  source: {{path: x}}\n  memory: {{weights: {weights}, working: 100}}\n---\n",
    )
    for name, weights in (("small", 100), ("large", 9_000), ("huge", 10**9))
)
GPU = LaneState("cuda:0", total=8_000_000_000, free=0)


def test_devices_names_what_generates_here(shell: Shell) -> None:
    (device,) = shell.run("devices", "--json").json
    assert device["device"] == "cpu"
    assert "nothing in memory" in shell.run("devices").out


def test_fit_says_how_each_model_would_run(shell: Shell) -> None:
    fits = {one["card"]: one for one in shell.run("models", "fit", "--json").json}
    assert fits["starter-pictures"]["placement"] == "full"
    assert "starter-pictures" in shell.run("models", "fit", "starter-pictures").out
    assert shell.run("models", "fit", "nothing", status=66).err


def test_what_does_not_fit_is_offloaded_or_refused_with_numbers() -> None:
    assert fit(SMALL, GPU).placement == "full", "other models make room"
    assert fit(LARGE, GPU).placement not in (None, "full")
    problem = fit(HUGE, GPU)
    assert problem.placement is None
    assert "GB" in problem.why
    assert problem.nearest_bytes == 0, "there is no such card"
