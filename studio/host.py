"""The host: everything that one home needs, put together once.

One process is the host of a home at a time, by a lock. It keeps the jobs, seals the outputs, and
owns the child that owns the device; it never imports torch. Front ends get a `Client` from it, or
reach it over HTTP.
"""

from __future__ import annotations

import os
import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import anyio
from filelock import FileLock, Timeout

from studio import attach
from studio.cards import Catalog
from studio.dispatcher import Dispatcher
from studio.errors import Unavailable
from studio.jobs import JobStore
from studio.local import LocalClient
from studio.provenance import open_provenance
from studio.settings import Settings
from studio.worker.supervisor import Lane


class Host:
    """One open home. Use it as `async with Host(settings) as host`."""

    def __init__(self, settings: Settings, *, lane: Lane | None = None) -> None:
        """A host for `settings.home`; `lane` takes the device's place in tests."""
        self.settings = settings
        self.lane = lane or Lane(settings)
        #: What this machine's own commands and bots present; it may act for any owner.
        self.private_token = secrets.token_urlsafe(32)

    async def __aenter__(self) -> Self:
        """Lock the home and open everything; jobs that were not finished go on.

        Raises:
            Unavailable: if another process is the home's host; the hint names it.
            InvalidRequest: if a model card is wrong.
        """
        async with AsyncExitStack() as stack:
            await anyio.to_thread.run_sync(self._lock, stack)
            self.catalog = await anyio.to_thread.run_sync(Catalog.open, self.settings)
            self.provenance = await anyio.to_thread.run_sync(open_provenance, self.settings)
            stack.callback(self.provenance.close)
            self.secret = await anyio.to_thread.run_sync(_secret, self.settings.home)
            await self.lane.start()
            stack.push_async_callback(self.lane.close)
            # The store hands jobs over as soon as it is open; they wait until there is a worker.
            self.jobs = JobStore(
                self.settings.jobs_url,
                run=lambda job: self.dispatcher.carry_out(job),
                settled=lambda job, outcome: self.dispatcher.settled(job, outcome),
            )
            self.dispatcher = Dispatcher(
                self.settings,
                self.catalog,
                self.lane,
                self.provenance.sealer,
                self.provenance.store,
                count=self.jobs.count,
            )
            await stack.enter_async_context(self.jobs)
            await stack.enter_async_context(self.dispatcher)
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
