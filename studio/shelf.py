"""Models that are being fetched or imported while the host goes on with its work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from studio import imports
from studio.cards import Card
from studio.catalog import Catalog
from studio.errors import Broken, Cancelled, ErrorRecord, StudioError, Unavailable
from studio.settings import Settings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Download:
    """How far a model is on its way here, in bytes; `total` is 0 until it is known."""

    done: int = 0
    total: int = 0
    #: Why it ended before its time; what has arrived is kept for the next attempt.
    error: ErrorRecord | None = None

    @property
    def runs(self) -> bool:
        """Whether it is still on its way."""
        return self.error is None


class Shelf:
    """One host's downloads and imports: at most one per model, each in a thread of its own."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._downloads: dict[str, Download] = {}
        self._stopped: set[str] = set()

    def download(self, name: str) -> Download | None:
        """The download of the model called `name`, if it is on its way or has failed."""
        return self._downloads.get(name)

    def downloads(self) -> dict[str, Download]:
        """Everything that is on its way or has failed, by name."""
        return dict(self._downloads)

    def get(self, card: Card) -> None:
        """Begin to fetch the model, or go on where it was interrupted.

        Raises:
            Unavailable: if it is on its way already.
        """
        self._begin(card.name, partial(self._fetch, card))

    def bring(self, name: str, wish: imports.Wish, catalog: Catalog, settings: Settings) -> None:
        """Begin to import what `wish` says, as the model called `name`.

        Raises:
            Unavailable: if another import of that name is under way.
        """
        wish = replace(wish, name=name)
        progress = partial(self._progress, name)
        self._begin(name, lambda: imports.bring(wish, catalog, settings, progress))

    def stop(self, name: str) -> None:
        """Stop the model's download, if there is one, and forget why an earlier one failed."""
        with self._lock:
            self._stopped.add(name)
            if (current := self._downloads.get(name)) is not None and not current.runs:
                del self._downloads[name]

    def remove(self, card: Card) -> None:
        """Delete the model's weights; see `hub.remove`."""
        from studio import hub

        hub.remove(card, self._models)

    def _begin(self, name: str, work: Callable[[], object]) -> None:
        with self._lock:
            current = self._downloads.get(name)
            if current is not None and current.runs:
                raise Unavailable(f"{name} is on its way already.", hint="Wait until it is here.")
            self._downloads[name] = Download()
            self._stopped.discard(name)
        # It ends with the process: what has arrived is kept, and the next attempt goes on.
        threading.Thread(target=self._run, args=(name, work), daemon=True).start()

    def _progress(self, name: str, done: int, total: int) -> None:
        if name in self._stopped:
            raise Cancelled
        self._downloads[name] = replace(self._downloads[name], done=done, total=total)

    def _fetch(self, card: Card) -> None:
        from studio import hub  # it is slow to import, and few hosts ever need it

        progress = partial(self._progress, card.name)

        def agreed(offer: hub.Offer) -> bool:
            progress(0, offer.size)
            return True

        hub.get(card, self._models, confirm=agreed, progress=progress)

    def _run(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Cancelled:
            pass
        except StudioError as error:
            self._downloads[name] = Download(error=error.record())
            return
        except Exception as error:
            broken = Broken()
            _LOG.error("incident %s: fetching %s", broken.incident, name, exc_info=error)
            self._downloads[name] = Download(error=broken.record())
            return
        del self._downloads[name]
