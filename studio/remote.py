"""The client over HTTP: the same verbs, against a host in another process."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from copy import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import anyio
import httpx
from pydantic import TypeAdapter

from studio.cards import Card, StudioBlock
from studio.checkup import Finding
from studio.errors import Broken, NotFound, StudioError, Unavailable
from studio.fields import FieldSpec, Value, fields_of
from studio.files import companion_of
from studio.fitting import Fit
from studio.imports import Survey, Wish
from studio.job import Event, Job
from studio.presets import Preset
from studio.protocol import LOCAL, Client, Model, Place
from studio.provenance.verdict import Layer, Outcome, Verdict
from studio.remote_consent import RemoteConsent
from studio.remote_gallery import RemoteGallery
from studio.remote_runs import RemoteRuns
from studio.remote_talk import RemoteTalk
from studio.shelf import Download
from studio.tasks import find_task
from studio.uploads import Upload
from studio.worker.report import LaneState

#: Seconds without a byte after which the host counts as gone; streams say something every 15.
_SILENCE = 60.0
#: Calls that are answered once the host has listened, looked at a whole film, or read a table: it
#: says nothing meanwhile.
_PATIENT = (("POST", "consents"), ("POST", "verify"), ("POST", "runs"))
#: Who waits for those asks below HTTP whether the other machine is still there: in seconds, after
#: how long, how often, and how many unanswered askings are the end.
_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
        if hasattr(socket, name)
    ),
]

_PLACES = TypeAdapter(list[Place])
_DEVICES = TypeAdapter(list[LaneState])
_FITS = TypeAdapter(list[Fit])
_SURVEY = TypeAdapter(Survey)
_DOWNLOADS = TypeAdapter(dict[str, Download])


class RemoteClient(RemoteGallery, RemoteRuns, RemoteTalk, RemoteConsent, Client):
    """One owner's view of the host at `url`. Open it with `async with`."""

    def __init__(self, url: str, token: str | None = None, *, owner: str = LOCAL) -> None:
        """`token` is the host's private one, which may name an `owner`, or its operator's."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._owner = owner
        # No proxies: what the environment says of them is not meant for one's own studio.
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api/v1/",
            headers=headers,
            timeout=_SILENCE,
            transport=httpx.AsyncHTTPTransport(trust_env=False, socket_options=_ALIVE),
        )

    async def __aenter__(self) -> Self:
        self._files = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of the host, and of the files that were fetched from it."""
        await self._http.aclose()
        await anyio.to_thread.run_sync(shutil.rmtree, self._files)

    @asynccontextmanager
    async def acting_for(self, owner: str) -> AsyncIterator[RemoteClient]:
        """The same host as `owner` sees it, over the same connections.

        Files that are fetched meanwhile are gone afterwards.
        """
        other = copy(self)
        other._owner = owner
        other._files = Path(await anyio.to_thread.run_sync(tempfile.mkdtemp))
        try:
            yield other
        finally:
            await anyio.to_thread.run_sync(shutil.rmtree, other._files)

    async def submit(
        self,
        task: str,
        values: Mapping[str, Value],
        *,
        key: str | None = None,
        priority: int = 0,
    ) -> Job:
        record = await self._json(
            "POST",
            find_task(task).id,
            json=dict(values),
            params={"priority": priority},
            headers={} if key is None else {"Idempotency-Key": key},
        )
        return Job.from_record(record)

    async def job(self, job: str) -> Job:
        return Job.from_record(await self._json("GET", f"jobs/{_part(job)}"))

    async def jobs(self, *, limit: int = 50, before: str | None = None) -> list[Job]:
        return [Job.from_record(one) for one in await self._page("jobs", limit, before)]

    async def queue(self) -> list[Place]:
        return _PLACES.validate_python(await self._json("GET", "queue"))

    async def events(self, job: str) -> AsyncIterator[Event]:
        async with self._send("GET", f"jobs/{_part(job)}/events") as response:
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    event = Event.from_record(json.loads(line.removeprefix("data: ")))
                    yield event
                    if event.last:
                        return
        raise _gone()

    async def cancel(self, job: str) -> Job:
        return Job.from_record(await self._json("DELETE", f"jobs/{_part(job)}"))

    async def retry(self, job: str) -> Job:
        return Job.from_record(await self._json("POST", f"jobs/{_part(job)}/retry"))

    async def move(self, job: str, before: str | None = None) -> Job:
        params = {} if before is None else {"before": before}
        return Job.from_record(await self._json("POST", f"jobs/{_part(job)}/move", params=params))

    async def upload(self, path: Path, *, name: str | None = None) -> Upload:
        try:
            file = await anyio.to_thread.run_sync(path.open, "rb")
        except OSError as error:
            raise NotFound(
                f"This file cannot be read: {error.strerror}.",
                hint="Check its name and its permissions.",
            ) from None
        with file:
            record = await self._json("POST", "uploads", files={"file": (name or path.name, file)})
        return Upload.from_record(record)

    async def verify(self, path: Path) -> Verdict:
        companion = companion_of(path)
        with ExitStack() as opened:
            file = opened.enter_context(await anyio.to_thread.run_sync(path.open, "rb"))
            files = {"file": (path.name, file)}
            if companion:
                files["manifest"] = (companion.name, opened.enter_context(companion.open("rb")))
            record = await self._json("POST", "verify", files=files)
        layers = tuple(Layer(**layer) for layer in record["layers"])
        return Verdict(str(path), Outcome(record["verdict"]), record["sentence"], layers)

    async def cards(self) -> list[Model]:
        return [
            Model(
                Card(
                    one["name"],
                    StudioBlock.model_validate(one["studio"]),
                    one["metadata"],
                    one["prose"],
                ),
                one["installed"],
                {group: tuple(words) for group, words in one["vocabulary"].items()},
                one["download"] and Download(**one["download"]),
            )
            for one in await self._json("GET", "models")
        ]

    async def get_model(self, name: str) -> None:
        await self._json("PUT", f"models/{_part(name)}/weights")

    async def stop_model(self, name: str) -> None:
        await self._json("DELETE", f"models/{_part(name)}/download")

    async def remove_model(self, name: str) -> None:
        await self._json("DELETE", f"models/{_part(name)}/weights")

    async def survey(self, path: Path, *, base: str | None = None) -> Survey:
        params = {"path": str(path)} | ({} if base is None else {"base": base})
        return _SURVEY.validate_python(await self._json("GET", "survey", params=params))

    async def import_model(
        self,
        path: Path,
        *,
        name: str | None = None,
        base: str | None = None,
        copy: bool = False,
        licence: str = "other",
    ) -> str:
        wish = Wish(str(path), name, base, copy, licence)
        return str((await self._json("POST", "imports", json=asdict(wish)))["name"])

    async def imports(self) -> dict[str, Download]:
        return _DOWNLOADS.validate_python(await self._json("GET", "imports"))

    async def presets(self) -> list[Preset]:
        return [Preset(**one) for one in await self._json("GET", "presets")]

    async def save_preset(self, preset: Preset) -> None:
        await self._json("POST", "presets", json=asdict(preset))

    async def delete_preset(self, name: str) -> None:
        await self._json("DELETE", "presets", params={"name": name})

    async def examine(self) -> list[Finding]:
        return [Finding(**one) for one in await self._json("GET", "doctor")]

    async def users(self) -> list[str]:
        return list(await self._json("GET", "users"))

    async def add_user(self, name: str) -> str:
        return str((await self._json("POST", "users", json={"name": name}))["token"])

    async def remove_user(self, name: str) -> None:
        async with self._send("DELETE", f"users/{_part(name)}"):
            pass

    async def fields(self, task: str, model: str | None = None) -> tuple[FieldSpec, ...]:
        found = find_task(task)
        if model is None:
            return fields_of(found.request)
        for one in await self.cards():
            if one.card.name == model:
                return one.card.fields(found)
        raise NotFound(f"There is no model called {model!r}.")

    async def devices(self) -> list[LaneState]:
        return _DEVICES.validate_python(await self._json("GET", "devices"))

    async def fit(self, model: str | None = None) -> list[Fit]:
        params = {} if model is None else {"model": model}
        return _FITS.validate_python(await self._json("GET", "fit", params=params))

    async def _page(self, path: str, limit: int, before: str | None) -> Any:
        params: dict[str, str | int] = {"limit": limit}
        if before is not None:
            params["before"] = before
        return await self._json("GET", path, params=params)

    async def _json(self, method: str, path: str, **options: Any) -> Any:
        async with self._send(method, path, **options) as response:
            return json.loads(await response.aread())

    @asynccontextmanager
    async def _send(self, method: str, path: str, **options: Any) -> AsyncIterator[httpx.Response]:
        """The response, if it is a good one; else the error that it carries is raised."""
        options["headers"] = {"X-Studio-Owner": self._owner, **options.get("headers", {})}
        if (method, path) in _PATIENT:
            options["timeout"] = httpx.Timeout(_SILENCE, read=None)
        if self._http.is_closed:
            # By whoever found that the host is another one now; to httpx it is a programming error.
            raise _gone()
        try:
            async with self._http.stream(method, path, **options) as response:
                if response.is_error:
                    await response.aread()
                    raise _error(response)
                yield response
        except httpx.TransportError as error:
            raise _gone() from error


def _part(name: str) -> str:
    """`name` as one part of a path, whatever it holds."""
    return quote(name, safe="")


def _gone() -> Unavailable:
    return Unavailable(
        "The studio that was running does not answer any more.",
        hint="Its jobs are safe. Start it again with `studio up`.",
        retry=True,
    )


def _error(response: httpx.Response) -> StudioError:
    try:
        return StudioError.from_record(response.json())
    except (ValueError, KeyError, TypeError):
        return Broken(f"The host answered with status {response.status_code}.")
