"""`studio bot`: the studio in a chat."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from importlib.util import find_spec
from pathlib import Path

import click

from studio.commands.log import keep_log
from studio.errors import Unavailable
from studio.remote import RemoteClient
from studio.settings import Settings


@click.group()
def bot() -> None:
    """Bring the studio into a chat."""


@bot.command()
@click.option("--server", metavar="URL", help="A studio elsewhere; unless named, this machine's.")
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file with the bot's token; discord.token in STUDIO_HOME unless named.",
)
def discord(server: str | None, token_file: Path | None) -> None:
    """Be the Discord bot, until Ctrl-C.

    A studio elsewhere wants its operator's token, in STUDIO_TOKEN or settings.toml.
    """
    require_discord()
    from bots.token import default_file, read_token

    settings = Settings.load()
    keep_log(settings.home)
    token = read_token(token_file or default_file(settings.home))
    click.echo("The Discord bot runs; Ctrl-C ends it. It logs to logs/studio.log.", err=True)
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(_run(settings, server, token))


def require_discord() -> None:
    """Pass where the extra `discord` is installed.

    Raises:
        Unavailable: where it is not.
    """
    if find_spec("discord") is None:
        raise Unavailable(
            "The Discord bot needs a package that is not installed.",
            hint="Run `scripts/install discord`.",
        )


async def _run(settings: Settings, server: str | None, token: str) -> None:
    from bots.serve import Attached, serve

    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is in a task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    public_url = settings.public_url or server or ""
    if server is None:
        async with Attached(settings.home) as here:
            await serve(here.client, settings.home, token, public_url=public_url)
        return
    operator = None if settings.token is None else settings.token.get_secret_value()
    async with RemoteClient(server.rstrip("/"), operator) as there:
        # Asked at once, so that a wrong address or token is said now and not at the first order.
        await there.queue()
        await serve(there.acting_for, settings.home, token, public_url=public_url)
