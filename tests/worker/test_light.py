"""A worker whose model needs no torch does without it: it is there sooner and takes less."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest

from studio.host import Host
from studio.job import JobState
from studio.protocol import LOCAL
from studio.worker.machine import only_a_processor
from tests.hosts import finished, run, settings_for


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
