"""One errand, from an order to a message that shows the result, exactly once.

Every step can be done twice without harm, so a bot that is killed anywhere goes on where the store
says: the order has the interaction's id as its key; editing the answer is the same however often;
and where the answer can no longer be edited, a new message has the interaction's id as its nonce,
and is looked for before it is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import ui

from bots import buttons
from bots.attachments import brought
from bots.parcel import Parcel, packed, subject_of
from bots.store import Errand, State
from bots.wording import MAX_MESSAGE, clipped, explained, progress
from studio.client import Client
from studio.errors import Broken, StudioError, Unavailable
from studio.job import Job, JobState
from studio.words import say

if TYPE_CHECKING:
    from bots.bot import StudioBot

#: Seconds between two edits of a message; Discord has little patience with more.
EDIT_SECONDS = 3.0
#: Seconds to wait after the first failure, and at most.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0
#: Discord's name for the message that answers an interaction; discord.py expects a number.
_ORIGINAL: Any = "@original"
#: The answer can be edited no more: invalid token, unknown webhook, unknown interaction.
_TOO_LATE = (50027, 10015, 10062)
_UNKNOWN_MESSAGE = 10008
_TOO_LARGE = 413
#: Below this many bytes a file is not made smaller, but linked to.
_SMALLEST = 50_000
#: Failures that pass.
_PASSING = (
    discord.DiscordServerError,
    discord.RateLimited,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
)

_LOG = logging.getLogger(__name__)


class Delivery:
    """Carries one errand out, from wherever it is."""

    def __init__(self, bot: StudioBot, errand: Errand) -> None:
        self.errand = errand
        self._bot = bot
        self._says = ""
        self._changed = asyncio.Event()
        #: Whether the answer can still be edited.
        self._open = True

    async def run(self) -> None:
        """Do what is left to do; whatever passes is waited for. Ends with the errand."""
        wait = _FIRST_WAIT
        while True:
            try:
                async with self._bot.clients(self.errand.studio_owner) as client:
                    await self._carry_out(client)
                return
            except StudioError as error:
                if not (isinstance(error, Unavailable) and error.retry):
                    await self._give_up(error)
                    return
                await self._tell(explained(error))
            except _PASSING as error:
                _LOG.warning("errand %s waits after: %s", self.errand.id, error)
            except Exception:
                broken = Broken()
                _LOG.exception("incident %s: errand %s", broken.incident, self.errand.id)
                await self._give_up(broken)
                return
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _carry_out(self, client: Client) -> None:
        if not self.errand.job:
            self._update(job=await self._order(client), state=State.MAKING)
        job = await client.job(self.errand.job)
        if not job.state.final:
            job = await self._follow(client, job)
        if job.state is JobState.CANCELLED and not job.artifacts:
            await self._post(
                say("job.stopped", self.errand.language),
                buttons.ended(job, self.errand.language, []),
            )
        elif job.state is JobState.DONE or job.artifacts:
            await self._show(client, job)
        else:
            await self._fail(job)

    async def _order(self, client: Client) -> str:
        """Order it under the errand's own key, and return the job's id."""
        values = await brought(client, self.errand.values)
        job = await client.submit(self.errand.task, values, key=f"discord:{self.errand.id}")
        return job.id

    async def _follow(self, client: Client, job: Job) -> Job:
        """Tell how far the job is until it is final, and return it then."""
        telling = asyncio.create_task(self._keep_telling(job))
        self._say(say("job.sent", self.errand.language))
        try:
            async for event in client.events(job.id):
                count = int(job.request["count"])
                line = progress(event, job.card, count, self.errand.language)
                if line is not None:
                    self._say(line)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
        return await client.job(job.id)

    def _say(self, line: str) -> None:
        if line != self._says:
            self._says = line
            self._changed.set()

    async def _keep_telling(self, job: Job) -> None:
        """Have the answer say what there is to say, and no more often than Discord likes."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._tell(self._says, buttons.working(job.id, self.errand.language))
            await asyncio.sleep(EDIT_SECONDS)

    async def _tell(self, text: str, view: ui.View | None = None) -> None:
        """Edit the answer, if it can be edited; progress is not worth more than one try."""
        if self._open:
            try:
                await self._edit(clipped(text), view)
            except (discord.HTTPException, *_PASSING) as error:
                self._open = not _too_late(error)

    async def _show(self, client: Client, job: Job) -> None:
        """Post the job's outputs."""
        language = self.errand.language
        subject = subject_of(job.request, job.task)
        shown = [n for n in self.errand.only or range(len(job.artifacts)) if n < len(job.artifacts)]
        view = buttons.ended(job, language, shown)
        largest = self.errand.limit
        while True:
            parcel = await packed(
                client,
                [job.artifacts[n] for n in shown],
                self.errand,
                subject,
                largest=largest,
                public_url=self._bot.public_url,
            )
            try:
                await self._post(_caption(job, subject, parcel, language), view, parcel)
            except discord.HTTPException as error:
                if error.status != _TOO_LARGE or not parcel.pieces:
                    raise
                # The place takes less than it said, or less at once.
                largest = max(piece.path.stat().st_size for piece in parcel.pieces) // 2
                largest = largest if largest >= _SMALLEST else 0
            else:
                return

    async def _fail(self, job: Job) -> None:
        error = StudioError.from_record(job.error) if job.error else Broken()
        failed = say("job.failed", self.errand.language)
        text = f"**{failed}** {explained(error)}"
        await self._post(clipped(text), buttons.ended(job, self.errand.language, []))

    async def _give_up(self, error: StudioError) -> None:
        """Say that nothing comes of the errand; log it, if nobody can be told."""
        try:
            await self._post(explained(error), None)
        except (discord.HTTPException, *_PASSING) as failure:
            _LOG.warning("errand %s: %s; nobody could be told: %s", self.errand.id, error, failure)
            self._update(state=State.DROPPED)

    async def _post(self, text: str, view: ui.View | None, parcel: Parcel | None = None) -> None:
        """Show the end of the errand: in the answer, or else in a new message."""
        parcel = parcel or Parcel()
        if self.errand.state is not State.SENDING and self._in_time():
            try:
                message = await self._edit(text, view, parcel)
            except discord.HTTPException as error:
                if error.code == _UNKNOWN_MESSAGE:
                    _LOG.warning("errand %s: its answer was deleted", self.errand.id)
                    self._update(state=State.DROPPED)
                    return
                if not _too_late(error):
                    raise
            else:
                self._update(state=State.POSTED, message=str(message.id))
                return
        self._update(state=State.SENDING)
        await self._send(text, view, parcel)

    def _in_time(self) -> bool:
        """Whether the answer can be edited still, by the clock; a token lives fifteen minutes."""
        return self._open and time.time() < self.errand.created + 15 * 60

    async def _edit(
        self, text: str, view: ui.View | None, parcel: Parcel | None = None
    ) -> discord.WebhookMessage:
        hook = discord.Webhook.partial(
            self._bot.application_id or 0, self.errand.token, client=self._bot
        )
        return await hook.edit_message(
            _ORIGINAL, content=text, attachments=self._files(parcel), view=view
        )

    async def _send(self, text: str, view: ui.View | None, parcel: Parcel) -> None:
        """Send a new message where the order was given, or to the user themselves."""
        places: list[discord.abc.Messageable] = []
        if not self.errand.personal:
            places.append(self._bot.get_partial_messageable(int(self.errand.channel)))
        with contextlib.suppress(discord.HTTPException):
            places.append(await self._bot.create_dm(discord.Object(int(self.errand.user))))
        addressed = clipped(f"<@{self.errand.user}> {text}")
        for place in places:
            try:
                message = await self._sent_before(place) or await place.send(
                    addressed,
                    files=self._files(parcel),
                    view=view or discord.utils.MISSING,
                    nonce=self.errand.id,
                )
            except (discord.Forbidden, discord.NotFound) as error:
                _LOG.info("errand %s cannot be posted in one place: %s", self.errand.id, error)
            else:
                self._update(state=State.POSTED, message=str(message.id))
                return
        _LOG.warning("errand %s: there is nowhere to post it", self.errand.id)
        self._update(state=State.DROPPED)

    async def _sent_before(self, place: discord.abc.Messageable) -> discord.Message | None:
        """The message that shows the result already, if an earlier bot got that far.

        Discord itself knows a nonce for a few minutes only.
        """
        mark = buttons.button_id("again", self.errand.job)
        with contextlib.suppress(discord.Forbidden):
            async for message in place.history(
                limit=100, after=discord.Object(int(self.errand.id)), oldest_first=True
            ):
                if message.author.id == self._bot.application_id and mark in _ids(message):
                    return message
        return None

    def _files(self, parcel: Parcel | None) -> list[discord.File]:
        pieces = parcel.pieces if parcel else ()
        return [piece.file(self.errand.spoiler) for piece in pieces]

    def _update(self, **changes: Any) -> None:
        self.errand = self._bot.store.update(self.errand, **changes)


def _caption(job: Job, subject: str, parcel: Parcel, language: str) -> str:
    """What stands above the files: what was asked for, and that it is made by AI."""
    made = say("bot.made", language, model=job.card, seed=job.request["seed"])
    lines = [f"-# {made}"]
    lines += [f"-# {remark.sentence}" for remark in job.remarks[:3]]
    large = [link for link in parcel.links if link]
    if large:
        lines.append(say("bot.large.link", language, links="\n".join(large)))
    elif parcel.links:
        lines.append(say("bot.large", language))
    below = clipped("\n".join(lines), MAX_MESSAGE // 2)
    words = discord.utils.escape_markdown(" ".join(subject.split()))
    if parcel.text:
        words = clipped(words, 300)
        below = f"{clipped(parcel.text, MAX_MESSAGE - len(below) - 400)}\n{below}"
    return f"**{clipped(words, MAX_MESSAGE - len(below) - 50)}**\n{below}"


def _too_late(error: Exception) -> bool:
    return isinstance(error, discord.HTTPException) and error.code in _TOO_LATE


def _ids(message: discord.Message) -> Sequence[str]:
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return [getattr(one, "custom_id", None) or "" for row in rows for one in row.children]
