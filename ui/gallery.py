"""The page of everything that was made: finding it, keeping it in order, using it again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr
from markupsafe import Markup
from pydantic import ValidationError

from studio.artifact import Artifact
from studio.client import Client, Model
from studio.errors import InvalidRequest, NotFound, StudioError
from studio.gallery import Contents, Filter, Lineage
from studio.provenance.verdict import Verdict
from studio.words import ENGLISH, say
from ui import gallery_detail, gallery_grid
from ui.explain import as_studio_error
from ui.page import QUIET, Clients, panel
from ui.show import read
from ui.tongue import language_of

#: Artifacts on one page of the grid.
PAGE = 48


@dataclass
class Showing:
    """What one open gallery shows. Mutable: one page's handlers share it."""

    where: Filter = field(default_factory=Filter)
    #: Whether the search is by what pictures show; and the artifact that they are to look like.
    meaning: bool = False
    like: str = ""
    #: How many pictures a search of that sort could not look through yet.
    unseen: int = 0
    #: The page of artifacts that is shown, and whether older ones follow.
    artifacts: Sequence[Artifact] = ()
    older: bool = False
    #: For every page gone through, the last artifact of the page before; the newest has none.
    trail: list[str | None] = field(default_factory=lambda: [None])
    contents: Contents | None = None
    models: Mapping[str, Model] = field(default_factory=dict)
    #: Which are ticked, on this page and on those gone through.
    selected: dict[str, Artifact] = field(default_factory=dict)
    #: The one whose details are shown.
    detail: Artifact | None = None
    #: What it says, if it is a text.
    text: str = ""
    lineage: Lineage | None = None
    verdict: Verdict | StudioError | None = None
    #: The two that are compared.
    compared: tuple[Artifact, ...] = ()
    #: What was just thrown away, for as long as that can be undone with one press.
    thrown: tuple[str, ...] = ()
    #: Where the studio is, as whoever looks reaches it.
    url: str = ""
    language: str = ENGLISH
    problem: StudioError | None = None
    #: Held by whatever changes this: people press the next button before the last is done.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def say(self, key: str, /, **values: object) -> str:
        """The sentence called `key` in the language of whoever looks."""
        return say(key, self.language, **values)

    @property
    def address(self) -> str:
        """Where one finds what is shown again."""
        if self.detail:
            return f"/gallery?show={self.detail.id}"
        asked = self.where.model_dump(exclude_defaults=True)
        asked |= {"meaning": "true"} if self.meaning else {}
        asked |= {"like": self.like} if self.like else {}
        return "/gallery" + (f"?{urlencode(asked)}" if asked else "")


class GalleryPage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        showing = gr.State(Showing())
        parts = [
            panel(name, script="gallery.js")
            for name in ("gallery-bar", "gallery-picked", "gallery")
        ]
        pages.load(self.arrive, [showing], parts, **QUIET)
        for drawn in parts:
            drawn.click(self.act, [showing], parts, trigger_mode="multiple", **QUIET)

    async def arrive(self, request: gr.Request, showing: Showing) -> tuple[Markup, ...]:
        """Show what the page's address asks for."""
        client = self._clients(request)
        showing.language = language_of(request)
        showing.url = str(request.request.base_url)
        try:
            showing.models = {model.card.name: model for model in await client.cards()}
            await _go(client, showing, dict(request.query_params))
        except Exception as error:
            showing.problem = as_studio_error(error)
        return gallery_grid.bar(showing), gallery_grid.picked(showing), _drawn(showing)

    async def act(
        self, request: gr.Request, event: gr.EventData, showing: Showing
    ) -> tuple[Any, ...]:
        """Do what was pressed, ticked, chosen or typed."""
        client = self._clients(request)
        async with showing.turn:
            showing.problem = None
            bar = gallery_grid.bar(showing)
            try:
                await _do(client, showing, event.action, event.id or "", event.value or "")
            except Exception as error:
                showing.problem = as_studio_error(error)
            after = gallery_grid.bar(showing)
            # Whoever is typing a search keeps the field that they type in, and whoever is ticking
            # keeps the ticks, however quickly they go on.
            return (
                gr.skip() if event.action == "search" or after == bar else after,
                gallery_grid.picked(showing),
                gr.skip() if event.action == "select" and not showing.problem else _drawn(showing),
            )


def _drawn(showing: Showing) -> Markup:
    if showing.compared:
        return gallery_grid.compared(showing)
    return gallery_detail.detail(showing) if showing.detail else gallery_grid.grid(showing)


async def _do(client: Client, showing: Showing, action: str, target: str, value: str) -> None:
    """Carry out one action of the page; `target` is an artifact, a field, or nothing."""
    match action:
        case "go":
            await _go(client, showing, dict(parse_qsl(target.lstrip("?"))))
        case "search":
            await _narrow(client, showing, {"search": value})
        case "meaning":
            showing.meaning = bool(value)
            await _narrow(client, showing, {})
        case "like":
            await _go(client, showing, {"like": target})
        case "filter":
            await _narrow(client, showing, {target: value or None})
        case "clear":
            await _go(client, showing, {})
        case "older" | "newer":
            if action == "older":
                showing.trail.append(showing.artifacts[-1].id)
            else:
                showing.trail.pop()
            await _look(client, showing)
        case "open":
            await _open(client, showing, target)
        case "back":
            showing.detail, showing.compared = None, ()
            await _look(client, showing)
        case "verify":
            try:
                showing.verdict = await client.verify(await client.fetch(target))
            except Exception as error:
                showing.verdict = as_studio_error(error)
        case "select":
            ticked = value.split(",")
            for one in showing.artifacts:
                showing.selected.pop(one.id, None)
            showing.selected |= {one.id: one for one in showing.artifacts if one.id in ticked}
        case "select-none":
            showing.selected.clear()
        case "compare":
            showing.compared = tuple(showing.selected.values())[:2]
        case _:
            await _change(client, showing, action, target, value)
            if showing.detail:
                await _open(client, showing, showing.detail.id)
            await _look(client, showing)


async def _change(client: Client, showing: Showing, action: str, target: str, value: str) -> None:
    """Carry out what changes something in the studio."""
    # One artifact by its own buttons, or all that are ticked.
    ids = [target] if target else list(showing.selected)
    collection = showing.where.collection or ""
    match action:
        case "star":
            for one in ids:
                await client.star(one, value != "off")
        case "tag":
            await client.tag(target, [tag for tag in value.split(",") if tag.strip()])
        case "delete":
            for one in ids:
                await client.delete(one)
                showing.selected.pop(one, None)
            showing.thrown, showing.detail = tuple(ids), None
        case "undo" | "restore":
            for one in showing.thrown if action == "undo" else ids:
                await client.restore(one)
                showing.selected.pop(one, None)
            showing.thrown = ()
        case "collect":
            name = " ".join(value.split())
            known = {one.name: one for one in (await client.contents()).collections}
            chosen = known.get(name) or await client.create_collection(name)
            await client.collect(chosen.id, ids)
        case "uncollect":
            await client.uncollect(collection, ids)
        case "rename":
            await client.rename_collection(collection, value)
        case "forget":
            await client.delete_collection(collection)
            showing.where = Filter()
            showing.trail = [None]


async def _go(client: Client, showing: Showing, asked: dict[str, str]) -> None:
    """Show what an address asks for."""
    showing.detail, showing.compared, showing.thrown = None, (), ()
    shown = asked.pop("show", None)
    known = {name: value for name, value in asked.items() if name in Filter.model_fields}
    showing.where = Filter()
    showing.meaning, showing.like = bool(asked.get("meaning")), asked.get("like", "")
    await _narrow(client, showing, known)
    if shown is not None:
        artifacts, showing.artifacts = showing.artifacts, ()
        # What cannot be shown leaves the page empty but for the reason.
        await _open(client, showing, shown)
        showing.artifacts = artifacts


async def _narrow(client: Client, showing: Showing, changes: Mapping[str, str | None]) -> None:
    """Show what the filter lets through with these changes, from its newest on."""
    try:
        showing.where = Filter.model_validate(showing.where.model_dump() | _values(changes))
    except ValidationError:
        raise InvalidRequest(
            "The gallery cannot be asked for that.", hint="Clear the filters and begin anew."
        ) from None
    showing.trail, showing.detail, showing.compared = [None], None, ()
    showing.selected.clear()
    await _look(client, showing)


def _values(changes: Mapping[str, str | None]) -> dict[str, Any]:
    """What a form says, where nothing stands for the filter's own default."""
    return {
        name: Filter.model_fields[name].default if value is None else value
        for name, value in changes.items()
        if name in Filter.model_fields
    }


async def _open(client: Client, showing: Showing, artifact: str) -> None:
    if showing.detail is None or showing.detail.id != artifact:
        showing.verdict = None
    showing.detail = None
    showing.detail = await client.artifact(artifact)
    showing.text = await read(client, showing.detail)
    showing.lineage = await client.lineage(artifact)


async def _look(client: Client, showing: Showing) -> None:
    """Read the page that is shown, and what there is besides."""
    showing.contents = await client.contents()
    showing.unseen = 0
    words = showing.where.search if showing.meaning else ""
    if showing.like or words.strip():
        where = showing.where.model_copy(update={"search": ""}) if words else showing.where
        told = await (
            client.search(where, like=showing.like, limit=PAGE)
            if showing.like
            else client.search(where, meaning=words, limit=PAGE)
        )
        # What comes after the nearest is hardly near; there is one page of them.
        showing.artifacts, showing.older = [one.artifact for one in told.found], False
        showing.unseen = told.unseen
        return
    try:
        found = await client.artifacts(showing.where, limit=PAGE + 1, before=showing.trail[-1])
    except NotFound:
        # What the page began after is gone for ever: begin at the newest.
        showing.trail = [None]
        found = await client.artifacts(showing.where, limit=PAGE + 1)
    showing.artifacts, showing.older = found[:PAGE], len(found) > PAGE
