"""The catalogue: all cards, which of their models are installed, and which one runs a request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from studio.cards import ByHand, Card, Embedded, Imported, Package
from studio.elsewhere import Hosted
from studio.errors import NotFound, Refused, Unavailable
from studio.fields import described, fields_of
from studio.settings import Provider, Settings
from studio.tasks import TASKS, Task
from studio.tasks.request import Request
from studio.vocabulary import read_vocabulary, unknown

_PACKAGE = Path(__file__).parent


class Catalog:
    """All cards, and which of their models are installed here."""

    def __init__(
        self,
        cards: Iterable[Card],
        weights: Path,
        providers: Mapping[str, Provider] | None = None,
        *,
        commercial: bool = False,
    ) -> None:
        self._cards = {card.name: card for card in cards}
        self._providers = providers or {}
        self._commercial = commercial
        #: Folder that holds one folder of weights per fetched model.
        self.weights = weights
        for task in TASKS.values():
            fields_of(task.request)

    @staticmethod
    def open(settings: Settings) -> Catalog:
        """The studio's own cards, then those of the home and of the settings' folders.

        Raises:
            InvalidRequest: if any card is wrong; a catalogue is whole or it is not opened.
        """
        folders = [card_folder(), settings.home / "model_cards", *settings.cards]
        cards = [
            Card.read(path)
            for folder in folders
            for path in sorted(folder.glob("*.md"))
            if path.stem != "README"
        ]
        return Catalog(
            cards, settings.home / "models", settings.providers, commercial=settings.commercial
        )

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards.values())

    def __getitem__(self, name: str) -> Card:
        try:
            return self._cards[name]
        except KeyError:
            known = ", ".join(sorted(self._cards))
            raise NotFound(
                f"There is no model called {name!r}.", hint=f"The models are: {known}."
            ) from None

    def add(self, card: Card) -> None:
        """Take a card in; a reader that is going through the catalogue goes on with the old one."""
        self._cards = {**self._cards, card.name: card}

    def drop(self, name: str) -> None:
        """Let a card go."""
        self._cards = {one: card for one, card in self._cards.items() if one != name}

    def for_task(self, task: Task) -> list[Card]:
        """The cards that can do `task`: installed ones first, those that run elsewhere last."""
        able = [card for card in self if task.id in card.studio.tasks]
        return sorted(
            able,
            key=lambda card: (isinstance(card.studio.source, Hosted), not self.installed(card)),
        )

    def choose(self, task: Task, request: Request) -> Card:
        """The card that will run `request`: the one it names, or the best one that can.

        What runs elsewhere costs money and sees what people write: it has to be named. Of several
        models the first is the best that knows the most of the words.

        Raises:
            Refused: if it names one that may not be used here; see `permit`.
            NotFound: if it names no card, or one that cannot do this task.
            Unavailable: if the model is not installed; the hint says how to get it.
        """
        if request.model is not None:
            card = self[request.model]
            if task.id not in card.studio.tasks:
                names = ", ".join(other.name for other in self.for_task(task))
                raise NotFound(
                    f"{card.studio.title} cannot do {task.id}.", hint=f"These can: {names}."
                )
            self.permit(card)
        else:
            able = [
                card
                for card in self.for_task(task)
                if self.permits(card) and not card.misses(task, request)
            ]
            here = [
                card
                for card in able
                if not isinstance(card.studio.source, Hosted) and self.installed(card)
            ]
            if not here:
                raise Unavailable(
                    f"No model for {task.id} that can do this is installed.", hint=_where(able)
                )
            text = described(task, request.model_dump())
            card = min(
                here, key=lambda card: len(unknown(text, read_vocabulary(self.folder(card))))
            )
        self.folder(card)
        return card

    def permits(self, card: Card) -> bool:
        """Whether the model may be used here, as far as its licence goes."""
        return not (self._commercial and card.noncommercial)

    def permit(self, card: Card) -> None:
        """Pass a model that may be used here.

        Raises:
            Refused: naming the licence, and models that may, those that are installed first.
        """
        if self.permits(card):
            return
        others = [
            other.name
            for task in card.studio.tasks
            for other in self.for_task(TASKS[task])
            if self.permits(other)
        ]
        raise Refused(
            f"{card.studio.title} is under the licence {card.licence}, which forbids commercial "
            "use, and this studio is set up for that.",
            hint=f"These may be used: {', '.join(dict.fromkeys(others))}."
            if others
            else "Ask its makers for another licence; no other model does the same.",
        )

    def installed(self, card: Card) -> bool:
        """Whether the model's weights are here; of a hosted one, whether its provider is set up."""
        if isinstance(card.studio.source, Hosted):
            return not card.studio.source.missing(self._providers)
        return self._place(card).is_dir()

    def folder(self, card: Card) -> Path:
        """Where the model's weights are; of a hosted one, where nothing is.

        Raises:
            Unavailable: if they are not here yet, or nobody set up its provider.
        """
        place = self._place(card)
        if isinstance(card.studio.source, Hosted):
            if missing := card.studio.source.missing(self._providers):
                raise Unavailable(f"{card.studio.title} is not set up.", hint=missing)
            return place
        if not place.is_dir():
            source = card.studio.source
            raise Unavailable(
                f"{card.studio.title} is not installed.",
                hint=f"Install it with `scripts/install {source.extra}`."
                if isinstance(source, Package)
                else f"Put {source.imported} back, or import it again."
                if isinstance(source, Imported)
                else source.by_hand
                if isinstance(source, ByHand)
                else f"Get it with `studio models get {card.name}`.",
            )
        return place

    def revision(self, card: Card) -> str:
        """Which weights are installed: the commit or version, `embedded`, `by-hand`; or whose."""
        if isinstance(card.studio.source, Hosted):
            return f"{card.studio.source.provider}/{card.studio.source.model}"
        if isinstance(card.studio.source, Embedded):
            return "embedded"
        if isinstance(card.studio.source, Package):
            return version(card.studio.source.package)
        if isinstance(card.studio.source, Imported):
            return f"sha256:{card.studio.source.sha256}"
        lock = self.folder(card) / "lock.json"
        if not lock.exists():
            return "by-hand"
        return str(json.loads(lock.read_text(encoding="utf-8"))["revision"])

    def _place(self, card: Card) -> Path:
        source = card.studio.source
        if isinstance(source, Embedded):
            return _PACKAGE / source.path
        if isinstance(source, Package):
            found = find_spec(source.package)
            return Path(found.origin).parent if found and found.origin else Path(source.package)
        if isinstance(source, Imported) and source.in_place:
            return Path(source.imported)
        # `studio models get` renames this folder into place last, so it exists only when whole.
        return self.weights / card.name


def card_folder() -> Path:
    """The studio's own cards: beside the package in a checkout, inside it in a wheel."""
    inside = _PACKAGE / "_cards"
    return inside if inside.is_dir() else _PACKAGE.parent / "model_cards"


def _where(able: Iterable[Card]) -> str:
    """Where one of these cards' models is to be had."""
    away = [card.name for card in able if isinstance(card.studio.source, Hosted)]
    here = [card.name for card in able if card.name not in away]
    hints = [
        f"Get one with `studio models get NAME`: {', '.join(here)}." if here else "",
        f"Or name one that runs elsewhere: {', '.join(away)}." if away else "",
    ]
    return " ".join(filter(None, hints)) or "Import one that can with `studio models import`."
