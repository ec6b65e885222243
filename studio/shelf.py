"""Models that are being fetched while the host goes on with its work."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from pathlib import Path

from studio.cards import Card
from studio.errors import Broken, Cancelled, ErrorRecord, StudioError, Unavailable

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Download:
    """How far a model is on its way here, in bytes; `total` is 0 until the hub has said it."""

    done: int = 0
    total: int = 0
    #: Why it ended before its time; what has arrived is kept for the next attempt.
    error: ErrorRecord | None = None

    @property
    def runs(self) -> bool:
        """Whether it is still on its way."""
        return self.error is None


class Shelf:
    """The downloads of one host: at most one per model, each in a thread of its own."""

    def __init__(self, models: Path) -> None:
        self._models = models
        self._lock = threading.Lock()
        self._downloads: dict[str, Download] = {}
        self._stopped: set[str] = set()

    def download(self, name: str) -> Download | None:
        """The download of the model called `name`, if it is on its way or has failed."""
        return self._downloads.get(name)

    def get(self, card: Card) -> None:
        """Begin to fetch the model, or go on where it was interrupted.

        Raises:
            Unavailable: if it is on its way already.
        """
        with self._lock:
            current = self._downloads.get(card.name)
            if current is not None and current.runs:
                raise Unavailable(
                    f"{card.studio.title} is on its way already.", hint="Wait until it is here."
                )
            self._downloads[card.name] = Download()
            self._stopped.discard(card.name)
        # It ends with the process: what has arrived is kept, and the next attempt goes on.
        threading.Thread(target=self._fetch, args=(card,), daemon=True).start()

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

    def _fetch(self, card: Card) -> None:
        from studio import hub  # it is slow to import, and few hosts ever need it

        def progress(done: int, total: int) -> None:
            if card.name in self._stopped:
                raise Cancelled
            self._downloads[card.name] = replace(self._downloads[card.name], done=done, total=total)

        def agreed(offer: hub.Offer) -> bool:
            progress(0, offer.size)
            return True

        try:
            hub.get(card, self._models, confirm=agreed, progress=progress)
        except Cancelled:
            pass
        except StudioError as error:
            self._downloads[card.name] = Download(error=error.record())
            return
        except Exception as error:
            broken = Broken()
            _LOG.error("incident %s: fetching %s", broken.incident, card.name, exc_info=error)
            self._downloads[card.name] = Download(error=broken.record())
            return
        del self._downloads[card.name]
