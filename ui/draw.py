"""Somebody's work as HTML: pure functions from what a page knows to what it shows."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from studio.artifact import Artifact
from studio.errors import StudioError
from studio.job import Job, JobState, Preview, Step
from studio.tasks import TASKS
from studio.words import said
from ui.explain import explain
from ui.markup import tag
from ui.show import about, downloads, shown
from ui.verdicts import verdict
from ui.view import Live, View


def unfinished(view: View) -> Markup:
    """The jobs that are not finished, and whatever keeps the page from being up to date."""
    return tag(
        "div",
        explain(view.say("error.form"), view.trouble) if view.trouble else None,
        *(making(view, job, _outputs(view, job)) for job in view.jobs if not job.state.final),
        class_="feed",
    )


def finished(view: View) -> Markup:
    """The finished jobs, newest first; where there are none, what this page is for."""
    done = [job for job in view.jobs if job.state.final]
    if done:
        return tag("div", *(_finished(view, job) for job in done), class_="feed")
    if view.jobs:
        return Markup("")
    return tag(
        "div",
        tag("h3", view.say("work.empty")),
        tag("p", view.say("work.empty.how")),
        tag("p", view.say("work.empty.signed")),
        class_="empty",
    )


def making(view: View, job: Job, *more: Markup | None) -> Markup:
    """A job that is not finished: its progress, its previews, how to stop it, and `more`."""
    live = view.live.get(job.id, Live())
    step = live.steps.get(live.index)
    return tag(
        "article",
        _head(view, job),
        tag(
            "div",
            tag("p", _stage(view, job, live), class_="stage", role="status"),
            button(
                "stop",
                job.id,
                view.say("job.stop"),
                view.say("job.stop.label", subject=subject(job)),
            ),
            class_="row",
        ),
        tag(
            "progress",
            aria_label=view.say("job.progress", subject=subject(job)),
            max=step.total if step else 1,
            value=step.done if step else (0 if live.ahead is not None else None),
        ),
        tag(
            "div",
            *(_preview(view, *live.previews[index]) for index in sorted(live.previews)),
            class_="previews",
        ),
        *(_draft(view, live.texts[index]) for index in sorted(live.texts)),
        *more,
        class_="card",
        data_job=job.id,
        data_state=job.state.value,
    )


def _finished(view: View, job: Job) -> Markup:
    return tag(
        "article",
        _head(view, job),
        None if job.state == JobState.DONE else _ending(view, job),
        _outputs(view, job),
        class_="card",
        data_job=job.id,
        data_state=job.state.value,
    )


def _ending(view: View, job: Job) -> Markup:
    stopped = job.state == JobState.CANCELLED
    if stopped or job.error is None:
        message, hint = view.say("job.stopped.how"), ""
    else:
        message, hint = job.error["message"], job.error["hint"]
    return tag(
        "div",
        tag("strong", view.say("job.stopped" if stopped else "job.failed")),
        tag("p", message),
        tag("p", hint, class_="hint") if hint else None,
        button(
            "again",
            job.id,
            view.say("job.again"),
            view.say("job.again.label", subject=subject(job)),
        ),
        class_="banner quiet" if stopped else "banner problem",
    )


def _head(view: View, job: Job) -> Markup:
    parts = [task_title(view, job.task), model_title(view, job.card)]
    return tag(
        "header",
        tag("h3", subject(job), class_="subject"),
        tag("p", " · ".join(parts), class_="quiet"),
        remarks(view, job),
    )


def task_title(view: View, task: str) -> str:
    """What people call the task, in their language."""
    return said(f"task.{task}.title", TASKS[task].title, view.language)


def subject(job: Job) -> str:
    """What a job is about."""
    return about(job.task, job.request)


def remarks(view: View, job: Job) -> Markup | None:
    """The words of the order that the model does not know; in one sentence those of which the same
    is to be said.
    """
    if not job.remarks:
        return None
    alike: dict[tuple[Sequence[str], Sequence[str]], list[str]] = {}
    for one in job.remarks:
        alike.setdefault((one.near, one.known_by), []).append(one.word)
    lines = (tag("p", " ".join(_remark(view, words, *rest))) for rest, words in alike.items())
    return tag("div", *lines, class_="banner remark")


def _remark(
    view: View, words: Sequence[str], near: Sequence[str], known_by: Sequence[str]
) -> Iterator[str]:
    quoted = ", ".join(view.say("remark.word", word=word) for word in words)
    yield view.say("remark.unknown", words=quoted)
    if near:
        yield view.say("remark.near", words=", ".join(near))
    if known_by:
        yield view.say("remark.elsewhere", models=", ".join(known_by))


def model_title(view: View, card: str) -> str:
    """What people call the model of that card."""
    return view.models[card].card.studio.title if card in view.models else card


def _stage(view: View, job: Job, live: Live) -> str:
    count = int(job.request["count"])
    step = live.steps.get(live.index)
    # Several made in one batch take their steps together.
    alone = count > 1 and len(live.steps) == 1
    if step is not None and step.done < step.total:
        values = {"done": step.done, "total": step.total, "index": live.index + 1, "count": count}
        return view.say("job.step.one" if alone else "job.step", **values)
    if step is not None or live.sealed:
        return view.say("job.sealing")
    if live.loading:
        return view.say("job.loading", model=model_title(view, job.card))
    match live.ahead:
        case None:
            return view.say("job.sent")
        case 0:
            return view.say("job.next")
        case 1:
            return view.say("job.ahead.one")
        case many:
            return view.say("job.ahead.many", count=many)


def _preview(view: View, step: Step, preview: Preview) -> Markup:
    # Raw pixels, which the page paints on a canvas: a preview is in no media format, so it can
    # neither be saved nor mistaken for a finished, signed picture.
    return tag(
        "figure",
        tag(
            "canvas",
            width=preview.width,
            height=preview.height,
            data_rgb=base64.b64encode(preview.rgb).decode(),
            role="img",
            aria_label=view.say("preview.alt", done=step.done, total=step.total),
        ),
        tag("figcaption", view.say("preview.label")),
        class_="preview",
    )


def _draft(view: View, text: str) -> Markup:
    return tag(
        "figure",
        tag("div", text, class_="writing", aria_live="off"),
        tag("figcaption", view.say("preview.label")),
        class_="preview text",
    )


def _outputs(view: View, job: Job) -> Markup | None:
    outputs = view.outputs(job)
    if not outputs:
        return None
    if len(outputs) == 1:
        return tag("div", _output(view, job, outputs[0]), class_="outputs single")
    grid = tag("div", *(_output(view, job, output) for output in outputs), class_="outputs")
    return grid + _receipt(view, _shared(view, job, outputs[-1]))


def _output(view: View, job: Job, artifact: Artifact) -> Markup:
    count = int(job.request["count"])
    alt = view.say(
        # What follows the last of them is the whole that they are parts of.
        "result.alt.many" if artifact.note.index < count > 1 else "result.alt",
        subject=subject(job),
        index=artifact.note.index + 1,
        count=count,
    )
    checking = artifact.id in view.verdicts and view.verdicts[artifact.id] is None
    return tag(
        "figure",
        shown(view.say, artifact, alt, view.texts.get(artifact.id, "")),
        tag(
            "div",
            button(
                "verify",
                artifact.id,
                view.say("result.checking" if checking else "result.verify"),
                view.say("result.verify.label", subject=alt),
                disabled=checking,
            ),
            button(
                "vary",
                job.id,
                view.say("result.vary"),
                view.say("result.vary.label", subject=alt),
            )
            if artifact.note.index == 0
            else None,
            tag(
                "a",
                view.say("result.reuse"),
                href=f"/?again={artifact.id}",
                class_="press",
            ),
            downloads(view.say, artifact),
            class_="row",
        ),
        _receipt(
            view,
            _own(view, artifact)
            if count > 1
            else _own(view, artifact) | _shared(view, job, artifact),
        ),
        _verdict_of(view, artifact),
        class_="output",
        data_artifact=artifact.id,
    )


def _own(view: View, artifact: Artifact) -> dict[str, str]:
    """What the receipt says of this output alone."""
    note = artifact.note
    # Whatever is made of another picture takes its size from there.
    sized = artifact.kind == "image" and None not in map(note.request.get, ("width", "height"))
    pixels = view.say("receipt.pixels", **note.request) if sized else ""
    stem = {"receipt.stem": str(note.about["stem"])} if "stem" in note.about else {}
    return stem | {
        "receipt.seed": str(note.seed),
        "receipt.file": f"{pixels}{artifact.media_type}, {size(artifact.size)}",
    }


def _shared(view: View, job: Job, artifact: Artifact) -> dict[str, str]:
    """What the receipt says of all outputs of the job, of which `artifact` is the last."""
    note = artifact.note
    model = view.models.get(note.card)
    notice = model.card.studio.notice if model else ""
    marks = [
        view.say("receipt.mark.image")
        if name == "image"
        else view.say("receipt.mark.other", name=name)
        for name in note.marks
    ]
    carried = ", ".join([*marks, view.say("receipt.manifest")])
    return {
        "receipt.model": " · ".join(filter(None, [model_title(view, note.card), notice])),
        "receipt.time": view.say("receipt.seconds", seconds=f"{note.created - job.created:.1f}"),
        "receipt.marks": view.say("receipt.says", marks=carried),
    }


def _receipt(view: View, rows: dict[str, str]) -> Markup:
    parts = (tag("dt", view.say(key)) + tag("dd", text) for key, text in rows.items())
    return tag("dl", *parts, class_="receipt")


def _verdict_of(view: View, artifact: Artifact) -> Markup | None:
    match view.verdicts.get(artifact.id):
        case None:
            return None
        case StudioError() as error:
            return explain(view.say("error.check"), error)
        case found:
            return verdict(found, view.language)


def button(action: str, target: str, text: str, label: str, *, disabled: bool = False) -> Markup:
    return tag(
        "button",
        text,
        type="button",
        class_="press",
        data_action=action,
        data_id=target,
        aria_label=label,
        disabled=disabled,
    )


def duration(view: View, seconds: float) -> str:
    """So many seconds, or minutes where nobody counts seconds."""
    if seconds < 90:
        return view.say("time.seconds", count=max(round(seconds), 1))
    return view.say("time.minutes", count=round(seconds / 60))


def size(size: int) -> str:
    """Bytes in the unit people read: `123 kB`."""
    power = min(int(math.log(max(size, 1), 1000)), 3)
    return f"{size / 1000**power:.{0 if power < 2 else 1}f} {('B', 'kB', 'MB', 'GB')[power]}"
