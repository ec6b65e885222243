"""The looker: sees every picture that was made, while nobody needs the device.

By what it sees, the gallery finds pictures by meaning or by likeness, and knows a caption for those
who cannot see them. It works through a lane like any job, but stands in no line, makes nothing that
is sealed, and stops whenever somebody orders something.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import anyio
import numpy as np
from PIL import Image

from studio.artifacts import ArtifactStore
from studio.cards import Card, Embedded
from studio.catalog import Catalog
from studio.draft import Draft
from studio.elsewhere import Hosted
from studio.errors import NotFound, Unavailable
from studio.families import VECTORS, Order
from studio.fields import build
from studio.gallery import Filter
from studio.inputs import Inputs
from studio.likeness import Likenesses, Vectors
from studio.settings import Settings
from studio.tasks import TASKS, Task
from studio.tasks.request import cleaned
from studio.worker.supervisor import Lane

#: Pictures that are looked at in one batch: seconds on a slow processor.
_AT_ONCE = 16
#: How many captions are written at once, and how long one may be, in tokens.
_CAPTIONS, _CAPTION_TOKENS = 4, 60
#: Seconds that a search lets pass to look at pictures that nobody has looked at yet.
_CATCH_UP_SECONDS = 10.0
#: Seconds that a search takes at most, on a device that is at work.
_PATIENCE_SECONDS = 30.0
#: Seconds before it goes on after something went wrong.
_REST_SECONDS = 600.0
#: What the folders of pictures that are being looked at begin with.
_DESK = "looking-"

_COMPARING, _DESCRIBING = TASKS["image-ranking"], TASKS["image-to-text"]
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Near:
    """The nearest pictures, found by a card: ids with cosines; and how many nobody has seen yet."""

    card: str
    pictures: Sequence[tuple[str, float]]
    unseen: int


class Looker:
    """Sees what was made, one batch at a time. Open it with `async with`, when the lanes are."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        lanes: Sequence[Lane],
        store: ArtifactStore,
        inputs: Inputs,
        *,
        preview: Callable[[str], Path],
        busy: Callable[[], bool],
    ) -> None:
        """`preview` is an artifact's small copy; `busy`, whether there is any job."""
        self._settings = settings
        self._catalog = catalog
        # Beside accelerators, the processor is quick enough and keeps nobody waiting.
        self._lane = next((lane for lane in lanes if lane.state.device == "cpu"), lanes[-1])
        self._store = store
        self._inputs = inputs
        self._preview = preview
        self._busy = busy
        self._likenesses = Likenesses(settings.home / "likenesses.sqlite")
        #: Pictures that could not be looked at.
        self._puzzling: set[str] = set()
        self._seeing = asyncio.Lock()
        self._asked: set[asyncio.Task[Vectors]] = set()

    async def __aenter__(self) -> Self:
        """Begin to look."""
        for left in (self._settings.home / "inputs").glob(f"{_DESK}*"):
            shutil.rmtree(left, ignore_errors=True)
        self._work = asyncio.create_task(self._look(), name="looker")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop looking; the next host goes on where this one was."""
        ending = [self._work, *self._asked]
        for work in ending:
            work.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def find(
        self, owner: str, where: Filter, *, meaning: str, like: str | None, limit: int
    ) -> Near:
        """The owner's pictures that suit the words `meaning`, or look `like` an artifact or upload.

        Raises:
            NotFound: if `like` is nothing of the owner's.
            InvalidRequest: if it is no picture, or `meaning` is longer than the model reads.
            Unavailable: if no model that compares is installed, or the device is at work for long.
        """
        if (card := self._able(_COMPARING)) is None:
            raise Unavailable(
                "No model that compares pictures is installed.",
                hint="Get one with `studio models get`; `studio models` lists them.",
            )
        vector = await self._patiently(self._sought(owner, card, meaning, like))

        def nearest() -> Near:
            among = [one for one in self._store.ids(owner, where) if one != like]
            unseen = set(self._likenesses.lacking(among)).intersection(self._store.shown())
            return Near(
                card.name,
                self._likenesses.nearest(vector, among, limit),
                len(unseen - self._puzzling),
            )

        return await anyio.to_thread.run_sync(nearest)

    async def _look(self) -> None:
        """Look at what is new whenever nothing else is to be done, for as long as it is open."""
        while True:
            await asyncio.sleep(self._settings.look_seconds)
            try:
                while not self._busy() and (await self._see() or await self._describe()):
                    await asyncio.sleep(0)
            except Exception as error:
                # What fails while it is being ended must not keep it going.
                if (work := asyncio.current_task()) is not None and work.cancelling():
                    raise
                # Nobody waits for it; searching says itself why it cannot be done.
                _LOG.warning("pictures are looked at again later: %s", error, exc_info=error)
                await asyncio.sleep(_REST_SECONDS)

    async def _see(self, card: Card | None = None) -> bool:
        """Learn what the newest unseen pictures are like; whether there were any."""
        if (card := card or self._able(_COMPARING)) is None:
            return False
        async with self._seeing:
            unseen = await anyio.to_thread.run_sync(self._unseen, card)
            if not unseen:
                return False
            self._puzzling.update(unseen)
            with self._desk() as desk:
                opened = await anyio.to_thread.run_sync(self._open, unseen, Path(desk))
                if opened:
                    found = await self._vectors(card, list(opened.values()), "")
                    seen = dict(zip(opened, found, strict=True))
                    await anyio.to_thread.run_sync(self._likenesses.add, seen)
                    self._puzzling -= opened.keys()
        return True

    async def _describe(self) -> bool:
        """Write captions for the newest pictures that have none; whether there were any."""
        if (card := self._able(_DESCRIBING)) is None:
            return False
        silent = await anyio.to_thread.run_sync(self._store.uncaptioned)
        silent = [one for one in silent if one not in self._puzzling][:_CAPTIONS]
        if not silent:
            return False
        self._puzzling.update(silent)
        asked = build(_DESCRIBING.request, {"image": "a", "max_tokens": _CAPTION_TOKENS})
        request = card.narrow(_DESCRIBING, asked).model_dump()
        with self._desk() as desk:
            opened = await anyio.to_thread.run_sync(self._open, silent, Path(desk))
            orders = [
                Order("looking", number, _DESCRIBING.id, request, 0, {"image": place})
                for number, place in enumerate(opened.values())
            ]
            told = await self._made(card, orders) if orders else []
        for picture, draft in zip(opened, told, strict=True):
            caption = " ".join(cleaned(str(draft.facts["text"])).split())
            with suppress(NotFound):
                # It may have been deleted for ever meanwhile.
                await anyio.to_thread.run_sync(self._caption, picture, caption)
        return True

    def _able(self, task: Task) -> Card | None:
        """The card that does `task` for all pictures; None if there is none.

        Nobody asked for a caption, so one that knows nothing but a small world writes none.
        """
        named = self._settings.caption_model if task is _DESCRIBING else self._settings.search_model
        if named:
            self._catalog.permit(self._catalog[named])
            return self._catalog[named]
        for card in self._catalog.for_task(task):
            source = card.studio.source
            # What runs elsewhere is shown nothing that nobody sent there.
            if isinstance(source, Hosted) or not self._catalog.installed(card):
                continue
            small = task is _DESCRIBING and isinstance(source, Embedded)
            if self._catalog.permits(card) and not small:
                return card
        return None

    def _unseen(self, card: Card) -> list[str]:
        """The next pictures to look at."""
        shown = self._store.shown()
        self._likenesses.use(f"{card.name} {self._catalog.revision(card)}")
        self._likenesses.retain(shown)
        lacking = self._likenesses.lacking(shown)
        return [one for one in lacking if one not in self._puzzling][:_AT_ONCE]

    def _open(self, pictures: Sequence[str], desk: Path) -> dict[str, Path]:
        """Where the small copies of pictures lie as arrays; those that are gone are left out."""
        opened = {}
        for picture in pictures:
            with suppress(NotFound), Image.open(self._preview(picture)) as shown:
                pixels = np.asarray(shown.convert("RGB"))
                opened[picture] = Draft("image", 0, 0, {"pixels": pixels}).spool(desk / picture)
        return opened

    def _caption(self, picture: str, caption: str) -> None:
        self._store.keep(picture, caption=caption)
        if caption:
            self._puzzling.discard(picture)

    async def _patiently(self, looking: Coroutine[Any, Any, Vectors]) -> Vectors:
        """What it finds. Whoever stops waiting does not end the child that is at it."""
        asked = asyncio.create_task(looking)
        self._asked.add(asked)
        asked.add_done_callback(self._asked.discard)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await asyncio.shield(asked)
        except TimeoutError:
            raise Unavailable(
                "The device is at work, and the search has waited long enough.",
                hint="Search again later, or by words alone.",
                retry=True,
            ) from None

    async def _sought(self, owner: str, card: Card, meaning: str, like: str | None) -> Vectors:
        """What to look for, once as much as there is time for was looked at."""
        until = time.monotonic() + _CATCH_UP_SECONDS
        while not self._busy() and time.monotonic() < until and await self._see(card):
            pass
        return await (self._like(owner, card, like) if like else self._vector(card, [], meaning))

    async def _like(self, owner: str, card: Card, picture: str) -> Vectors:
        known = await anyio.to_thread.run_sync(self._known, owner, picture)
        if known is not None:
            return known
        with self._desk() as desk:
            place = await anyio.to_thread.run_sync(self._inputs.picture, owner, picture, Path(desk))
            return await self._vector(card, [place], "")

    def _known(self, owner: str, picture: str) -> Vectors | None:
        """The vector of the owner's own artifact, if it is one, and was seen."""
        with suppress(NotFound):
            if self._store.get(picture).owner == owner:
                return self._likenesses.of(picture)
        return None

    async def _vector(self, card: Card, places: Sequence[Path], words: str) -> Vectors:
        return np.asarray((await self._vectors(card, places, words))[0])

    async def _vectors(self, card: Card, places: Sequence[Path], words: str) -> Vectors:
        """What these opened pictures are like, or else these words."""
        request = {"images": [place.name for place in places], "prompt": words, "format": VECTORS}
        inputs = {f"images.{number}": place for number, place in enumerate(places)}
        (draft,) = await self._made(card, [Order("looking", 0, _COMPARING.id, request, 0, inputs)])
        if VECTORS not in draft.facts:
            raise Unavailable(
                f"{card.studio.title} ranks pictures, but cannot say what they are like.",
                hint="Name another model as `search_model` in the settings.",
            )
        return np.asarray(draft.facts[VECTORS], np.float32)

    async def _made(self, card: Card, orders: Sequence[Order]) -> list[Draft]:
        """What the lane makes of `orders`."""
        folder = await anyio.to_thread.run_sync(self._catalog.folder, card)
        revision = await anyio.to_thread.run_sync(self._catalog.revision, card)
        drafts = []
        async for made in self._lane.generate(
            card, folder, revision, orders, tell=lambda *_: None, begun=_nothing
        ):
            draft = await anyio.to_thread.run_sync(Draft.unspool, made.place)
            drafts.append(draft.checked("text", made.order.index, made.order.seed))
            await anyio.to_thread.run_sync(self._lane.discard, made.place)
        return drafts

    def _desk(self) -> tempfile.TemporaryDirectory[str]:
        """A folder for pictures that are being looked at, where the device child may read."""
        # Whoever is ended while a thread still writes there leaves it to the next host.
        return tempfile.TemporaryDirectory(
            prefix=_DESK, dir=self._settings.home / "inputs", ignore_cleanup_errors=True
        )


async def _nothing() -> None:
    """Nobody counts how often it looks."""
