"""`studio up` as a person runs it: one process that others attach to, and no torch in it."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from studio.commands.up import _bot, _listen
from tests.cli.conftest import Shell, Up
from tests.hosts import fake_host, settings_for


def draft_of(shell: Shell, record: dict[str, Any]) -> str:
    """The draft's hash behind a finished file, as `studio verify` tells it."""
    [verdict] = shell.run("verify", record["path"], "--json").json
    ledger = next(layer for layer in verdict["layers"] if layer["name"] == "ledger")
    return str(ledger["details"]["draft_sha256"])


def test_the_page_and_the_api_answer(up: Up) -> None:
    assert "Colophon" in httpx.get(up.url).text
    assert httpx.get(f"{up.url}/api/v1/health").json()["status"] == "ok"


def test_the_host_holds_no_torch(up: Up, shell: Shell) -> None:
    shell.run("make", "imagine", "a green ring")
    libraries = Path(f"/proc/{up.process.pid}/maps").read_text(encoding="utf-8")
    assert "libtorch" not in libraries
    assert "_c2pa" in libraries or "c2pa" in libraries, "this would notice a library"


def test_a_command_attaches_and_makes_the_draft_that_a_lone_command_makes(
    up: Up, shell: Shell, tmp_path: Path
) -> None:
    order = ("make", "imagine", "a blue heart", "--seed", "3", "--json")
    [attached] = shell.run(*order).json
    assert httpx.get(f"{up.url}/api/v1/artifacts/{attached['id']}").status_code == 200
    alone = Shell(tmp_path / "home", tmp_path)
    [lone] = alone.run(*order).json
    assert draft_of(shell, attached) == draft_of(alone, lone)


def test_a_home_has_one_host(up: Up, shell: Shell) -> None:
    ran = shell.run("up", "--port", "0", status=69)
    assert up.url in ran.err


def test_a_network_address_needs_a_token(shell: Shell) -> None:
    ran = shell.run("up", "--host", "0.0.0.0", "--port", "0", status=77)
    assert "STUDIO_TOKEN" in ran.err


def test_a_taken_port_is_said(up: Up, tmp_path: Path) -> None:
    port = up.url.rpartition(":")[2]
    ran = Shell(tmp_path / "home", tmp_path).run("up", "--port", port, status=69)
    assert "--port" in ran.err


def test_no_answer_waits_for_the_acknowledgement_of_its_head(tmp_path: Path) -> None:
    async def accepted() -> int:
        nodelay: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accept(_: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
            taken = answer.get_extra_info("socket")
            nodelay.set_result(taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            answer.close()

        with _listen(settings_for(tmp_path, port=0)) as listening:
            async with await asyncio.start_server(accept, sock=listening):
                with socket.create_connection(listening.getsockname()[:2]):
                    return await nodelay

    assert asyncio.run(accepted())


def test_whatever_ends_the_bot_is_said_and_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    host, _ = fake_host(tmp_path)
    # No database can be opened there.
    (tmp_path / "discord.sqlite").mkdir()
    asyncio.run(_bot(host, "a.b.c"))
    (logged,) = (one for one in caplog.records if one.name == "studio.commands.up")
    assert logged.exc_info is not None
    said = capsys.readouterr().err
    assert said.startswith("The Discord bot ended: ")
    assert logged.getMessage().removeprefix("incident ") in said
