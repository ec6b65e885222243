"""The page of runs: a table or a recipe is begun here, watched, stopped and taken up again."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from studio.client import Client
from studio.errors import NotFound
from studio.fields import FieldSpec, Value
from studio.job import JobState
from studio.recipes import shipped
from studio.recipes.rows import Row, read
from studio.recipes.run import StepState
from studio.runs import Plan
from studio.tasks import TASKS
from studio.words import said, say
from ui import run_list
from ui.explain import explain
from ui.form import collect, component
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.run_list import Shown
from ui.tongue import language_of, later

#: Seconds between two looks at the runs.
_LOOK = 1.0
#: How many runs are listed, and how many rows of the one that is open.
_RUNS, _ROWS = 30, 100
#: How many of a run's failures are told in the list.
_FAILURES = 3
#: The most pictures that one contact sheet takes.
_ON_A_SHEET = 400


class RunsPage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        panel("runs-title", tag("h1", later("runs.title")) + tag("p", later("runs.how")))
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=2, min_width=300, elem_id="form"):
                said = panel("runs-said")
                self._table(said)
                self._recipes(said)
            with gr.Column(scale=3, min_width=300, elem_id="work"):
                told = panel("runs-told")
                shown = panel("runs", script="page.js")
        pages.load(self.keep_true, None, [shown], **QUIET)
        shown.click(self.act, None, [told], trigger_mode="multiple", **QUIET)

    def _table(self, said: gr.HTML) -> None:
        """Lay out what begins a table, or only checks it."""
        tasks = [(later(f"task.{task.id}.title", task.title), task.id) for task in TASKS.values()]
        panel("table-title", tag("h2", later("runs.table")) + tag("p", later("runs.table.how")))
        table = gr.File(label=later("runs.file"), type="filepath", elem_id="run-table")
        task = gr.Dropdown(tasks, value=tasks[0][1], label=later("make.task"), elem_id="run-task")
        skip = gr.Checkbox(label=later("runs.skip"), elem_id="run-skip")
        with gr.Row():
            check = gr.Button(later("runs.check"), elem_id="run-check")
            begin = gr.Button(later("runs.begin"), variant="primary", elem_id="run-begin")
        check.click(self.check, [table, task], [said], **QUIET)
        begin.click(self.begin, [table, task, skip], [said, table], **QUIET)

    def _recipes(self, said: gr.HTML) -> None:
        """Lay out the recipes; the form of the chosen one is made from its inputs."""
        panel("recipe-title", tag("h2", later("runs.recipe")) + tag("p", later("runs.recipe.how")))
        names = [
            (later(f"recipe.{name}.title", shipped.recipe(name).title), name)
            for name in shipped.names()
        ]
        chosen = gr.Dropdown(
            names, value=None, label=later("runs.recipe.which"), elem_id="run-recipe"
        )

        def fill(name: str | None, request: gr.Request) -> None:
            if name is None:
                return
            specs, language = shipped.recipe(name).specs(), language_of(request)
            # Its own place, so that the button keeps its, as on the page for making.
            with gr.Column():
                fields: list[Component] = [
                    component(_worded(name, spec, language), name, language=language)
                    for spec in specs
                ]
            press = say("runs.begin", language)
            start = gr.Button(press, variant="primary", elem_id="recipe-begin")

            async def cook(request: gr.Request, *entered: Any) -> Markup:
                return await self.cook(request, name, specs, entered)

            start.click(cook, fields, [said], **QUIET)

        gr.render([chosen], [chosen.change], show_progress="hidden")(fill)

    async def check(self, request: gr.Request, table: str | None, task: str) -> Markup:
        """Say what a table would make, and which of its rows are wrong; nothing is made."""
        language = language_of(request)
        try:
            plan = Plan(_stem(table), task=task, skip_bad=True, dry=True)
            return run_list.forecast(
                await self._clients(request).begin(plan, _rows(table)), language
            )
        except Exception as error:
            return explain(say("error.run", language), error)

    async def begin(
        self, request: gr.Request, table: str | None, task: str, skip: bool
    ) -> tuple[Markup, Any]:
        """Begin a table; its file is kept only if that failed."""
        language = language_of(request)
        try:
            plan = Plan(_stem(table), task=task, skip_bad=skip)
            begun = await self._clients(request).begin(plan, _rows(table))
        except Exception as error:
            return explain(say("error.run", language), error), gr.skip()
        Path(table or "").unlink(missing_ok=True)
        return run_list.begun(begun, language), None

    async def cook(
        self, request: gr.Request, name: str, specs: tuple[FieldSpec, ...], entered: tuple[Any, ...]
    ) -> Markup:
        """Begin a recipe once, with what its form holds."""
        client, language = self._clients(request), language_of(request)
        try:
            given: dict[str, Value] = {}
            for spec, value in zip(specs, collect(specs, entered).values(), strict=True):
                if value is not None:
                    brought = spec.media is not None
                    given[spec.name] = (
                        (await client.upload(Path(str(value)))).id if brought else value
                    )
            recipe = shipped.recipe(name)
            return run_list.begun(
                await client.begin(Plan(recipe.name, recipe=recipe), [Row(1, given)]), language
            )
        except Exception as error:
            return explain(say("error.run", language), error)

    async def keep_true(self, request: gr.Request) -> AsyncIterator[Any]:
        """Draw whenever there is news, for as long as the page is open."""
        before = None
        while True:
            drawn = await self._draw(request)
            # Gradio lets go of a closed page's handler at its next yield.
            yield gr.skip() if drawn == before else drawn
            before = drawn
            await asyncio.sleep(_LOOK)

    async def act(self, request: gr.Request, event: gr.EventData) -> Markup:
        """Do what a button beside a run says; `keep_true` alone draws what comes of it."""
        client, language = self._clients(request), language_of(request)
        told = Markup("")
        try:
            match event.action:
                case "stop":
                    await client.stop_run(event.id)
                case "resume":
                    await client.resume_run(event.id)
                case "redo":
                    run, place, step = event.id.split(" ", 2)
                    await client.redo(run, int(place), step)
                case "sheet":
                    await _order_sheet(client, event.id)
                    told = run_list.ordered(language)
        except Exception as error:
            told = explain(say("error.run", language), error)
        return told

    async def _draw(self, request: gr.Request) -> Markup:
        """What the page's address names, or else the newest runs.

        `/runs?run=ID&after=PLACE` is one run with its rows, `/runs?before=ID` are older runs.
        """
        client, language = self._clients(request), language_of(request)
        asked = request.query_params
        try:
            if "run" in asked:
                given = asked.get("after", "")
                after = int(given) if given.isdecimal() else -1
                lines = await client.lines(asked["run"], limit=_ROWS + 1, after=after)
                run = await client.run(asked["run"])
                shown = Shown(run, tuple(lines[:_ROWS]), after, len(lines) > _ROWS)
                return run_list.alone(shown, language, _ROWS)
            runs = await client.runs(limit=_RUNS + 1, before=asked.get("before"))
            listed = []
            for run in runs[:_RUNS]:
                failed = run.failed and await client.lines(
                    run.id, limit=_FAILURES, state=StepState.FAILED
                )
                listed.append(Shown(run, tuple(failed or ())))
            older = f"/runs?before={listed[-1].run.id}" if len(runs) > _RUNS else None
            return run_list.every(listed, language, older=older, newer="before" in asked)
        except Exception as error:
            return explain(say("error.run", language), error)


async def _order_sheet(client: Client, run: str) -> None:
    """Order one contact sheet of the first pictures that a run has made.

    As long as these are the same, it is the same sheet, unless that failed or was stopped.
    """
    pictures: list[tuple[str, str]] = []
    after = -1
    while len(pictures) < _ON_A_SHEET and (lines := await client.lines(run, after=after)):
        after = lines[-1].place
        for line in lines:
            caption = str(line.values.get("prompt") or line.place + 1)[:300]
            for artifact in line.artifacts:
                # One that was thrown away since is left out.
                with suppress(NotFound):
                    if (await client.artifact(artifact)).kind == "image":
                        pictures.append((artifact, caption))
    pictures = pictures[:_ON_A_SHEET]
    values: dict[str, Value] = {
        "images": [artifact for artifact, _ in pictures],
        "captions": [caption for _, caption in pictures],
        "title": (await client.run(run)).name[:200],
    }
    told = hashlib.sha256(json.dumps(values).encode()).hexdigest()
    job = await client.submit("contact-sheet", values, key=f"sheet-{run}-{told[:32]}")
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        await client.retry(job.id)


def _worded(recipe: str, spec: FieldSpec, language: str) -> FieldSpec:
    """An input of a recipe in `language`; those called like a field of a task have its words."""
    key = f"recipe.{recipe}.{spec.name}"
    return replace(
        spec,
        title=said(f"{key}.title", spec.title, language),
        description=said(f"{key}.description", spec.description, language),
    )


def _stem(table: str | None) -> str:
    return Path(table).stem if table else ""


def _rows(table: str | None) -> Iterable[Row]:
    """The rows of an uploaded table; media columns hold ids, for a path would be this machine's."""
    return read(Path(table)) if table else ()
