"""How whoever gave an errand hears of it: while it is under way, and at its end, exactly once.

Every step can be done twice without harm: editing the answer is the same however often; and where
the answer can no longer be edited, or the end belongs elsewhere, a new message has the errand's id
as its nonce, and is looked for before it is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, Any

import aiohttp
import discord
from discord import ui

from bots import buttons
from bots.errand import State
from bots.parcel import Parcel, packed
from bots.wording import clipped
from studio.client import Client

if TYPE_CHECKING:
    from bots.bot import StudioBot
    from bots.errand import Errand

#: Seconds between two edits of a message; Discord has little patience with more.
EDIT_SECONDS = 3.0
#: Seconds that an edit under way may still take once the end is to be shown.
_PATIENCE = 15.0
#: Seconds after which Discord forgets that somebody is typing, less a little.
_TYPING_SECONDS = 8.0
#: Discord's name for the message that answers an interaction; discord.py expects a number.
_ORIGINAL: Any = "@original"
#: The answer can be edited no more: invalid token, unknown webhook, unknown interaction.
_TOO_LATE = (50027, 10015, 10062)
_UNKNOWN_MESSAGE = 10008
_TOO_LARGE = 413
#: Below this many bytes a file is not made smaller, but linked to.
_SMALLEST = 50_000
#: Failures that pass.
PASSING = (
    discord.DiscordServerError,
    discord.RateLimited,
    aiohttp.ClientError,
    OSError,
    TimeoutError,
)

_LOG = logging.getLogger(__name__)


class Courier:
    """Goes between one errand and whoever gave it."""

    def __init__(self, bot: StudioBot, errand: Errand) -> None:
        self.bot = bot
        self.errand = errand
        self._says = ""
        self._changed = asyncio.Event()
        #: Held while the answer is edited to tell of progress.
        self._editing = asyncio.Lock()
        #: Whether the answer can still be edited, where there is one.
        self._open = True

    def update(self, **changes: Any) -> None:
        """Write down how far the errand is."""
        self.errand = self.bot.store.update(self.errand, **changes)

    def say(self, line: str) -> None:
        """Have `line` told at the next occasion, unless a later one comes first."""
        if line != self._says:
            self._says = line
            self._changed.set()

    @contextlib.asynccontextmanager
    async def telling(self, view: ui.View | None = None) -> AsyncIterator[None]:
        """Tell meanwhile whatever there is to `say`, no more often than Discord likes.

        Where there is no answer to edit, the bot is seen typing instead.
        """
        there = not self.errand.apart
        telling = asyncio.create_task(self._keep_telling(view) if there else self._type())
        try:
            yield
        finally:
            # An edit that is cut off may still be carried out, after the one that shows the end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE), self._editing:
                    pass
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    async def _keep_telling(self, view: ui.View | None) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            async with self._editing:
                await self.tell(self._says, view)
            await asyncio.sleep(EDIT_SECONDS)

    async def _type(self) -> None:
        while True:
            with contextlib.suppress(discord.HTTPException, *PASSING):
                await self.bot.http.send_typing(int(self.errand.channel))
            await asyncio.sleep(_TYPING_SECONDS)

    async def tell(self, text: str, view: ui.View | None = None) -> None:
        """Edit the answer, if it can be edited; progress is not worth more than one try."""
        if self._open and not self.errand.apart:
            try:
                await self.edit(clipped(text), view)
            except (discord.HTTPException, *PASSING) as error:
                self._open = not _too_late(error)

    async def bring(
        self,
        client: Client,
        artifacts: Sequence[str],
        subject: str,
        caption: Callable[[Parcel], str],
        view: ui.View | None,
    ) -> None:
        """End the errand with files, as large as the place takes; `subject` is what they show."""
        largest = self.errand.limit
        while True:
            parcel = await packed(
                client,
                artifacts,
                self.errand,
                subject,
                largest=largest,
                public_url=self.bot.public_url,
            )
            try:
                await self.end(caption(parcel), view, parcel)
            except discord.HTTPException as error:
                if error.status != _TOO_LARGE or not parcel.pieces:
                    raise
                # The place takes less than it said, or less at once.
                largest = max(piece.path.stat().st_size for piece in parcel.pieces) // 2
                largest = largest if largest >= _SMALLEST else 0
            else:
                return

    async def end(
        self, text: str, view: ui.View | None = None, parcel: Parcel | None = None
    ) -> None:
        """Show the end of the errand: in the answer, or else in a new message."""
        parcel = parcel or Parcel()
        if self.errand.state is not State.SENDING and not self.errand.apart and self._in_time():
            try:
                message = await self.edit(text, view, parcel)
            except discord.HTTPException as error:
                if error.code == _UNKNOWN_MESSAGE:
                    _LOG.warning("errand %s: its answer was deleted", self.errand.id)
                    self.update(state=State.DROPPED)
                    return
                if not _too_late(error):
                    raise
            else:
                self.update(state=State.POSTED, message=str(message.id))
                return
        self.update(state=State.SENDING)
        await self._send(text, view, parcel)

    def _in_time(self) -> bool:
        """Whether the answer can be edited still, by the clock; a token lives fifteen minutes."""
        return self._open and time.time() < self.errand.created + 15 * 60

    async def edit(
        self, text: str, view: ui.View | None = None, parcel: Parcel | None = None
    ) -> discord.WebhookMessage:
        """Have the answer say this, and be answered which message it is."""
        hook = discord.Webhook.partial(
            self.bot.application_id or 0, self.errand.token, client=self.bot
        )
        return await hook.edit_message(
            _ORIGINAL, content=text, attachments=self._files(parcel), view=view
        )

    async def _send(self, text: str, view: ui.View | None, parcel: Parcel) -> None:
        """Send a new message where the order was given, or to the user themselves."""
        addressed = clipped(f"<@{self.errand.user}> {text}")
        places: list[tuple[discord.abc.Messageable, dict[str, Any]]] = []
        if not self.errand.personal:
            here = self.bot.get_partial_messageable(int(self.errand.channel))
            places.append((here, self._as_reply(text) if self.errand.apart else {}))
        with contextlib.suppress(discord.HTTPException):
            places.append((await self.bot.create_dm(discord.Object(int(self.errand.user))), {}))
        for place, more in places:
            try:
                message = await self._sent_before(place) or await place.send(
                    **{"content": addressed, **more},
                    files=self._files(parcel),
                    view=view or discord.utils.MISSING,
                    nonce=self.errand.id,
                )
            except (discord.Forbidden, discord.NotFound) as error:
                _LOG.info("errand %s cannot be posted in one place: %s", self.errand.id, error)
            else:
                self.update(state=State.POSTED, message=str(message.id))
                return
        _LOG.warning("errand %s: there is nowhere to post it", self.errand.id)
        self.update(state=State.DROPPED)

    def _as_reply(self, text: str) -> dict[str, Any]:
        """How a message says `text` to the one that asked for it, which may be deleted by now."""
        if self.errand.token:
            return {"content": text}
        asked = discord.MessageReference(
            message_id=int(self.errand.id),
            channel_id=int(self.errand.channel),
            fail_if_not_exists=False,
        )
        return {"content": text, "reference": asked}

    async def _sent_before(self, place: discord.abc.Messageable) -> discord.Message | None:
        """The message that shows the end already, if an earlier bot got that far.

        Discord itself knows a nonce for a few minutes only.
        """
        marks = [buttons.button_id(act, self.errand.job) for act in buttons.ENDINGS]
        with contextlib.suppress(discord.Forbidden):
            async for message in place.history(
                limit=100, after=discord.Object(int(self.errand.id)), oldest_first=True
            ):
                if message.author.id == self.bot.application_id and (
                    any(mark in _ids(message) for mark in marks) or self._answers(message)
                ):
                    return message
        return None

    def _answers(self, message: discord.Message) -> bool:
        """Whether the message is a reply to the one that the errand is about."""
        reference = message.reference
        return reference is not None and str(reference.message_id) == self.errand.id

    def _files(self, parcel: Parcel | None) -> list[discord.File]:
        pieces = parcel.pieces if parcel else ()
        return [piece.file(self.errand.spoiler) for piece in pieces]


def _too_late(error: Exception) -> bool:
    return isinstance(error, discord.HTTPException) and error.code in _TOO_LATE


def _ids(message: discord.Message) -> Sequence[str]:
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    return [getattr(one, "custom_id", None) or "" for row in rows for one in row.children]
