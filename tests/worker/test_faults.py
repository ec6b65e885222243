"""Whatever happens to the child, the lane says so and the next batch runs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.errors import Broken, Unavailable
from studio.job import Event, Loading, Step
from studio.settings import Settings
from studio.worker.pipe import Ready, Stop
from studio.worker.process import ChildProcess, Gone
from tests.worker.conftest import PLUGIN
from tests.worker.lanes import Watcher, card, open_lane, orders, until

pytestmark = [pytest.mark.anyio, pytest.mark.fault]


async def works_again(watcher: Watcher) -> None:
    watcher.then = lambda _job, _event: None
    assert len(await watcher.make(orders("steps 1", job="next"))) == 1


def kill(watcher: Watcher, number: int = signal.SIGKILL) -> None:
    pid = watcher.lane.state.pid
    assert pid is not None
    os.kill(pid, number)


@pytest.mark.parametrize("stage", [Loading, Step])
async def test_a_child_killed_at_work_is_broken_and_replaced(
    home: Path, stage: type[Event]
) -> None:
    async with open_lane(home) as watcher:
        watcher.then = lambda _, event: kill(watcher) if isinstance(event, stage) else None
        with pytest.raises(Broken, match="signal 9") as caught:
            await watcher.make(orders("steps 50"), card(load_seconds=0.3))
        assert caught.value.retry
        assert watcher.begun == 1
        assert list((home / "spool" / "0").iterdir()) == []
        await works_again(watcher)


async def test_a_child_killed_between_two_drafts_leaves_the_first(home: Path) -> None:
    async with open_lane(home) as watcher:
        batch, tell = orders("", "steps 50"), lambda *_: None
        drafts = watcher.lane.generate(
            card(), Path("/nowhere"), "1", batch, tell=tell, begun=nothing
        )
        made = [await anext(drafts)]
        kill(watcher)
        with pytest.raises(Broken):
            await anext(drafts)
        assert [one.order.index for one in made] == [0]
        assert (made[0].place / "draft.json").exists()
        await works_again(watcher)


async def test_a_child_that_dies_with_mail_unread_was_killed(home: Path) -> None:
    home.mkdir(exist_ok=True)
    child = await ChildProcess.spawn(Settings(home=home), "cpu")
    try:
        assert isinstance(await child.messages.get(), Ready)
        os.kill(child.pid, signal.SIGSTOP)
        child.send(Stop(1, "unread"))
        os.kill(child.pid, signal.SIGKILL)
        assert await child.messages.get() == Gone("killed by signal 9")
    finally:
        child.kill()
        await child.close()


async def nothing() -> None:
    pass


async def test_a_child_killed_while_it_starts_is_started_again(home: Path) -> None:
    async with open_lane(home) as watcher:
        making = asyncio.create_task(watcher.make(orders("steps 1")))
        mine = psutil.Process()
        await until(lambda: bool(mine.children()))
        mine.children()[0].kill()
        assert len(await making) == 1


async def test_a_child_killed_while_idle_is_replaced(home: Path) -> None:
    async with open_lane(home) as watcher:
        await works_again(watcher)
        kill(watcher)
        await asyncio.sleep(0.2)
        await works_again(watcher)


async def test_a_child_that_cannot_start_is_unavailable(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # What every child imports; torch is imported by those models alone that need it.
    (tmp_path / "psutil.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with open_lane(home) as watcher:
        with pytest.raises(Unavailable, match="exit status 3"):
            await watcher.make(orders(""))


async def test_a_model_that_kills_the_child_in_its_load_counts_as_begun(home: Path) -> None:
    async with open_lane(home) as watcher:
        with pytest.raises(Broken):
            await watcher.make(orders(""), card(die_in_load=True))
        assert watcher.begun == 1


@pytest.mark.parametrize(
    ("how", "settings"),
    [
        ("stop", {"hang_seconds": 1.5}),
        ("hold", {"hang_seconds": 1.5}),
        ("sleep", {"stall_seconds": 1.5, "hang_seconds": 6}),
    ],
)
async def test_a_hang_is_killed(home: Path, how: str, settings: dict[str, Any]) -> None:
    """Stopped by a signal; in C with the interpreter's lock held; alive and going nowhere."""
    async with open_lane(home, **settings) as watcher:
        await watcher.lane.warm(card(), Path("/nowhere"), "1")
        pid = watcher.lane.state.pid
        assert pid is not None
        if how == "stop":
            watcher.then = lambda _, event: kill(watcher, signal.SIGSTOP)
        began = asyncio.get_running_loop().time()
        with pytest.raises(Broken, match="hung"):
            await watcher.make(orders("steps 50" if how == "stop" else how))
        assert asyncio.get_running_loop().time() - began < 1.5 + 5
        assert not psutil.pid_exists(pid)
        await works_again(watcher)


async def test_the_unforeseen_is_an_incident_and_the_child_survives(home: Path) -> None:
    async with open_lane(home) as watcher:
        await works_again(watcher)
        pid = watcher.lane.state.pid
        with pytest.raises(Broken) as caught:
            await watcher.make(orders("raise"))
        assert "secret" not in str(caught.value)
        log = (home / "logs" / "worker.log").read_text()
        incident = caught.value.hint.split()[-1].rstrip(".")
        assert f"incident {incident}" in log
        assert "a secret detail" in log
        assert watcher.lane.state.resident == (), "nobody knows the state of that model"
        await works_again(watcher)
        assert watcher.lane.state.pid == pid


async def test_a_child_that_grew_is_recycled(home: Path) -> None:
    async with open_lane(home) as watcher:
        await works_again(watcher)
        pid, rss = watcher.lane.state.pid, watcher.lane.state.rss
        assert len(await watcher.make(orders("grow 1500"))) == 1
        assert watcher.lane.state.pid is None
        await works_again(watcher)
        assert watcher.lane.state.pid != pid
        assert watcher.lane.state.rss < rss + 200_000_000


async def test_nonsense_from_the_child_is_the_end_of_it(home: Path) -> None:
    """What a child that a stranger's weights have taken over might say."""
    async with open_lane(home) as watcher:
        for said in (
            "not JSON",
            '{"kind": "told", "batch": 1, "job": "job", "event": {"event": "Done", "ids": ["1"]}}',
            '{"kind": "told", "batch": 1, "job": "job", "event": {"event": "Loading", "card": 1}}',
            '{"kind": "spooled", "batch": 1, "order": "../../etc"}',
            '{"kind": "spooled", "batch": 1, "order": 7}',
            '{"kind": "beat", "progress": "' + "9" * 2_000_000 + '"}',
        ):
            with pytest.raises(Broken, match=r"nonsense|out of turn"):
                await watcher.make(orders(f"say {said}"))
            assert watcher.lane.state.pid is None
        await works_again(watcher)


async def test_a_child_whose_device_has_failed_is_replaced(home: Path) -> None:
    async with open_lane(home) as watcher:
        error = json.dumps(Broken().record())
        failed = f'{{"kind": "failed", "batch": 1, "error": {error}, "fatal": true}}'
        with pytest.raises(Broken, match="unforeseen"):
            await watcher.make(orders(f"say {failed}"))
        assert watcher.lane.state.pid is None
        await works_again(watcher)


def test_the_child_dies_with_its_host_even_in_a_busy_c_call(home: Path) -> None:
    host = textwrap.dedent(
        """
        import asyncio, sys
        from pathlib import Path
        from tests.worker.lanes import open_lane, orders

        async def main():
            async with open_lane(Path(sys.argv[1]), hang_seconds=60) as watcher:
                watcher.then = lambda *_: print(watcher.lane.state.pid, flush=True)
                await watcher.make(orders("hold"))

        asyncio.run(main())
        """
    )
    environment = {**os.environ, "PYTHONPATH": f"{Path.cwd()}:{PLUGIN}"}
    with subprocess.Popen(
        [sys.executable, "-c", host, str(home)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        process.kill()
    asyncio.run(until(lambda: gone(pid)))


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_the_child_has_no_secrets_no_network_and_a_group_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_TOKEN", "canary-token-of-this-studio")
    monkeypatch.setenv("OPENAI_API_KEY", "canary-key")
    monkeypatch.setenv("HF_TOKEN", "canary-hub")
    (home / "models").mkdir(parents=True)
    server = await asyncio.start_server(lambda _r, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        (home / "models" / "port").write_text(str(server.sockets[0].getsockname()[1]))
        async with open_lane(home, threads=1) as watcher:
            await watcher.make(orders("tell"))
            told = json.loads(watcher.events[-1][1].record()["text"])
            network = watcher.lane.state.network
    assert "canary" not in json.dumps(told)
    environment = told["environment"]
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["OMP_NUM_THREADS"] == "1"
    assert Path(environment["HOME"]).is_relative_to(home)
    assert told["reached"].keys() == {"127.0.0.1", "::1", "names"}
    assert set(told["reached"].values()) == {"the device child has no network"}
    assert told["session"]
    assert told["umask"] == 0o077
    assert network in ("namespace", "refusal")
    # What the state says is what holds: only the kernel's namespace stops a raw connection.
    assert told["raw connection"] == (network == "refusal")
