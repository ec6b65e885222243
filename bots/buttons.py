"""The buttons below a result. All that one needs is in its id, so it works after any restart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import discord
from discord import ui

from bots.wording import clipped, task_title
from studio.fields import FieldSpec, fields_of
from studio.job import Job
from studio.tasks import TASKS, Task
from studio.words import say

#: Discord's own limits.
_MAX_ROW = _MAX_ROWS = 5
_MAX_LABEL = 80
_MAX_TITLE = 45
_MAX_INPUT = 4000

#: What the button is for that stands below every end, of a job, a run and an answer: once more.
ENDINGS = ("again", "rerun", "answer")

_TEMPLATE = re.compile(r"colophon:(?P<act>[a-z]+):(?P<about>[\w-]{1,64}):(?P<rest>[\w-]{0,20})")


def button_id(act: str, about: str, rest: str | int = "") -> str:
    """The id of a button or a window."""
    return f"colophon:{act}:{about}:{rest}"


def parse(identity: str) -> tuple[str, str, str] | None:
    """The act, what it is about and the rest, if the id is one of ours."""
    found = _TEMPLATE.fullmatch(identity)
    return (found["act"], found["about"], found["rest"]) if found else None


def working(job: str, language: str) -> ui.View:
    """Below a job that is not done: stop it."""
    return _view([[_button("stop", job, label=say("job.stop", language), danger=True)]])


def ended(job: Job, language: str, shown: Sequence[int], *, scored: bool = False) -> ui.View:
    """Below a job that has ended; `shown` are the indexes of the outputs that the message shows.

    `scored` says that there are notes of the one that it shows.
    """
    again = _button("again", job.id, label=say("bot.again", language), emoji="🔁")
    if not shown:
        return _view([[again]])
    makes = TASKS[job.task].makes
    rows: list[list[ui.Button[Any]]] = []
    vary = variation_of(TASKS[job.task])
    if 1 < len(shown) <= _MAX_ROW and makes == "image":
        rows.append([_button("large", job.id, i, label=f"U{i + 1}") for i in shown])
        if vary:
            rows.append([_button("vary", job.id, i, label=f"V{i + 1}") for i in shown])
    deeds = [again]
    if needs_words(TASKS[job.task]):
        deeds.append(_button("remix", job.id, label=say("bot.remix", language), emoji="✏️"))
    if len(shown) > 1:
        return _view([*rows, deeds])
    if vary and makes == "image":
        deeds.insert(0, _button("vary", job.id, shown[0], label=say("bot.vary", language)))
    return _view(_alone(deeds, job, shown[0], language, scored))


def _alone(
    deeds: list[ui.Button[Any]], job: Job, index: int, language: str, scored: bool
) -> list[list[ui.Button[Any]]]:
    """Below one output by itself: keep it, have its notes, or make something of it."""
    if scored:
        deeds.append(
            _button("score", job.id, index, label=say("score.title", language), emoji="🎼")
        )
    star = _button("star", job.id, index, label=say("bot.star", language), emoji="⭐")
    steps = next_steps("next", job.id, TASKS[job.task].makes, language, rest=index)
    return [[*deeds, star], *steps]


def chaining(run: str, language: str) -> ui.View:
    """Below a run that goes on: stop it."""
    return _view([[_button("halt", run, label=say("job.stop", language), danger=True)]])


def chained(run: str, only: Job | None, language: str, *, scored: bool = False) -> ui.View:
    """Below a run that is over; `only` is the job of its one output, if there is one only.

    `scored` says that there are notes of that one.
    """
    again = _button("rerun", run, label=say("bot.again", language), emoji="🔁")
    return _view([[again]] if only is None else _alone([again], only, 0, language, scored))


def said(job: str, language: str) -> ui.View:
    """Below an answer: answer once more."""
    return _view([[_button("answer", job, label=say("bot.again", language), emoji="🔁")]])


def next_steps(
    act: str, about: str, kind: str, language: str, rest: str | int = ""
) -> list[list[ui.Button[Any]]]:
    """Rows of buttons, one for each task that makes something of one file of this kind."""
    found = [
        _button(act, about, f"{task.verb}-{rest}", label=task_title(task, language))
        for task in TASKS.values()
        if takes_one(task) == kind
    ]
    most = _MAX_ROW * (_MAX_ROWS - 1)
    return [found[n : n + _MAX_ROW] for n in range(0, len(found[:most]), _MAX_ROW)]


def offered(kind: str, upload: str, language: str) -> ui.View:
    """Below a file that somebody wants to use: what can be made of it."""
    return _view(next_steps("use", upload, kind, language))


def takes_one(task: Task) -> str | None:
    """The kind of file that the task needs, if it needs one file and at most words beside it."""
    media = [spec for spec in fields_of(task.request) if spec.required and spec.media]
    return media[0].media if len(media) == 1 and media[0].type != "list" else None


def variation_of(task: Task) -> Task | None:
    """The task that varies a picture by words, if there is one and `task` was told in words."""
    found = TASKS.get("image-to-image")
    return found if found and "prompt" in task.request.model_fields else None


def window(act: str, about: str, rest: str, task: Task, language: str, **given: str) -> ui.Modal:
    """A window that asks for what a person must type for the task; `given` is there already."""
    modal = ui.Modal(
        title=clipped(task_title(task, language), _MAX_TITLE),
        custom_id=button_id(act, about, rest),
    )
    for spec in _typed(task)[:_MAX_ROW]:
        longest = min(spec.max_length or _MAX_INPUT, _MAX_INPUT)
        field: ui.TextInput[Any] = ui.TextInput(
            custom_id=spec.name,
            style=discord.TextStyle.long if spec.multiline else discord.TextStyle.short,
            default=clipped(given[spec.name], longest) if spec.name in given else None,
            max_length=longest,
        )
        modal.add_item(ui.Label(text=clipped(spec.title, _MAX_TITLE), component=field))
    # It is answered by its id, so discord.py need not keep it for those who never send it.
    modal.stop()
    return modal


def typed_into(data: Any) -> dict[str, str]:
    """What somebody typed into a window, by field, as its interaction brings it."""
    inner = [row.get("component") or row["components"][0] for row in data["components"]]
    return {one["custom_id"]: one["value"] for one in inner}


def needs_words(task: Task) -> bool:
    """Whether a person must type something for the task."""
    return bool(_typed(task))


def _typed(task: Task) -> list[FieldSpec]:
    """What a person must type for the task."""
    return [one for one in fields_of(task.request) if one.required and one.media is None]


def _button(
    act: str,
    about: str,
    rest: str | int = "",
    *,
    label: str,
    emoji: str | None = None,
    danger: bool = False,
) -> ui.Button[Any]:
    return ui.Button(
        style=discord.ButtonStyle.danger if danger else discord.ButtonStyle.secondary,
        label=clipped(label, _MAX_LABEL),
        custom_id=button_id(act, about, rest),
        emoji=emoji,
    )


def _view(rows: Sequence[Sequence[ui.Button[Any]]]) -> ui.View:
    view = ui.View(timeout=None)
    for number, row in enumerate(rows):
        for button in row:
            button.row = number
            view.add_item(button)
    # Presses are answered by the button's id, so discord.py need not keep the view.
    view.stop()
    return view
