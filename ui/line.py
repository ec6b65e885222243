"""Everybody's line as HTML: one's own jobs in full, other people's without what they are about."""

from __future__ import annotations

from markupsafe import Markup

from studio.job import Job, JobState
from studio.protocol import Place
from ui import draw
from ui.explain import explain
from ui.markup import tag
from ui.view import View

#: How many of one's latest jobs that ended badly are offered again.
_MISSED = 5


def line(view: View) -> Markup:
    """What runs and what waits, in order; then what of one's own was not made."""
    own = [place.job.id for place in view.places if place.job and place.state == JobState.WAITING]
    missed = [job for job in view.jobs if job.state in (JobState.FAILED, JobState.CANCELLED)]
    return tag(
        "div",
        explain(view.say("error.form"), view.trouble) if view.trouble else None,
        tag(
            "ol",
            *(
                tag("li", _place(view, place, own), data_key=place.job and place.job.id)
                for place in view.places
            ),
            class_="feed line",
        )
        if view.places
        else _empty(view),
        tag("h2", view.say("queue.missed")) if missed else None,
        *(_missed(view, job) for job in missed[:_MISSED]),
        class_="feed",
    )


def _place(view: View, place: Place, own: list[str]) -> Markup:
    """One place; `own` are one's own waiting jobs, in their order."""
    if place.job is not None:
        said = " · ".join(filter(None, (_made(view, place.job), _times(view, place))))
        moves = _moves(view, place.job, own)
        return draw.making(view, place.job, tag("p", said, class_="quiet"), moves)
    return tag(
        "article",
        tag(
            "header",
            tag("h3", view.say("queue.other"), class_="subject"),
            tag(
                "p",
                f"{draw.task_title(view, place.task)} · {draw.model_title(view, place.card)}",
                class_="quiet",
            ),
        ),
        tag("p", _when(view, place), class_="stage"),
        tag("p", _times(view, place), class_="quiet"),
        class_="card other",
        data_state=place.state.value,
    )


def _when(view: View, place: Place) -> str:
    if place.state == JobState.RUNNING:
        return view.say("queue.runs")
    return view.say("queue.waits", place=place.place)


def _times(view: View, place: Place) -> str:
    """When it begins and how long it takes, as far as can be told."""
    if place.seconds is None:
        return ""
    takes = draw.duration(view, place.seconds)
    if place.state == JobState.RUNNING:
        return view.say("queue.left", seconds=takes)
    if place.starts_in is None:
        return view.say("queue.takes", seconds=takes)
    return view.say("queue.starts", begins=draw.duration(view, place.starts_in), seconds=takes)


def _made(view: View, job: Job) -> str:
    """How many of its outputs are finished; the outputs themselves are shown where they were made.

    So no card grows while somebody is about to press a button below it.
    """
    count = int(job.request["count"])
    made = min(len(view.outputs(job)), count)
    return view.say("queue.made", made=made, count=count) if made and count > 1 else ""


def _moves(view: View, job: Job, own: list[str]) -> Markup | None:
    """How to change the order of one's own waiting jobs; nobody else's place changes."""
    if job.id not in own or len(own) < 2:
        return None
    place, subject = own.index(job.id), draw.subject(job)
    return tag(
        "div",
        draw.button(
            "earlier",
            job.id,
            view.say("queue.earlier"),
            view.say("queue.earlier.label", subject=subject),
        )
        if place > 0
        else None,
        draw.button(
            "later", job.id, view.say("queue.later"), view.say("queue.later.label", subject=subject)
        )
        if place < len(own) - 1
        else None,
        class_="row",
    )


def _missed(view: View, job: Job) -> Markup:
    stopped = job.state == JobState.CANCELLED
    message = view.say("job.stopped.how") if stopped or job.error is None else job.error["message"]
    return tag(
        "article",
        tag("header", tag("h3", draw.subject(job), class_="subject")),
        tag(
            "div",
            tag("p", message, class_="stage"),
            draw.button(
                "again",
                job.id,
                view.say("job.again"),
                view.say("job.again.label", subject=draw.subject(job)),
            ),
            class_="row",
        ),
        class_="card",
        data_job=job.id,
        data_state=job.state.value,
    )


def _empty(view: View) -> Markup:
    return tag(
        "div",
        tag("h3", view.say("queue.empty")),
        tag("p", view.say("queue.empty.how")),
        tag("p", tag("a", view.say("queue.empty.make"), href="/", class_="press")),
        class_="empty",
    )
