"""What a form is: which task and model it is for, and what it comes filled in with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self

from studio.client import Client, Model
from studio.elsewhere import Hosted
from studio.fields import FieldSpec, Value
from studio.presets import Preset
from studio.tasks import TASKS
from ui import draw, hints, media
from ui.form import can_choose
from ui.tongue import LATER, fixed


@dataclass(frozen=True, eq=False)
class Form:
    """Which form is shown. Compared by identity, so that Gradio takes each new one as a change."""

    task: str
    #: The fields in which there is something to choose.
    specs: tuple[FieldSpec, ...]
    #: What can do the task.
    models: tuple[Model, ...]
    #: The language of whoever fills it in; `LATER` where it is laid out for anybody.
    language: str
    #: The model whose defaults and limits it shows.
    model: Model | None = None
    #: The models of which the words decide, where no model was chosen and several could do it.
    candidates: tuple[Model, ...] = ()
    #: What whoever fills it in has asked for before, newest first.
    earlier: tuple[str, ...] = ()
    presets: tuple[Preset, ...] = ()
    #: What it comes filled in with, where that is not the default.
    values: Mapping[str, Value] = field(default_factory=dict)
    #: The files that its media fields come filled in with.
    files: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    #: Another one each time a form comes filled in: what was typed before makes way then.
    fresh: int = 0

    def __deepcopy__(self, _: object) -> Self:
        """Itself, which never changes: Gradio copies what a page begins with for every visitor."""
        return self

    @property
    def suited(self) -> tuple[Model, ...]:
        """The models of which one will run."""
        return self.candidates or ((self.model,) if self.model else ())

    @property
    def menu(self) -> list[tuple[str, str]]:
        """What the menu of models offers, as (label, name); without a name, whichever knows the
        words best.
        """
        missing = fixed("make.model.missing", self.language)
        titles = ((model.card.studio.title, model) for model in self.models)
        best = (
            [(fixed("make.model.best", self.language), "")] if len(_here(self.models)) > 1 else []
        )
        return best + [
            (title if model.installed else f"{title} ({missing})", model.card.name)
            for title, model in titles
        ]

    @property
    def looks(self) -> tuple[object, ...]:
        """What the form looks like, in whatever language, and whoever it is for."""
        models = [(model.card.name, model.installed) for model in self.models]
        return self.task, self.specs, models, self.values, self.files


async def first_form(client: Client) -> Form:
    """The form that the page is built with: the first task's, for nobody in particular."""
    return await _bare(client, next(iter(TASKS)), None, LATER)


async def form_for(
    client: Client,
    language: str,
    task: str,
    model: Value = None,
    values: Mapping[str, Value] = MappingProxyType({}),
    fresh: int = 0,
) -> Form:
    """The form of a task for whoever `client` speaks for, with these values in it."""
    form = await _bare(client, task, model, language)
    jobs = await client.jobs(limit=hints.LOOKED_AT)
    return replace(
        form,
        earlier=tuple(dict.fromkeys(draw.subject(job) for job in jobs if job.task == task)),
        presets=tuple(one for one in await client.presets() if one.task == task),
        values={**values, **form.values},
        files=await media.fetch(client, task, values),
        fresh=fresh,
    )


async def _bare(client: Client, task: str, model: Value, language: str) -> Form:
    """The form of a task with the defaults and limits of `model`, or of the best that can do it."""
    able = [one for one in await client.cards() if task in one.card.studio.tasks]
    # Those that are installed first.
    models = sorted(able, key=lambda one: not one.installed)
    chosen = next((one for one in models if one.card.name == model), next(iter(models), None))
    name = chosen.card.name if chosen else None
    specs = tuple(spec for spec in await client.fields(task, name) if can_choose(spec))
    here = _here(models)
    undecided = name != model and chosen in here and len(here) > 1
    return Form(
        task,
        specs,
        tuple(models),
        language,
        chosen,
        candidates=here if undecided else (),
        values={"model": "" if undecided else name},
    )


def _here(models: Sequence[Model]) -> tuple[Model, ...]:
    """Those that may run without being named: what runs elsewhere costs money."""
    return tuple(
        model
        for model in models
        if model.installed and not isinstance(model.card.studio.source, Hosted)
    )
