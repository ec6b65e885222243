"""DBOS, opened and closed: what keeps a job's workflow through whatever kills the host.

DBOS keeps one instance and one registry per process. That fact stays in this module: whoever opens
it takes the process's only place, and gives it back at the end.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from studio.errors import Unavailable

#: The name of the only kind of workflow there is.
WORKFLOW = "job"

#: Part of DBOS's address of a job. It never follows the code: an upgrade must not strand jobs.
_VERSION = "1"
#: Threads for the database. Each call is short.
_THREADS = 8

_THE_ONLY_PLACE = threading.Lock()

#: What a workflow runs: a job's record in, its outcome's record out.
Workflow = Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]]


@asynccontextmanager
async def durable(url: str, keep: Workflow) -> AsyncIterator[Workflow]:
    """DBOS on the database at the SQLAlchemy `url`; yields `keep` as a workflow of its own.

    Workflows that were not finished are begun again at once.

    Raises:
        Unavailable: if the database cannot be opened, or this process has one open.
    """
    if not _THE_ONLY_PLACE.acquire(blocking=False):
        raise Unavailable(
            "This process already runs a studio.", hint="Close it first, or attach to it."
        )
    try:
        yield await anyio.to_thread.run_sync(_launch, url, keep)
    except (DBAPIError, sqlite3.DatabaseError) as error:
        place = make_url(url).render_as_string(hide_password=True)
        why = error.orig if isinstance(error, DBAPIError) else error
        raise Unavailable(
            f"The job store {place} cannot be opened: {why}.",
            hint="Put back a copy of it, or move it away to start with an empty one; finished "
            "work is kept as files and stays.",
        ) from error
    finally:
        await anyio.to_thread.run_sync(lambda: DBOS.destroy(destroy_registry=True))
        # DBOS had lent the event loop its own threads, which are gone now.
        threads = ThreadPoolExecutor(thread_name_prefix="studio")
        asyncio.get_running_loop().set_default_executor(threads)
        _THE_ONLY_PLACE.release()


def _launch(url: str, keep: Workflow) -> Workflow:
    # A handler of any kind keeps DBOS from adding its own, which writes to the terminal.
    logging.getLogger("dbos").addHandler(logging.NullHandler())
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        Path(address.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(sqlite3.connect(address.database)) as file:
            # The file remembers. One wait for the disk at each commit in place of three.
            file.execute("PRAGMA journal_mode = WAL")
    DBOS(
        config=DBOSConfig(
            name="colophon",
            system_database_url=url,
            executor_id="host",
            application_version=_VERSION,
            serializer=DBOSPortableJSONSerializer(),
            log_level="ERROR",
            # A burst of orders would start a thread each, and they are never given back.
            max_executor_threads=_THREADS,
            # Nothing here waits for notifications: all this decides is how long closing takes.
            notification_listener_polling_interval_sec=0.1,
        )
    )

    # No limit to recoveries: DBOS counts claims, which are no fault of the job. The dispatcher
    # counts how often a worker really began it.
    workflow: Workflow = DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(keep)
    DBOS.launch()
    return workflow
