"""Messages survive the pipe unchanged; anything else is refused; the log does not grow for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import Broken
from studio.families import Order, Spec
from studio.job import Preview, Step, TextDelta
from studio.memory import Eviction, Held, Need, Part, Resident, Stage
from studio.worker import process
from studio.worker.pipe import (
    MAX_LINE,
    Beat,
    Began,
    Failed,
    Finished,
    FromChild,
    Memory,
    Ready,
    Run,
    Spooled,
    Stop,
    ToChild,
    Told,
    for_child,
    from_child,
    to_line,
)

MEMORY = Memory(
    total=8,
    free=4,
    rss=2,
    residents=(Resident("a", "full", (Held("a/denoise", 3, 0),), used=1.5),),
    evictions=(Eviction("b", "made room for a", 3, 0),),
    idle=1,
    clock=2.5,
)
DOWN: list[ToChild] = [
    Run(
        1,
        "diffusers",
        Spec("a", Path("/models/a"), "float16", None, {"upscale": 8, "arguments": {"x": 0.1}}),
        "abc",
        Need(
            "a",
            (Part("a/denoise", 1 << 40, 3, 2),),
            (Stage("denoise", ("a/denoise",), 5),),
            fastest="model-offload",
            quantisable=True,
            half=True,
        ),
        (Order("job", 0, "text-to-image", {"prompt": "é\n\u2028", "guidance": 7.1}, 2**53 - 1),),
        Path("/spool/1"),
    ),
    Stop(1, "job"),
]
UP: list[FromChild] = [
    Ready("cpu", {"torch": "2"}, "namespace", MEMORY),
    Beat(7),
    Began(1),
    Told(1, "job", Step(1, 2, 0, Preview(1, 1, bytes([0, 255, 10])))),
    Told(1, "job", TextDelta("line\nline")),
    Spooled(1, 0, 0.5),
    Finished(1, MEMORY),
    Failed(None, Broken().record(), fatal=True),
]


@pytest.mark.parametrize("message", [*DOWN, *UP], ids=lambda message: message.kind)
def test_a_message_is_one_line_and_survives(message: ToChild | FromChild) -> None:
    line = to_line(message)
    assert line.count(b"\n") == 1
    read = for_child(line) if isinstance(message, Run | Stop) else from_child(line)
    assert read == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b'{"kind": "run"}',
        b'{"kind": "beat", "progress": "x"}',
        b'{"kind": "failed", "batch": 1, "error": {"error": "Broken"}}',
        b'{"kind": "told", "batch": 1, "job": "j", "event": {"event": "Sealed", "index": 0, '
        b'"artifact": "x"}}',
        b'{"kind": "told", "batch": 1, "job": "j", "event": {"event": "Step", "done": 1, '
        b'"total": 2, "preview": {"width": "<b>", "height": 1, "rgb": ""}}}',
    ],
)
def test_what_is_no_message_of_the_childs_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        from_child(line)


def test_the_largest_preview_fits_a_line() -> None:
    preview = Preview(128, 128, bytes(128 * 128 * 3))
    assert len(to_line(Told(1, "job", Step(1, 2, 0, preview)))) < MAX_LINE


def test_a_large_log_is_set_aside_and_a_few_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_LOG_BYTES", 3)
    path = tmp_path / "logs" / "worker.log"
    for number in range(6):
        with process.open_log(path) as log:
            log.write(b"0123%d" % number)
    contents = {file.name: file.read_bytes()[-1:] for file in path.parent.iterdir()}
    assert contents == {
        "worker.log": b"5",
        "worker.log.1": b"4",
        "worker.log.2": b"3",
        "worker.log.3": b"2",
    }
    assert path.stat().st_mode & 0o077 == 0
