"""Runs as HTML: how far each is, what failed and why, and where its results are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from studio.recipes.run import Line, Made, Run, RunState, StepState
from studio.runs import Begun
from studio.words import say
from ui.draw import button
from ui.markup import tag


@dataclass(frozen=True)
class Shown:
    """A run, and those of its rows that are shown with it."""

    run: Run
    lines: tuple[Line, ...]
    #: The place before the first of these rows, and whether more follow.
    after: int = -1
    more: bool = False


def every(shown: Sequence[Shown], language: str, *, older: str | None, newer: bool) -> Markup:
    """A page of runs, newest first; where there are none, what they are for.

    `older` is the address of those before them; `newer` says that there are some behind them.
    """
    if not shown and not newer:
        return tag(
            "div",
            tag("h3", say("runs.empty", language)),
            tag("p", say("runs.empty.how", language)),
            class_="empty",
        )
    ways = _ways(
        ("/runs" if newer else None, say("runs.newest", language)),
        (older, say("runs.older", language)),
    )
    return tag("div", *(_run(one, language) for one in shown), ways, class_="feed")


def alone(shown: Shown, language: str, rows: int) -> Markup:
    """One run with its rows, of which a page shows so many."""
    back = tag("p", tag("a", say("runs.all", language), href="/runs"))
    address, after = f"/runs?run={shown.run.id}&after=", shown.after
    ways = _ways(
        (f"{address}{max(-1, after - rows)}" if after >= 0 else None, say("runs.before", language)),
        (f"{address}{after + rows}" if shown.more else None, say("runs.next", language)),
    )
    return tag("div", back, _run(shown, language, alone=True), ways, class_="feed")


def _ways(*ways: tuple[str | None, str]) -> Markup | None:
    """Where to go on; an address that is None leads nowhere."""
    links = [tag("a", title, href=address, class_="press") for address, title in ways if address]
    return tag("div", *links, class_="row") if links else None


def begun(begun: Begun, language: str) -> Markup:
    """What was begun, and what was left out of it."""
    address = f"/runs?run={begun.run.id}"
    return tag(
        "div",
        tag("p", tag("a", say("runs.begun", language, name=begun.run.name), href=address)),
        _problems(begun, language),
        class_="banner",
        role="status",
    )


def forecast(begun: Begun, language: str) -> Markup:
    """What a table would make, and which of its rows are wrong."""
    seconds = begun.forecast.seconds if begun.forecast else 0.0
    length = (
        say("time.seconds", language, count=max(1, round(seconds)))
        if seconds < 90
        else say("time.minutes", language, count=round(seconds / 60))
    )
    return tag(
        "div",
        tag("p", say("runs.checked", language, count=begun.run.total)),
        tag("p", say("queue.takes", language, seconds=length)) if seconds else None,
        _problems(begun, language),
        class_="banner",
        role="status",
    )


def ordered(language: str) -> Markup:
    """That a contact sheet is on its way, and where to."""
    link = tag("a", say("runs.sheet.ordered", language), href="/")
    return tag("div", tag("p", link), class_="banner", role="status")


def _problems(begun: Begun, language: str) -> Markup | None:
    if not begun.problems:
        return None
    problems = (tag("li", problem, lang="en") for problem in begun.problems)
    return tag("p", say("runs.wrong", language)) + tag("ul", *problems)


def _run(shown: Shown, language: str, *, alone: bool = False) -> Markup:
    run = shown.run
    said = [say("runs.done", language, done=run.done, total=run.total)]
    if run.failed:
        said.append(say("runs.failed", language, count=run.failed))
    if run.state is RunState.STOPPED:
        said.append(say("job.stopped", language))
    return tag(
        "article",
        tag("header", tag("h3", run.name, class_="subject")),
        tag("p", " · ".join(said), class_="stage", role="status"),
        tag(
            "progress",
            max=run.total or 1,
            value=run.done + run.failed,
            aria_label=say("runs.progress", language, name=run.name),
        )
        if run.state is RunState.RUNNING
        else None,
        tag("ul", *(_line(run, line, language, alone) for line in shown.lines), class_="rows")
        if shown.lines
        else None,
        _presses(run, language, alone),
        class_="card",
        data_run=run.id,
        data_state=run.state.value,
    )


def _line(run: Run, line: Line, language: str, alone: bool) -> Markup:
    """A row: what it asked for, and what it made or why it did not; `alone`, step by step."""
    error = line.error
    return tag(
        "li",
        tag("strong", say("runs.row", language, row=line.place + 1)),
        " ",
        str(line.values.get("prompt", "")),
        tag("p", error["message"], class_="problem", lang="en") if error else None,
        tag("p", error["hint"], class_="hint", lang="en") if error and error["hint"] else None,
        *(_step(run, line, made, language) for made in line.steps if alone),
        data_key=f"row {line.place}",
        data_state=line.state.value,
    )


def _step(run: Run, line: Line, made: Made, language: str) -> Markup:
    """What one step of a row has made, and what makes it anew."""
    ended = made.state in (StepState.DONE, StepState.FAILED)
    label = say("runs.redo.label", language, step=made.step, row=line.place + 1)
    return tag(
        "div",
        # The rows of a plain table have a single step.
        tag("span", made.step, class_="quiet") if line.task is None else None,
        *(
            tag("a", f"{place}", href=f"/artifact/{artifact}", class_="press")
            for place, artifact in enumerate(made.artifacts, 1)
        ),
        button("redo", f"{run.id} {line.place} {made.step}", say("runs.redo", language), label)
        if ended
        else None,
        class_="row",
    )


def _presses(run: Run, language: str, alone: bool) -> Markup:
    results = f"/api/v1/runs/{run.id}/results"
    presses = []
    if run.state is RunState.RUNNING:
        label = say("runs.stop.label", language, name=run.name)
        presses.append(button("stop", run.id, say("job.stop", language), label))
    elif run.state is RunState.STOPPED:
        label = say("runs.resume.label", language, name=run.name)
        presses.append(button("resume", run.id, say("runs.resume", language), label))
    elif run.failed:
        label = say("runs.retry.label", language, name=run.name)
        presses.append(button("resume", run.id, say("runs.retry", language), label))
    if not alone:
        address = f"/runs?run={run.id}"
        presses.append(tag("a", say("runs.open", language), href=address, class_="press"))
    if run.done:
        label = say("runs.sheet.label", language, name=run.name)
        presses += [
            button("sheet", run.id, say("runs.sheet", language), label),
            tag("a", "CSV", href=f"{results}.csv", download=True, class_="press"),
            tag("a", "JSONL", href=f"{results}.jsonl", download=True, class_="press"),
        ]
    return tag("div", *presses, class_="row")
