"""The page on which people make things: a form from the task's fields, and all their work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from studio.client import Client, Model
from studio.fields import FieldSpec
from studio.tasks import TASKS
from ui import draw
from ui.explain import as_studio_error, explain
from ui.form import can_choose, collect, component
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.view import View, watch
from ui.words import say

#: On a phone the work lies below the form: go there, unless there is something to mend first.
_SHOW_WORK = """() => {
  const work = document.querySelector("#work");
  const below = work.getBoundingClientRect().top > innerHeight / 2;
  if (below && !document.querySelector("#problem .banner")) work.scrollIntoView();
}"""


@dataclass(frozen=True, eq=False)
class Form:
    """Which form is shown. Compared by identity, so that Gradio takes each new one as a change."""

    task: str
    #: The fields in which there is something to choose.
    specs: tuple[FieldSpec, ...]
    #: What the model's menu offers, as (label, name).
    models: tuple[tuple[str, str], ...]


class MakePage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        view, form = gr.State(View()), gr.State()
        tasks = [(task.title, task.id) for task in TASKS.values()]
        script = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=2, min_width=300, elem_id="form"):
                # One task needs no choosing.
                task = gr.Radio(
                    tasks,
                    value=tasks[0][1],
                    label=say("make.task"),
                    elem_id="task",
                    visible=len(tasks) > 1,
                )
                fields = gr.Column(elem_id="fields")
            with gr.Column(scale=3, min_width=300, elem_id="work"):
                panel("work-title", tag("h2", say("work.title")))
                unfinished = panel("work-unfinished", script=script)
                finished = panel("work-finished", script=script)
        work = [unfinished, finished]

        with fields:

            def fill(shown: Form) -> None:
                self._fields(shown, form, view, work)

            gr.render([form], [form.change], show_progress="hidden")(fill)

        gr.on([pages.load, task.input], self.choose, [task], [form], **QUIET)
        pages.load(self.keep_true, [view], work, **QUIET)
        for drawn in work:
            drawn.click(self.act, [view], work, trigger_mode="multiple", **QUIET)

    def _fields(self, shown: Form, form: gr.State, view: gr.State, work: list[gr.HTML]) -> None:
        """Lay out one form: what must be filled in, the button, the rest, the rarely needed."""
        components: dict[str, Component] = {}

        def add(specs: list[FieldSpec]) -> None:
            for spec in specs:
                components[spec.name] = component(spec, shown.task, shown.models)

        add([spec for spec in shown.specs if spec.required])
        press = gr.Button(say("make.press"), variant="primary", elem_id="make")
        problem = panel("problem")
        with gr.Column(elem_id="everyday"):
            add([spec for spec in shown.specs if not spec.required and not spec.advanced])
        with gr.Accordion(say("make.advanced"), open=False, elem_id="advanced"):
            add([spec for spec in shown.specs if spec.advanced])

        press.click(
            self.order,
            [view, form, *(components[spec.name] for spec in shown.specs)],
            [problem, *work],
            **QUIET,
        ).then(None, js=_SHOW_WORK)
        for spec in shown.specs:
            if spec.type == "model":
                components[spec.name].input(
                    self.narrow, [form, components[spec.name]], [form], **QUIET
                )

    async def choose(self, request: gr.Request, task: str) -> Form:
        """The form of a task, with the defaults and limits of the model that would be chosen."""
        client = self._clients(request)
        models = [model for model in await client.cards() if task in model.card.studio.tasks]
        models.sort(key=lambda model: not model.installed)
        names = tuple((_name(model), model.card.name) for model in models)
        return await _form(client, Form(task, (), names), names[0][1] if names else None)

    async def narrow(self, request: gr.Request, form: Form, model: str) -> Form:
        """The same form with the defaults and limits of another model."""
        return await _form(self._clients(request), form, model)

    async def order(
        self, request: gr.Request, view: View, form: Form, *entered: Any
    ) -> tuple[Any, ...]:
        """Submit what the form holds; say what is wrong with it, if anything is."""
        try:
            values = collect(form.specs, entered)
            view.jobs.insert(0, await self._clients(request).submit(form.task, values))
        except Exception as error:
            return explain(say("error.form"), error), gr.skip(), gr.skip()
        view.ring(stale=True)
        return Markup(""), draw.unfinished(view), draw.finished(view)

    async def act(
        self, request: gr.Request, event: gr.EventData, view: View
    ) -> AsyncIterator[tuple[Markup, Markup]]:
        """Do what a button in somebody's work says."""
        client = self._clients(request)
        try:
            match event.action:
                case "stop":
                    await client.cancel(event.id)
                case "again":
                    job = await client.job(event.id)
                    view.jobs.insert(0, await client.submit(job.task, job.request))
                case "verify":
                    view.verdicts[event.id] = None
                    yield draw.unfinished(view), draw.finished(view)
                    view.verdicts[event.id] = await _verify(client, event.id)
        except Exception as error:
            view.problem = as_studio_error(error)
        view.ring(stale=True)
        yield draw.unfinished(view), draw.finished(view)

    async def keep_true(self, request: gr.Request, view: View) -> AsyncIterator[tuple[Any, ...]]:
        """Draw whenever there is news, for as long as the page is open."""
        before: tuple[Markup | None, Markup | None] = (None, None)
        async with aclosing(watch(self._clients(request), view)) as news:
            async for _ in news:
                drawn = (draw.unfinished(view), draw.finished(view))
                pairs = zip(drawn, before, strict=True)
                yield tuple(gr.skip() if new == old else new for new, old in pairs)
                before = drawn


async def _form(client: Client, form: Form, model: str | None) -> Form:
    specs = filter(can_choose, await client.fields(form.task, model))
    return replace(
        form,
        specs=tuple(replace(s, default=model) if s.type == "model" else s for s in specs),
    )


async def _verify(client: Client, artifact: str) -> Any:
    try:
        return await client.verify(await client.fetch(artifact))
    except Exception as error:
        return as_studio_error(error)


def _name(model: Model) -> str:
    title = model.card.studio.title
    return title if model.installed else say("make.model.missing", title=title)
