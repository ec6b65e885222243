"""An errand that is a run of a recipe: it is begun, followed, and what it was for is brought."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from bots import buttons, recipes
from bots.ages import check_jobs
from bots.attachments import brought
from bots.courier import Courier
from bots.errand import State
from bots.making import captioned, failure, is_scored
from bots.parcel import Parcel
from studio.client import Client
from studio.errors import NotFound, StudioError
from studio.job import Job
from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import Line, RunState, StepState
from studio.runs import Plan
from studio.words import say

#: Seconds between two looks at a run.
_LOOK_SECONDS = 1.0


async def conduct(courier: Courier, client: Client) -> None:
    """Carry the errand out, from wherever it is."""
    errand = courier.errand
    if not errand.job:
        if errand.recipe is None:
            errand = courier.errand = await recipes.read(courier.bot, errand)
        recipe = Recipe.of(errand.recipe)
        values = await brought(client, errand.values)
        plan = Plan(recipe.name, recipe=recipe)
        begun = await client.begin(plan, [Row(1, values)], key=f"discord:{errand.id}")
        courier.update(job=begun.run.id, state=State.MAKING)
    run = courier.errand.job
    recipe = await _recipe(client, run)
    state, line = await _follow(courier, client, recipe)
    jobs = await _jobs(client, line)
    if not errand.adult:
        await check_jobs(client, courier.bot.models, jobs, errand.language)
    wanted = recipe.outputs or tuple(recipe.steps)
    made = [one for one in line.steps if one.step in wanted and one.state is StepState.DONE]
    artifacts = [artifact for one in made for artifact in one.artifacts]
    ending = []
    if state is RunState.STOPPED:
        ending.append(say("job.stopped", errand.language))
    elif line.error is not None:
        ending.append(failure(StudioError.from_record(line.error), errand.language))
    one = next((job for job in jobs if job.artifacts == tuple(artifacts[:1])), None)
    only = one if len(artifacts) == 1 else None
    scored = only is not None and await is_scored(client, artifacts[0])
    view = buttons.chained(run, only, errand.language, scored=scored)
    if not artifacts:
        await courier.end("\n".join(ending), view)
        return
    subject = _subject(recipe, line)
    models = ", ".join(sorted({job.card for job in jobs}))
    below = [say("bot.chain.made", errand.language, models=models), *ending]

    def caption(parcel: Parcel) -> str:
        return captioned(subject, below, parcel, errand.language)

    await courier.bring(client, artifacts, subject, caption, view)


async def _recipe(client: Client, run: str) -> Recipe:
    recipe = await client.recipe(run)
    if recipe is None:
        raise NotFound(
            "This run is a table, and no recipe.", hint="Its results are in the gallery."
        )
    return recipe


async def _follow(courier: Courier, client: Client, recipe: Recipe) -> tuple[RunState, Line]:
    """Tell how far the run is until it is over, and return how it ended."""
    run, language = courier.errand.job, courier.errand.language
    async with courier.telling(buttons.chaining(run, language)):
        while True:
            state = (await client.run(run)).state
            (line,) = await client.lines(run, limit=1)
            if state is not RunState.RUNNING:
                return state, line
            done = sum(1 for made in line.steps if made.state is not StepState.WAITING)
            names = ", ".join(made.step for made in line.steps if made.state is StepState.WAITING)
            total = len(recipe.steps)
            courier.say(say("bot.chain.step", language, done=done, total=total, names=names))
            await asyncio.sleep(_LOOK_SECONDS)


async def _jobs(client: Client, line: Line) -> Sequence[Job]:
    """The jobs of a run's steps, as far as they are not forgotten."""
    found = []
    for made in line.steps:
        if made.job is not None:
            with contextlib.suppress(NotFound):
                found.append(await client.job(made.job))
    return found


def _subject(recipe: Recipe, line: Line) -> str:
    """The recipe's title, and the first of the texts that it was given."""
    title = recipe.title or recipe.name
    texts = [spec.name for spec in recipe.specs() if spec.type == "text" and not spec.media]
    first = str(line.values.get(texts[0]) or "") if texts else ""
    return f"{title}: {first}" if first else title
