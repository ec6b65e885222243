"""The page on which people make things: a form from the task's fields, and all their work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import gradio as gr
from gradio.components import Component
from markupsafe import Markup

from studio.client import Client, Model
from studio.errors import InvalidRequest, StudioError
from studio.fields import FieldSpec, Value
from studio.presets import Preset
from studio.tasks import TASKS, find_task
from studio.words import say
from ui import draw, elsewhere, hints, media
from ui.explain import as_studio_error, explain
from ui.form import can_choose, collect, component
from ui.markup import tag
from ui.page import QUIET, Clients, panel
from ui.tongue import language_of, later
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


@dataclass(frozen=True, eq=False)
class Form:
    """Which form is shown. Compared by identity, so that Gradio takes each new one as a change."""

    task: str
    #: The fields in which there is something to choose.
    specs: tuple[FieldSpec, ...]
    #: What the model's menu offers, as (label, name).
    models: tuple[tuple[str, str], ...]
    #: The language of whoever fills it in.
    language: str
    #: The model whose defaults and limits it shows.
    model: Model | None = None
    #: What whoever fills it in has asked for before, newest first.
    earlier: tuple[str, ...] = ()
    presets: tuple[Preset, ...] = ()
    #: What it comes filled in with, where that is not the default.
    values: Mapping[str, Value] = field(default_factory=dict)
    #: The files that its media fields come filled in with.
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    #: Another one each time a form comes filled in: what was typed before makes way then.
    fresh: int = 0


class MakePage:
    """The handlers of the page, and how it is laid out."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def build(self, pages: gr.Blocks) -> None:
        """Lay the page out in `pages`, which are open."""
        view, form = gr.State(View()), gr.State()
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

        pages.load(self.arrive, [task], [form, task], **QUIET)
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
                    shown.models,
                    shown.language,
                    media.initial(spec, shown.values, shown.files),
                )

        add([spec for spec in shown.specs if spec.required])
        press = gr.Button(say("make.press", shown.language), variant="primary", elem_id="make")
        away = elsewhere.order(shown.model, {}, shown.language) if shown.model else None
        cost = panel("cost", away)
        problem = panel("problem")
        panel("hints", hints.hints(shown.model, shown.earlier, shown.language))
        with gr.Column(elem_id="everyday"):
            add([spec for spec in shown.specs if not spec.required and not spec.advanced])
        with gr.Accordion(say("make.advanced", shown.language), open=False, elem_id="advanced"):
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
                components[spec.name].input(
                    self.narrow, [form, components[spec.name]], [form], **QUIET
                )

    def _presets(self, shown: Form, form: gr.State, fields: list[Component]) -> None:
        """Lay out what keeps the form's settings under a name, and brings them back."""
        names = [preset.name for preset in shown.presets]
        with gr.Accordion(say("preset.title", shown.language), open=False, elem_id="presets"):
            said = panel("preset-problem")
            kept = gr.Dropdown(
                names,
                value=None,
                label=say("preset.kept", shown.language),
                info=say("preset.how", shown.language),
                elem_id="preset-kept",
                interactive=True,
                visible=bool(names),
            )
            delete = gr.Button(
                say("preset.delete", shown.language),
                elem_id="preset-delete",
                size="sm",
                visible=bool(names),
            )
            name = gr.Textbox(
                label=say("preset.name", shown.language), elem_id="preset-name", max_length=80
            )
            save = gr.Button(say("preset.save", shown.language), elem_id="preset-save", size="sm")
        kept.input(self.load, [form, kept], [form], **QUIET)
        save.click(self.save, [form, name, *fields], [said, form], **QUIET)
        delete.click(self.delete, [form, kept], [said, form], **QUIET)

    async def load(self, request: gr.Request, form: Form, name: str) -> Form:
        """The form as the preset called `name` has it."""
        preset = next(one for one in form.presets if one.name == name)
        return await self._fill(self._clients(request), form, preset.values)

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
            return explain(say("error.preset", form.language), error), gr.skip()
        again = await self.choose(request, form.task)
        return Markup(""), await self._fill(self._clients(request), again, values)

    async def delete(self, request: gr.Request, form: Form, name: str | None) -> tuple[Any, Any]:
        """Forget the preset called `name`."""
        try:
            await self._clients(request).delete_preset(name or "")
        except Exception as error:
            return explain(say("error.preset", form.language), error), gr.skip()
        return Markup(""), await self.choose(request, form.task)

    async def choose(self, request: gr.Request, task: str) -> Form:
        """The form of a task, with the defaults and limits of the model that would be chosen."""
        client = self._clients(request)
        language = language_of(request)
        models = await _models(client, task)
        names = tuple((_name(model, language), model.card.name) for model in models)
        jobs = await client.jobs(limit=hints.LOOKED_AT)
        form = Form(
            task,
            (),
            names,
            language,
            earlier=tuple(dict.fromkeys(draw.subject(job) for job in jobs if job.task == task)),
            presets=tuple(one for one in await client.presets() if one.task == task),
        )
        return await _form(client, form, models[0].card.name if models else None, {})

    async def arrive(self, request: gr.Request, task: str) -> tuple[Form, str]:
        """The form that the page's address asks for: `/?again=ARTIFACT`, `/?task=…&prompt=…`.

        An address that makes no sense opens the ordinary form.
        """
        client = self._clients(request)
        asked = dict(request.query_params)
        try:
            if "again" in asked:
                note = (await client.artifact(asked["again"])).note
                # As many as the task makes by itself: some make no single ones.
                kept = {key: value for key, value in note.request.items() if key != "count"}
                task, values = note.task, {**kept, "seed": note.seed}
            else:
                task = find_task(asked.get("task", task)).id
                values = {
                    spec.name: spec.parse(asked[spec.name])
                    for spec in await client.fields(task)
                    if spec.name in asked
                }
        except StudioError:
            values = {}
        form = await self.choose(request, task)
        if values:
            form = await self._fill(client, form, values)
        return form, task

    async def _fill(self, client: Client, form: Form, values: Mapping[str, Value]) -> Form:
        """The same form with these values in it."""
        model = str(values.get("model") or (form.model.card.name if form.model else "")) or None
        names = {name for _, name in form.models}
        kept = {key: value for key, value in values.items() if key != "model"}
        form = replace(form, fresh=form.fresh + 1, files=await media.fetch(client, form.task, kept))
        return await _form(client, form, model if model in names else form.models[0][1], kept)

    async def narrow(self, request: gr.Request, form: Form, model: str) -> Form:
        """The same form with the defaults and limits of another model."""
        return await _form(self._clients(request), form, model, {})

    async def order(self, request: gr.Request, view: View, form: Form, *entered: Any) -> Markup:
        """Submit what the form holds; say what is wrong with it, if anything is."""
        try:
            client = self._clients(request)
            values = collect(form.specs, entered)
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
        try:
            match event.action:
                case "stop":
                    await client.cancel(event.id)
                case "again":
                    view.jobs.insert(0, await client.retry(event.id))
                case "vary":
                    job = await client.job(event.id)
                    varied = {**job.request, "seed": None, "count": VARIATIONS}
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


async def _form(client: Client, form: Form, model: str | None, values: Mapping[str, Value]) -> Form:
    """The form with the defaults and limits of `model`, and with `values` in their place."""
    specs = filter(can_choose, await client.fields(form.task, model))
    return replace(
        form,
        model=next((one for one in await client.cards() if one.card.name == model), None),
        specs=tuple(specs),
        values={**values, "model": model},
    )


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


async def _models(client: Client, task: str) -> list[Model]:
    """The models that can do the task, the installed ones first."""
    able = [model for model in await client.cards() if task in model.card.studio.tasks]
    return sorted(able, key=lambda model: not model.installed)


async def _verify(client: Client, artifact: str) -> Any:
    try:
        return await client.verify(await client.fetch(artifact))
    except Exception as error:
        return as_studio_error(error)


def _name(model: Model, language: str) -> str:
    title = model.card.studio.title
    return title if model.installed else say("make.model.missing", language, title=title)
