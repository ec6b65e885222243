"""The host: everything that one home needs, put together once.

One process is the host of a home at a time, by a lock. It keeps the jobs, seals the outputs, and
owns the child that owns the device; it never imports torch. Front ends get a `Client` from it, or
reach it over HTTP.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Self

import anyio
from filelock import FileLock, Timeout

from studio import attach
from studio.catalog import Catalog
from studio.conductor import Conductor
from studio.conversations import Conversations
from studio.dispatcher import Dispatcher
from studio.errors import Unavailable
from studio.hosted.lane import HostedLane
from studio.inputs import Inputs
from studio.local import LocalClient
from studio.looking import Looker
from studio.pace import Paces
from studio.presets import Presets
from studio.provenance import open_provenance
from studio.recipes.store import RunStore
from studio.settings import Settings
from studio.shelf import Shelf
from studio.users import Users
from studio.worker.machine import devices_of
from studio.worker.supervisor import Lane

if TYPE_CHECKING:
    from studio.jobs import JobStore

#: Seconds between looks for what has been kept long enough.
_SWEEP_SECONDS = 3600.0
_DAY = 24 * 3600

_LOG = logging.getLogger(__name__)


class Host:
    """One open home. Use it as `async with Host(settings) as host`."""

    def __init__(self, settings: Settings, *, lanes: Sequence[Lane] = ()) -> None:
        """A host for `settings.home`; `lanes` take the devices' place in tests."""
        self.settings = settings
        self.lanes = tuple(lanes) or tuple(
            Lane(settings, device, number)
            for number, device in enumerate(devices_of(settings.devices))
        )
        #: Where models run that do not run here; see `studio.hosted`.
        self.hosted = tuple(
            HostedLane(settings, name, provider, len(self.lanes) + place)
            for place, (name, provider) in enumerate(settings.providers.items())
        )
        #: What this machine's own commands and bots present; it may act for any owner.
        self.private_token = secrets.token_urlsafe(32)
        #: Where what is sent here lies until it is whole.
        self.incoming = settings.home / "incoming"
        #: Strangers' files are opened a few at a time: each takes a process and much memory.
        self.opening = anyio.CapacityLimiter(4)
        #: Held while something is said, so that what is said at once is said in turn.
        self.talking = asyncio.Lock()
        #: Another one each time: pages that were open before know by it that they must begin anew.
        self.boot = secrets.token_hex(4)

    async def __aenter__(self) -> Self:
        """Lock the home and open everything; jobs that were not finished go on.

        Raises:
            Unavailable: if another process is the home's host; the hint names it.
            InvalidRequest: if a model card is wrong.
        """
        async with AsyncExitStack() as stack:
            await anyio.to_thread.run_sync(self._lock, stack)
            # The database's libraries take as long as all others; meanwhile the rest is opened.
            importing = asyncio.create_task(anyio.to_thread.run_sync(import_module, "studio.jobs"))
            stack.callback(importing.cancel)
            self.catalog = await anyio.to_thread.run_sync(Catalog.open, self.settings)
            self.provenance = await anyio.to_thread.run_sync(open_provenance, self.settings)
            stack.callback(self.provenance.close)
            self.inputs = await anyio.to_thread.run_sync(
                Inputs,
                self.settings,
                self.provenance.store,
                self.provenance.verifier,
                self.provenance.consents,
            )
            # Whatever was still arriving when an earlier host ended is nobody's.
            shutil.rmtree(self.incoming, ignore_errors=True)
            self.incoming.mkdir(mode=0o700)
            self.shelf = Shelf(self.catalog.weights)
            self.users = await anyio.to_thread.run_sync(Users, self.settings.home / "users.json")
            self.presets = Presets(self.settings.home / "presets")
            self.secret = await anyio.to_thread.run_sync(_secret, self.settings.home)
            self.conversations = await anyio.to_thread.run_sync(
                Conversations, self.settings.home / "conversations.sqlite"
            )
            stack.callback(self.conversations.close)
            self.paces = await anyio.to_thread.run_sync(Paces, self.settings.home / "paces.sqlite")
            # Of lanes, too, that there were before and are no more.
            spool = self.settings.home / "spool"
            await anyio.to_thread.run_sync(lambda: shutil.rmtree(spool, ignore_errors=True))
            for lane in (*self.lanes, *self.hosted):
                await lane.start()
                stack.push_async_callback(lane.close)
            # The store hands jobs over as soon as it is open; they wait until there is a worker.
            jobs: type[JobStore] = (await importing).JobStore
            self.jobs = jobs(
                self.settings.jobs_url,
                run=lambda job: self.dispatcher.carry_out(job),
                settled=lambda job, outcome: self.dispatcher.settled(job, outcome),
            )
            self.dispatcher = Dispatcher(
                self.settings,
                self.catalog,
                (*self.lanes, *self.hosted),
                self.paces,
                self.provenance.sealer,
                self.provenance.store,
                self.provenance.texts,
                self.inputs,
                count=self.jobs.count,
            )
            await stack.enter_async_context(self.jobs)
            await stack.enter_async_context(self.dispatcher)
            self.looker = Looker(
                self.settings,
                self.catalog,
                self.lanes,
                self.provenance.store,
                self.inputs,
                preview=self.provenance.sealer.preview,
                busy=lambda: bool(self.dispatcher.queue()),
            )
            await stack.enter_async_context(self.looker)
            sweeping = asyncio.create_task(self._sweep(), name="sweep")
            stack.callback(sweeping.cancel)
            self.runs = await anyio.to_thread.run_sync(RunStore, self.settings.home / "runs.sqlite")
            stack.callback(self.runs.close)
            # Its clients need the open host; it lets go first, and what it ordered goes on.
            self.conductor = Conductor(
                self.runs,
                self.client,
                check=lambda owner, task, values: self.client(owner).check(task, values),
            )
            await stack.enter_async_context(self.conductor)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything; unfinished jobs stay stored, and go on with the next host."""
        await self._stack.aclose()

    def client(self, owner: str) -> LocalClient:
        """The studio as `owner` sees it."""
        return LocalClient(self, owner)

    def listens(self, url: str) -> None:
        """Let other commands on this machine attach to this host at `url`."""
        attach.announce(self.settings.home, url, self.private_token)

    async def _sweep(self) -> None:
        """Remove uploads that nobody uses, old jobs, and what is long in the bin, now and then."""
        while True:
            for sweep in (self._sweep_uploads, self._sweep_bin, self._sweep_jobs):
                try:
                    await sweep()
                except Exception as error:
                    _LOG.error("sweeping failed, and is tried again later", exc_info=error)
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _sweep_uploads(self) -> None:
        unfinished = await self.jobs.unfinished()
        await anyio.to_thread.run_sync(self.inputs.sweep, time.time(), unfinished)

    async def _sweep_bin(self) -> None:
        kept_since = time.time() - self.settings.bin_days * _DAY
        await anyio.to_thread.run_sync(self.provenance.store.empty, kept_since)

    async def _sweep_jobs(self) -> None:
        await self.jobs.forget(time.time() - self.settings.jobs_days * _DAY)

    def _lock(self, stack: AsyncExitStack) -> None:
        home = self.settings.home
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(home / "host.lock", mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise _taken(home) from None
        stack.callback(lock.release)
        attach.announce(home)
        stack.callback(attach.withdraw, home)


def _taken(home: Path) -> Unavailable:
    running = attach.find(home)
    if running is None:
        who, hint = "another process", "Try again in a moment."
    elif running.url is None:
        who, hint = f"process {running.pid}", "Wait until it is done, or end it."
    else:
        who = f"process {running.pid} at {running.url}"
        hint = f"Open {running.url}, or end that process first."
    return Unavailable(f"{home} is in use by {who}.", hint=hint, retry=True)


def _secret(home: Path) -> bytes:
    """The installation's own 32 random bytes, from which the ids of keyed orders are derived."""
    place = home / "jobs.secret"
    if not place.exists():
        fresh = place.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
        fresh.rename(place)
    return place.read_bytes()
