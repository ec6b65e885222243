"""The page on which people make things: a form from the task's fields, and all their work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from studio.client import Client, Model
from studio.errors import InvalidRequest, StudioError
from studio.fields import FieldSpec
from studio.presets import Preset
from studio.tasks import TASKS, find_task
from studio.words import say
from ui import draw, elsewhere, hints, media
from ui.blank import Form, form_for
from ui.entered import put_in
from ui.explain import as_studio_error, explain
from ui.form import collect, component, is_typed
from ui.markup import tag
from ui.page import QUIET, Clients, draw_now, panel
from ui.tongue import LATER, fixed, language_of, later
from ui.view import View, watch

#: How many variations one press makes.
VARIATIONS = 4

#: The steps of the tour, each with what it is about.
_TOUR = {
    "make": "#field-prompt",
    "watch": "#work",
    "keep": "#work",
    "verify": "#masthead a[href='/verify']",
    "models": "#masthead a[href='/models']",
}

#: On a phone the work lies below the form: go there, unless there is something to mend first.
_SHOW_WORK = """() => {
  const work = document.querySelector("#work");
  const below = work.getBoundingClientRect().top > innerHeight / 2;
  if (below && !document.querySelector("#problem .banner")) work.scrollIntoView();
}"""


class MakePage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients, first: Form) -> None:
        """`first` is the form that comes with the page."""
        self._clients = clients
        self._first = first

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        view, form = gr.State(View()), gr.State(self._first)
        tasks = [(later(f"task.{task.id}.title", task.title), task.id) for task in TASKS.values()]
        panel("tour", _tour())
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=2, min_width=300, elem_id="form"):
                task = gr.Dropdown(
                    tasks,
                    value=tasks[0][1],
                    label=later("make.task"),
                    elem_id="task",
                    filterable=False,
                )
                fields = gr.Column(elem_id="fields")
            with gr.Column(scale=3, min_width=300, elem_id="work"):
                panel("work-title", tag("h2", later("work.title")))
                unfinished = panel("work-unfinished", script="page.js")
                finished = panel("work-finished", script="page.js")
        work = [unfinished, finished]

        with fields:

            def fill(shown: Form) -> None:
                self._fields(shown, form, view)

            gr.render([form], [form.change], show_progress="hidden")(fill)
            drawn = draw_now(pages, self._first)

        personal = [drawn[name] for name in ("hints", "preset-kept", "preset-delete")]
        pages.load(self.arrive, [task], [form, task, *personal], **QUIET)
        task.input(self.choose, [task], [form], **QUIET)
        pages.load(self.keep_true, [view], work, **QUIET)
        for drawn in work:
            drawn.click(self.act, [view], None, trigger_mode="multiple", **QUIET)

    def _fields(self, shown: Form, form: gr.State, view: gr.State) -> None:
        """Lay out one form: what must be filled in, the button, the rest, the rarely needed."""
        components: dict[str, Component] = {}

        def add(specs: list[FieldSpec]) -> None:
            for spec in specs:
                components[spec.name] = component(
                    spec,
                    f"{shown.task}-{shown.fresh}",
                    shown.menu,
                    shown.language,
                    media.initial(spec, shown.values, shown.files),
                )
                if spec.media == "recording":
                    media.microphone(components[spec.name], fixed("make.record", shown.language))

        # The parts are the same in every form. A part that moved would be, for a moment, what stood
        # in its place before, under its own name: Gradio draws into what is there, by its position.
        with gr.Column(elem_id="needed"):
            add([spec for spec in shown.specs if spec.required])
        press = gr.Button(fixed("make.press", shown.language), variant="primary", elem_id="make")
        away = elsewhere.order(shown.model, {}, shown.language) if shown.model else None
        cost = panel("cost", away)
        problem = panel("problem")
        panel("hints", hints.hints(shown.suited, shown.earlier, shown.language))
        # Its style keeps a form that was not asked for out of sight.
        asked = [] if shown.language == LATER else ["asked"]
        with gr.Column(elem_id="everyday", elem_classes=asked):
            add([spec for spec in shown.specs if not spec.required and not spec.advanced])
        with gr.Accordion(fixed("make.advanced", shown.language), open=False, elem_id="advanced"):
            add([spec for spec in shown.specs if spec.advanced])

        press.click(
            self.order,
            [view, form, *(components[spec.name] for spec in shown.specs)],
            [problem],
            **QUIET,
        ).then(None, js=_SHOW_WORK)
        if away and shown.model and shown.model.card.studio.prices:
            fields = [components[spec.name] for spec in shown.specs]
            changes = [field.change for field in fields if hasattr(field, "change")]
            gr.on(
                changes,
                self.foresee,
                [form, *fields],
                [cost],
                trigger_mode="always_last",
                **QUIET,
            )
        self._presets(shown, form, [components[spec.name] for spec in shown.specs])
        if {"image", "mask"} <= components.keys():
            # What is painted on is the picture that was chosen.
            components["image"].change(
                media.under_the_brush, [components["image"]], [components["mask"]], **QUIET
            )
        for spec in shown.specs:
            if spec.type == "model":
                entered = [components[spec.name] for spec in shown.specs]
                components[spec.name].input(self.narrow, [form, *entered], [form], **QUIET)

    def _presets(self, shown: Form, form: gr.State, fields: list[Component]) -> None:
        """Lay out what keeps the form's settings under a name, and brings them back."""
        names = [preset.name for preset in shown.presets]
        with gr.Accordion(fixed("preset.title", shown.language), open=False, elem_id="presets"):
            said = panel("preset-problem")
            kept = gr.Dropdown(
                names,
                value=None,
                label=fixed("preset.kept", shown.language),
                info=fixed("preset.how", shown.language),
                elem_id="preset-kept",
                interactive=True,
                visible=bool(names),
            )
            delete = gr.Button(
                fixed("preset.delete", shown.language),
                elem_id="preset-delete",
                size="sm",
                visible=bool(names),
            )
            name = gr.Textbox(
                label=fixed("preset.name", shown.language), elem_id="preset-name", max_length=80
            )
            save = gr.Button(fixed("preset.save", shown.language), elem_id="preset-save", size="sm")
        kept.input(self.load, [form, kept], [form], **QUIET)
        save.click(self.save, [form, name, *fields], [said, form], **QUIET)
        delete.click(self.delete, [form, kept], [said, form], **QUIET)

    async def load(self, request: gr.Request, form: Form, name: str) -> Form:
        """The form as the preset called `name` has it."""
        presets = await self._clients(request).presets()
        values = next(one.values for one in presets if (one.task, one.name) == (form.task, name))
        model = values.get("model") or form.values["model"]
        return await self._form(request, form.task, model, values, form.fresh + 1)

    async def save(
        self, request: gr.Request, form: Form, name: str, *entered: Any
    ) -> tuple[Any, Any]:
        """Keep what the form holds under `name`."""
        try:
            files = {spec.name for spec in form.specs if spec.media is not None}
            entries = collect(form.specs, entered).items()
            values = {key: value for key, value in entries if key not in files}
            await self._clients(request).save_preset(Preset(name.strip(), form.task, values))
        except Exception as error:
            return explain(say("error.preset", language_of(request)), error), gr.skip()
        form = await self._form(request, form.task, values["model"], values, form.fresh + 1)
        return Markup(""), form

    async def delete(self, request: gr.Request, form: Form, name: str | None) -> tuple[Any, Any]:
        """Forget the preset called `name`."""
        try:
            await self._clients(request).delete_preset(name or "")
        except Exception as error:
            return explain(say("error.preset", language_of(request)), error), gr.skip()
        return Markup(""), await self.choose(request, form.task)

    async def choose(self, request: gr.Request, task: str) -> Form:
        """The form of a task, with the defaults and limits of the model that would be chosen."""
        return await self._form(request, task)

    async def narrow(self, request: gr.Request, form: Form, *entered: Any) -> Form:
        """The same form with the defaults and limits of another model; what was written and put in
        stays.
        """
        given = {spec.name: value for spec, value in zip(form.specs, entered, strict=True)}
        # The old model's defaults make way for the new one's.
        kept = {
            spec.name: given[spec.name]
            for spec in form.specs
            if is_typed(spec)
            and given[spec.name] != ("" if spec.default is None else str(spec.default))
        }
        brought = [spec.name for spec in form.specs if spec.media not in (None, "mask")]
        files = {name: tuple(map(put_in, media.several(given[name]))) for name in brought}
        # The ids that it came with: the same file is still the same output.
        kept |= {name: form.values[name] for name in brought if name in form.values}
        narrowed = await self._form(request, form.task, given["model"], kept, form.fresh + 1)
        return replace(narrowed, files=files)

    async def _form(self, request: gr.Request, task: str, *given: Any) -> Form:
        return await form_for(self._clients(request), language_of(request), task, *given)

    async def arrive(self, request: gr.Request, task: str) -> tuple[Any, ...]:
        """The form that the page's address asks for: `/?again=ARTIFACT`, `/?task=…&prompt=…`.

        An address that makes no sense opens the ordinary form. That came with the page, and may be
        half filled in by now: it is only given what is this visitor's own, the earlier prompts and
        the presets.
        """
        client = self._clients(request)
        asked = dict(request.query_params)
        try:
            if "again" in asked:
                note = (await client.artifact(asked["again"])).note
                # As many as the task makes by itself: some make no single ones.
                kept = {key: value for key, value in note.request.items() if key != "count"}
                task, values = note.task, {**kept, "model": note.card, "seed": note.seed}
            else:
                task = find_task(asked.get("task", task)).id
                values = {
                    spec.name: spec.parse(asked[spec.name])
                    for spec in await client.fields(task)
                    if spec.name in asked
                }
        except StudioError:
            values = {}
        form = await self._form(request, task, values.get("model"), values, 1 if values else 0)
        nothing = gr.skip()
        if asked or form.looks != self._first.looks:
            return form, task, nothing, nothing, nothing
        told = hints.hints(form.suited, form.earlier, form.language) if form.earlier else nothing
        kept = gr.update(choices=[one.name for one in form.presets], visible=True)
        presets = (kept, gr.update(visible=True)) if form.presets else (nothing, nothing)
        return nothing, nothing, told, *presets

    async def order(self, request: gr.Request, view: View, form: Form, *entered: Any) -> Markup:
        """Submit what the form holds; say what is wrong with it, if anything is."""
        view.problem = None
        try:
            client = self._clients(request)
            values = collect(form.specs, entered)
            if not values.get("model"):
                # The words will choose it: what nobody changed is for that model to say.
                values |= {
                    spec.name: None for spec in form.specs if values[spec.name] == spec.default
                }
            values = await media.bring(client, form.specs, values, form.values)
            view.jobs.insert(0, await client.submit(form.task, values))
        except Exception as error:
            return explain(view.say("error.form"), error)
        view.ring(stale=True)
        return Markup("")

    def foresee(self, form: Form, *entered: Any) -> Any:
        """About what the order would cost as the form stands; as before while it makes no sense."""
        try:
            values = collect(form.specs, entered)
        except InvalidRequest:
            return gr.skip()
        return elsewhere.order(cast(Model, form.model), values, form.language)

    async def act(self, request: gr.Request, event: gr.EventData, view: View) -> None:
        """Do what a button in somebody's work says; `keep_true` alone draws what comes of it."""
        client = self._clients(request)
        view.problem = None
        try:
            match event.action:
                case "stop":
                    await client.cancel(event.id)
                case "again":
                    view.jobs.insert(0, await client.retry(event.id))
                case "vary":
                    job = await client.job(event.id)
                    varied = {**job.request, "model": job.card, "seed": None, "count": VARIATIONS}
                    view.jobs.insert(0, await client.submit(job.task, varied))
                case "verify":
                    view.verdicts[event.id] = None
                    view.ring()
                    view.verdicts[event.id] = await _verify(client, event.id)
        except Exception as error:
            view.problem = as_studio_error(error)
        view.ring(stale=True)

    async def keep_true(self, request: gr.Request, view: View) -> AsyncIterator[tuple[Any, ...]]:
        """Draw whenever there is news, for as long as the page is open.

        Nobody else draws: Gradio sends a handler's last drawing once more when that ends, and it
        would cover a newer one.
        """
        view.language = language_of(request)
        before: tuple[Markup | None, Markup | None] = (None, None)
        async with aclosing(watch(self._clients(request), view)) as news:
            async for _ in news:
                drawn = (draw.unfinished(view), draw.finished(view))
                pairs = zip(drawn, before, strict=True)
                yield tuple(gr.skip() if new == old else new for new, old in pairs)
                before = drawn


def _tour() -> Markup:
    """The first steps; the frame's script shows them once, and again when Help asks for it."""
    steps = (tag("p", later(f"tour.{step}"), data_at=at, hidden=True) for step, at in _TOUR.items())
    presses = tag("button", later("tour.next"), type="button", class_="press", data_tour="next")
    close = tag("button", later("tour.close"), type="button", class_="press", data_tour="close")
    return tag(
        "section",
        *steps,
        tag("div", presses, close, class_="row"),
        hidden=True,
        class_="tour",
        aria_label=later("tour.title"),
    )


async def _verify(client: Client, artifact: str) -> Any:
    try:
        return await client.verify(await client.fetch(artifact))
    except Exception as error:
        return as_studio_error(error)
