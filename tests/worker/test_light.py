"""A worker whose model needs no torch does without it: it is there sooner and takes less."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from studio.host import Host
from studio.job import JobState
from studio.protocol import LOCAL
from studio.worker.machine import only_a_processor
from tests.hosts import finished, run, settings_for

#: A fresh process each: in this one somebody may have imported anything.
CHILD = """
import sys
import studio.worker.child
import studio.families.espeak.family
assert not {"studio.cards", "studio.tasks", "scipy"} & {*sys.modules}, "it starts with less"
"""
SEALED = """
import sys
from pathlib import Path
import numpy as np
from studio.catalog import Catalog
from studio.draft import Draft
from studio.job import Job
from studio.provenance import open_provenance
from studio.settings import Settings

settings = Settings(home=Path(sys.argv[1]))
provenance = open_provenance(settings)
noise = np.random.default_rng(1).normal(0, 0.1, (44_100, 1)).astype(np.float32)
artifact = provenance.sealer.seal(
    Draft("audio", 0, 1, {"samples": noise}, {"rate": 22_050}),
    job=Job("a" * 32, "local", "text-to-audio", "x", {"format": "wav", "seed": 1}, 0, 0.0),
    card=Catalog.open(settings)["espeak-ng"],
    revision="1",
    batch=1,
    versions={},
)
assert artifact.note.marks["audio"]["id"] and artifact.note.about["loudness"] < 0
provenance.close()
assert "scipy" not in sys.modules, "to import it takes longer than to seal"
"""


def test_a_child_starts_and_a_sound_is_sealed_without_what_takes_long(home: Path) -> None:
    for program in (CHILD, SEALED):
        subprocess.run([sys.executable, "-c", program, home], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process has mapped is in /proc")
def test_speech_is_made_without_torch(home: Path) -> None:
    async def test() -> None:
        async with Host(settings_for(home, devices=("cpu",))) as host:
            client = host.client(LOCAL)
            job = await client.submit("speak", {"text": "Good morning.", "count": 1})
            assert (await finished(client, job.id)).state is JobState.DONE
            (lane,) = host.lanes
            assert lane.state.device == "cpu"
            assert lane.state.pid is not None
            mapped = Path(f"/proc/{lane.state.pid}/maps").read_text()
            assert "python" in mapped
            assert "torch" not in mapped
            family = [psutil.Process(lane.state.pid), *psutil.Process(lane.state.pid).children()]
            assert sum(process.memory_info().rss for process in family) < 200e6

    run(test)


def test_auto_asks_torch_only_where_a_driver_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "kfd"
    monkeypatch.setattr("studio.worker.machine._TRACES", (trace,))
    monkeypatch.setattr(sys, "platform", "linux")
    assert only_a_processor()
    trace.touch()
    assert not only_a_processor()
    trace.unlink()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not only_a_processor()
