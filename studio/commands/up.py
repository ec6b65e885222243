"""`studio up`: the host, the page and the API in one process."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import socket
import sys
import webbrowser
from collections.abc import Iterator

import click
import uvicorn

from studio.api import create_app
from studio.cards import Embedded
from studio.commands.bot import require_discord
from studio.commands.log import keep_log
from studio.errors import Broken, StudioError, Unavailable
from studio.heap import trim
from studio.host import Host
from studio.settings import Settings
from studio.tasks import TASKS
from ui.app import mount

#: Options of mallopt(3), from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8

_LOG = logging.getLogger(__name__)


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on; 127.0.0.1 by default.")
@click.option("--port", type=int, help="Port to listen on; 7860 by default, 0 takes a free one.")
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option("--discord", "with_discord", is_flag=True, help="Be the Discord bot too.")
def up(host: str | None, port: int | None, open_page: bool, with_discord: bool) -> None:
    """Start the studio: its page and its API, until Ctrl-C."""
    given = {"host": host, "port": port}
    settings = Settings.load(**{name: value for name, value in given.items() if value is not None})
    keep_log(settings.home)
    _return_memory()
    bot_token = _bot_token(settings) if with_discord else None
    with _listen(settings) as listening:
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{name}:{listening.getsockname()[1]}"
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(settings, listening, url, open_page, bot_token))


async def _serve(
    settings: Settings,
    listening: socket.socket,
    url: str,
    open_page: bool,
    bot_token: str | None,
) -> None:
    async with Host(settings) as host:
        app = create_app(host)
        await mount(app, host.client, settings, app.state.gate.authenticate)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                # A watcher's stream never ends by itself.
                timeout_graceful_shutdown=3,
            )
        )
        # uvicorn ends on these, and then sends itself the signal again, which would end the
        # process before the host has closed.
        for ending in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(ending, lambda: None)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
        host.listens(url)
        beside = [asyncio.create_task(_warm(host))]
        if bot_token is not None:
            beside.append(asyncio.create_task(_bot(host, bot_token)))
        click.echo(f"Colophon is at {url}")
        click.echo("Ctrl-C ends it; jobs that are not done go on at the next start.", err=True)
        if open_page:
            webbrowser.open(url)
        await serving
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


def _bot_token(settings: Settings) -> str:
    require_discord()
    from bots.token import default_file, read_token

    return read_token(default_file(settings.home))


async def _bot(host: Host, token: str) -> None:
    """The Discord bot in this process; if it cannot go on, the studio does all the same."""
    try:
        from bots.serve import serve

        await serve(
            lambda owner: contextlib.nullcontext(host.client(owner)),
            host.settings.home,
            token,
            public_url=host.settings.public_url,
        )
    except StudioError as error:
        click.echo(f"The Discord bot ended: {error}", err=True)
    except Exception:
        # Nobody looks at this task before the studio ends.
        broken = Broken()
        _LOG.exception("incident %s", broken.incident)
        click.echo(f"The Discord bot ended: {broken}", err=True)


async def _warm(host: Host) -> None:
    """Load what a newcomer will ask for first, before they have asked, and settle down."""
    catalog = host.catalog
    try:
        card = catalog.for_task(next(iter(TASKS.values())))[0]
        # Large models are loaded when somebody wants them.
        if isinstance(card.studio.source, Embedded):
            await host.lanes[0].warm(card, catalog.folder(card), catalog.revision(card))
    except StudioError as error:
        # Whoever asks for it is told why.
        _LOG.warning("nothing was loaded ahead: %s", error)
    except Exception:
        # Nobody looks at this task before the studio ends.
        _LOG.exception("nothing was loaded ahead")
    # What building the pages needed and nobody needs again goes back to the system.
    trim()


def _return_memory() -> None:
    """Have freed memory go back to the system.

    The C library keeps what sealing a picture took, for every thread: measured after a dozen
    pictures, 300 MB instead of 255.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        for option, value in (
            (_TRIM_THRESHOLD, 128 << 10),
            (_MMAP_THRESHOLD, 128 << 10),
            (_ARENAS, 2),
        ):
            mallopt(option, value)


@contextlib.contextmanager
def _listen(settings: Settings) -> Iterator[socket.socket]:
    """The socket, before anything is loaded: a taken port is said at once."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol said outright: only then asyncio turns Nagle's algorithm off, which makes every
    # answer that is sent in two pieces wait 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    with contextlib.closing(listening):
        try:
            listening.bind((settings.host, settings.port))
        except OSError as error:
            raise Unavailable(
                f"{settings.host}:{settings.port} cannot be listened on: {error.strerror}.",
                hint="Another program has the port; choose one with --port, or 0 for a free one.",
            ) from None
        yield listening
