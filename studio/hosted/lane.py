"""The lane of one provider: a `Lane` whose work is done elsewhere.

It takes as many jobs at a time as the provider's `at_once` says, each with one call. A call that
fails for a reason that may pass is made again, later each time and not before the provider wants
to be asked. After several failures in a row nothing is asked for a while, and everybody hears at
once why.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

from studio.cards import Card
from studio.errors import Cancelled, Unavailable
from studio.families import Order
from studio.hosted.calls import Answer, Call, Kit, Trouble
from studio.hosted.failures import passes, told, wait_asked
from studio.hosted.orders import call_of, draft_of
from studio.job import Event, TextDelta
from studio.settings import Provider, Settings
from studio.tasks.request import cleaned
from studio.worker.report import LaneState, Made
from studio.worker.supervisor import Lane

#: Seconds before the second attempt; twice as long before each further one.
_PAUSE = 0.5
#: Seconds that a provider may ask for before it counts as gone for now.
_PATIENCE = 60.0
#: Failures in a row after which nothing is asked for so many seconds.
_FAILURES = 5
_REST = 60.0

_LOG = logging.getLogger(__name__)


class HostedLane(Lane):
    """One provider. It has no child, and its connections live on the host's event loop."""

    def __init__(
        self, settings: Settings, name: str, provider: Provider, number: int, rest: float = _REST
    ) -> None:
        """A lane for the provider called `name`; after failing in a row it rests for `rest`."""
        super().__init__(settings, f"hosted:{name}", number)
        self.at_once = provider.at_once
        self._name = name
        self._provider = provider
        self._kit: Kit | None = None
        self._key = ""
        self._loading = asyncio.Lock()
        self._calls: dict[str, asyncio.Task[Answer]] = {}
        self._folders = itertools.count(1)
        self._rest_seconds = rest
        self._failures = 0
        self._rests_until = 0.0

    @property
    def state(self) -> LaneState:
        """No device, and nothing in memory."""
        return LaneState(self._device)

    async def close(self) -> None:
        """End all calls and close the connections."""
        if self._kit is not None:
            await self._kit.close()
        await super().close()

    async def generate(
        self,
        card: Card,
        folder: Path,
        revision: str,
        orders: Sequence[Order],
        *,
        tell: Callable[[str, Event], None],
        begun: Callable[[], Awaitable[None]],
    ) -> AsyncGenerator[Made, None]:
        """Have the provider make the one order there is; see `Lane.generate`.

        Raises:
            Cancelled: if the job was cancelled; the connection is closed.
            InvalidRequest: if the provider cannot do what is asked.
            Refused: if its rules forbid it.
            Unavailable: if it does not answer, or its key, its money or its answer is no good.
        """
        (order,) = orders
        self._refuse_while_resting()
        call = call_of(card, order)
        kit = await self._opened()
        await begun()
        began = time.monotonic()
        answer = await self._stoppable(order.job, self._ask(kit, card, order, call, tell))
        place = self._spool / str(next(self._folders)) / "0"
        versions = {"device": self._device, "kit": kit.version}

        def keep() -> Made:
            place.mkdir(mode=0o700, parents=True)
            draft, original = draft_of(card, order, call, answer, place, self._settings)
            return Made(order, draft, versions, 1, time.monotonic() - began, original)

        yield await asyncio.to_thread(keep)

    def cancel(self, job_id: str) -> None:
        """End the job's call, and with it the connection."""
        if call := self._calls.get(job_id):
            call.cancel()

    async def _stoppable(self, job: str, asking: Awaitable[Answer]) -> Answer:
        call = asyncio.ensure_future(asking)
        self._calls[job] = call
        try:
            await asyncio.wait([call])
        finally:
            del self._calls[job]
            call.cancel()
        if call.cancelled():
            raise Cancelled
        return call.result()

    async def _ask(
        self, kit: Kit, card: Card, order: Order, call: Call, tell: Callable[[str, Event], None]
    ) -> Answer:
        """The provider's answer, after as many attempts as it takes and the settings allow."""
        heard = False

        def hear(text: str) -> None:
            nonlocal heard
            heard = True
            tell(order.job, TextDelta(cleaned(text), order.index))

        if beginning := order.request.get("beginning"):
            tell(order.job, TextDelta(beginning, order.index))
        attempt = 0
        while True:
            try:
                answer = await kit.ask(call, hear)
            except Trouble as trouble:
                pause = max(_PAUSE * 2**attempt, wait_asked(trouble)) * random.uniform(1, 1.25)  # noqa: S311
                # What people have read already cannot be taken back and written differently.
                final = heard or not passes(trouble) or attempt == self._provider.retries
                if final or pause > _PATIENCE:
                    self._failed(trouble)
                    raise told(trouble, self._name, call.model, self._key) from None
                attempt += 1
                await asyncio.sleep(pause)
            else:
                self._failures = 0
                return answer

    def _failed(self, trouble: Trouble) -> None:
        _LOG.warning("%s failed: %s, status %s", self._name, trouble.kind, trouble.status)
        if not passes(trouble):
            return  # It is the order's fault or the operator's; the provider is there.
        self._failures += 1
        if self._failures >= _FAILURES:
            self._rests_until = time.monotonic() + self._rest_seconds

    def _refuse_while_resting(self) -> None:
        left = self._rests_until - time.monotonic()
        if left > 0:
            raise Unavailable(
                f"{self._name} failed {self._failures} times in a row and is left alone for now.",
                hint=f"Order it again in {left:.0f} seconds, or choose a model that runs here.",
            )

    async def _opened(self) -> Kit:
        """The provider's kit, imported and given its key when it is first needed."""
        async with self._loading:
            if self._kit is None:
                # Off the loop: the kits take a second to import.
                kit = await asyncio.to_thread(_kit, self._provider.api)
                self._key = await asyncio.to_thread(_key, self._name, self._provider.key_file)
                url = self._provider.base_url
                self._kit = kit(
                    self._key, str(url) if url else None, self._provider.timeout_seconds
                )
            return self._kit


def _kit(api: str) -> Callable[[str, str | None, float], Kit]:
    try:
        match api:
            case "anthropic":
                from studio.hosted.anthropic import Anthropic

                return Anthropic
            case "google":
                from studio.hosted.google import Google

                return Google
            case _:
                from studio.hosted.openai import OpenAI

                return OpenAI
    except ImportError:
        raise Unavailable(
            f"The software that speaks to {api} is not installed.",
            hint="Install it with `scripts/install hosted`.",
        ) from None


def _key(name: str, file: Path | None) -> str:
    if file is None:
        return ""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise Unavailable(
            f"The key for {name} cannot be read.",
            hint=f"Whoever runs this studio can check the key_file of [hosted.{name}].",
        ) from None
