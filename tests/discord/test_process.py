"""The bot as a process: its token, its lock, its sign of life, and what the doctor says of it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from pathlib import Path

import pytest

from bots import checkup
from bots.health import last_sign
from bots.token import Redacting, default_file, read_token
from studio import attach
from studio.checkup import Finding
from studio.errors import InvalidRequest, NotFound, Refused
from tests.discord import bot_process
from tests.discord.fake import ADA, FakeDiscord, Fault
from tests.discord.test_kills import studio
from tests.hosts import until


def kept(folder: Path, token: str, mode: int = 0o600) -> Path:
    file = folder / "discord.token"
    file.write_text(token)
    file.chmod(mode)
    return file


def lose(discord: FakeDiscord, *path: str) -> None:
    """Have Discord know nothing of a command, or of one of its subcommands."""
    commands = discord.commands
    for name in path[:-1]:
        commands = next(one for one in commands if one["name"] == name)["options"]
    commands[:] = [one for one in commands if one["name"] != path[-1]]


def test_a_token_is_read_from_a_private_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_token(kept(tmp_path, "a.b-c.d_e\n")) == "a.b-c.d_e"
    with pytest.raises(Refused, match="Others"):
        read_token(kept(tmp_path, "a.b.c", 0o640))
    with pytest.raises(InvalidRequest, match="no Discord token") as refused:
        read_token(kept(tmp_path, "hunter2"))
    assert "hunter2" not in str(refused.value)
    with pytest.raises(NotFound):
        read_token(tmp_path / "nowhere")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/bot")
    assert default_file(tmp_path) == Path("/run/credentials/bot/discord.token")


def test_no_token_is_ever_logged(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("discord.http")
    caplog.handler.addFilter(redacting := Redacting("a.b.c"))
    try:
        raise OSError("PATCH /webhooks/1000/secret/messages with a.b.c")
    except OSError:
        log.exception("POST https://discord.com/api/v10/interactions/12/%s/callback", "secret")
    caplog.handler.removeFilter(redacting)
    assert "interactions/12/…/callback" in caplog.text
    assert "secret" not in caplog.text
    assert "a.b.c" not in caplog.text


def test_one_bot_at_a_time_says_how_it_is_and_the_doctor_reads_it(tmp_path: Path) -> None:
    async def scene() -> None:
        home = tmp_path / "home"
        async with studio(home), FakeDiscord() as discord:
            assert list(await asyncio.to_thread(lambda: list(checkup.examine(home)))) == []
            process = await bot_process.start(discord, home)
            await until(lambda: (last_sign(home / "run/discord.json") or process) is not process)
            sign = last_sign(home / "run/discord.json")
            assert sign is not None
            assert sign.pid == process.pid

            with discord.instead():
                found = await asyncio.to_thread(lambda: list(checkup.examine(home)))
            names = {one.name: one.state for one in found}
            assert names["discord token"] == names["discord intents"] == "ok"
            assert names["discord commands"] == "ok"
            for path in (("verify",), ("me", "erase"), ("Describe",)):
                lose(discord, *path)
            with discord.instead():
                found = await asyncio.to_thread(lambda: list(checkup.examine(home)))
            (told,) = (one for one in found if one.name == "discord commands")
            assert told.state == "note"
            assert told.message.endswith(": Describe, me erase, verify")

            arguments = ("-m", "tests.discord.bot_process", discord.api, discord.gateway.address)
            second = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                *("bot", "discord"),
                env={**os.environ, "STUDIO_HOME": str(home)},
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await second.communicate()
            assert b"runs already" in said
            assert second.returncode == 69

            process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) == 0
            assert last_sign(home / "run/discord.json") is None

            discord.faults.append(Fault("GET", "/users/@me", 401))
            with discord.instead():
                found = await asyncio.to_thread(lambda: list(checkup.examine(home)))
            assert found[0] == Finding("discord token", "wrong", found[0].message, found[0].mend)
            log = (home / "logs" / "studio.log").read_text()
            assert "a.b.c" not in log

    asyncio.run(scene())


def test_the_sign_of_life_is_plain_json(tmp_path: Path) -> None:
    file = tmp_path / "discord.json"
    assert last_sign(file) is None
    file.write_text(json.dumps({"pid": 1}))
    assert last_sign(file) is None


def test_a_bot_on_another_machine_speaks_for_everybody(tmp_path: Path) -> None:
    async def scene() -> None:
        async with studio(tmp_path / "studio", token="an operator's token") as host:
            url = (attach.find(host.settings.home) or attach.Running(0, 0)).url or ""
            async with FakeDiscord() as discord:
                home = tmp_path / "elsewhere"
                home.mkdir()
                process = await bot_process.start(
                    discord,
                    home,
                    "bot",
                    "discord",
                    "--server",
                    url,
                    STUDIO_TOKEN="an operator's token",
                )
                order = await discord.slash("imagine", prompt="x", model="noise", count=1)
                file = (await order.files(1))[0]
                jobs = await host.client(f"discord:{ADA.id}").jobs()
                path = await host.client(f"discord:{ADA.id}").fetch(jobs[0].artifacts[0])
                assert discord.messages.file(file) == path.read_bytes()
                process.terminate()
                await process.wait()

    asyncio.run(scene())


def test_a_studio_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async def scene() -> None:
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        async with FakeDiscord() as discord:
            process = await bot_process.start(discord, home)
            order = await discord.slash("imagine", prompt="x", model="noise", count=1)
            await order.says("does not run at the moment")
            async with studio(home):
                await order.files(1)
            process.terminate()
            await process.wait()

    asyncio.run(scene())


@pytest.mark.starter
def test_a_studio_is_its_own_bot(tmp_path: Path) -> None:
    async def scene() -> None:
        home = tmp_path / "home"
        home.mkdir(mode=0o700)
        async with FakeDiscord() as discord:
            process = await bot_process.start(
                discord, home, "up", "--discord", "--port", "0", STUDIO_DEVICES="cpu"
            )
            queue = await discord.slash("queue")
            await queue.says("Nothing waits")
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 30) == 0

    asyncio.run(scene())
