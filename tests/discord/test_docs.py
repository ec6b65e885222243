"""What `docs/discord.md` has people copy: the invite link, and the service."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import click
import discord
import pytest

from studio.__main__ import main

DOCUMENT = (Path(__file__).parents[2] / "docs" / "discord.md").read_text(encoding="utf-8")
UNIT = re.findall(r"```ini\n(.*?)```", DOCUMENT, re.DOTALL)[0]


def test_the_invite_link_asks_for_what_the_document_names_and_nothing_else() -> None:
    (link,) = re.findall(r"`(https://discord\.com/oauth2/authorize\S+)`", DOCUMENT)
    asked = {name: one for name, (one,) in parse_qs(urlsplit(link).query).items()}
    assert asked.pop("scope").split() == ["bot", "applications.commands"]
    assert asked.pop("client_id") == "ID"
    granted = discord.Permissions(int(asked.pop("permissions")))
    assert not asked
    assert {name for name, given in granted if given} == {
        "read_messages",
        "send_messages",
        "send_messages_in_threads",
        "create_public_threads",
        "embed_links",
        "attach_files",
        "read_message_history",
    }


def test_the_service_starts_a_command_that_there_is() -> None:
    unit = RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT)
    program, *words = unit["Service"]["ExecStart"].split()
    assert Path(program).name == "studio"
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None, word
        command = found


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_has_nothing_against_the_service(tmp_path: Path) -> None:
    service = tmp_path / "colophon-discord.service"
    # Where the document says, there is no studio on this machine.
    here = Path(sys.executable).with_name("studio")
    service.write_text(re.sub(r"(?<=ExecStart=)\S+", str(here), UNIT))
    checked = subprocess.run(
        ["systemd-analyze", "verify", service], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
