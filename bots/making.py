"""An errand that is one job: it is ordered, followed, and its outputs are brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import discord
from discord import ui

from bots import buttons
from bots.ages import check_jobs
from bots.attachments import brought
from bots.courier import Courier
from bots.errand import State
from bots.models import choose
from bots.parcel import Parcel, subject_of
from bots.rules import Rules, other_model
from bots.wording import MAX_MESSAGE, clipped, explained, progress
from studio.client import Client
from studio.errors import Broken, Refused, StudioError
from studio.fields import Value
from studio.job import Job, JobState
from studio.tasks import TASKS
from studio.words import say


async def make(courier: Courier, client: Client) -> None:
    """Carry the errand out, from wherever it is."""
    errand = courier.errand
    if not errand.job:
        values = await brought(client, errand.values)
        rules = courier.bot.store.rules(errand.guild)
        if rules.models and not values.get("model"):
            values["model"] = await _allowed(courier, client, rules, values)
        job = await client.submit(errand.task, values, key=f"discord:{errand.id}")
        courier.update(job=job.id, state=State.MAKING)
    job = await client.job(courier.errand.job)
    if not errand.adult:
        try:
            await check_jobs(client, courier.bot.models, [job], errand.language)
        except Refused:
            if errand.task:
                await client.cancel(job.id)
            raise
    job = await follow(courier, client, job, buttons.working(job.id, errand.language))
    shown = [n for n in errand.only or range(len(job.artifacts)) if n < len(job.artifacts)]
    scored = len(shown) == 1 and await is_scored(client, job.artifacts[shown[0]])
    view = buttons.ended(job, errand.language, shown, scored=scored)
    if not job.artifacts:
        await courier.end(outcome(job, errand.language), view)
        return
    subject = subject_of(job.request, job.task)
    await courier.bring(
        client,
        [job.artifacts[n] for n in shown],
        subject,
        lambda parcel: caption(job, subject, parcel, errand.language),
        view,
    )


async def _allowed(
    courier: Courier, client: Client, rules: Rules, values: Mapping[str, Value]
) -> str:
    """The model that does an order without one, in a server that does not allow all of them.

    Raises:
        Refused: if none that it allows can do it.
    """
    errand, task = courier.errand, TASKS[courier.errand.task]
    model = await choose(client, rules.models, task, values, adult=errand.adult)
    if model is None:
        raise other_model(rules, errand.language)
    # Whoever takes the errand up again orders the same.
    courier.update(values={**errand.values, "model": model})
    return model


async def is_scored(client: Client, artifact: str) -> bool:
    """Whether there are notes of an output."""
    return "score" in (await client.artifact(artifact)).note.about


async def follow(courier: Courier, client: Client, job: Job, view: ui.View | None) -> Job:
    """Tell how far the job is until it is final, and return it then."""
    if job.state.final:
        return job
    language = courier.errand.language
    courier.say(say("job.sent", language))
    async with courier.telling(view):
        async for event in client.events(job.id):
            count = int(job.request["count"])
            line = progress(event, job.card, count, language)
            if line is not None:
                courier.say(line)
    return await client.job(job.id)


def outcome(job: Job, language: str) -> str:
    """Why a job that has ended made nothing."""
    if job.state is JobState.CANCELLED:
        return say("job.stopped", language)
    error = StudioError.from_record(job.error) if job.error else Broken()
    return failure(error, language)


def failure(error: StudioError, language: str) -> str:
    """That nothing was made, and why."""
    return clipped(f"**{say('job.failed', language)}** {explained(error)}")


def caption(job: Job, subject: str, parcel: Parcel, language: str) -> str:
    """What stands above the files: what was asked for, and that it is made by AI."""
    made = say("bot.made", language, model=job.card, seed=job.request["seed"])
    below = [made, *(remark.sentence for remark in job.remarks[:3])]
    return captioned(subject, below, parcel, language)


def captioned(subject: str, below: list[str], parcel: Parcel, language: str) -> str:
    """The subject, the first text among the outputs, the links and the lines `below`, as fits."""
    room = MAX_MESSAGE // 2 if parcel.text else MAX_MESSAGE - 300
    lines = [f"-# {line}" for line in below]
    # Who made it is always said; the rest can be read elsewhere, and where a file lies cannot.
    links = _linked(parcel.links, room - len(lines[0]) - 1, language)
    foot = clipped("\n".join([*links, *lines]), room)
    words = discord.utils.escape_markdown(" ".join(subject.split()))
    if parcel.text:
        words = clipped(words, 300)
        foot = f"{clipped(parcel.text, MAX_MESSAGE - len(foot) - 400)}\n{foot}"
    return f"**{clipped(words, MAX_MESSAGE - len(foot) - 50)}**\n{foot}"


def _linked(links: Sequence[str], room: int, language: str) -> list[str]:
    """Where the large files lie: as many whole links as there is room for, and how many are left.

    Nothing if there are none.
    """
    large = [link for link in links if link]
    if not large:
        return [say("bot.large", language)] if links else []
    for shown in range(len(large), -1, -1):
        left = len(large) - shown
        more = [say("bot.more", language, count=left)] if left else []
        told = say("bot.large.link", language, links="\n".join([*large[:shown], *more]))
        if len(told) <= room:
            break
    return [told]
