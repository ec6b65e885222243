"""Named settings that people keep for themselves, one small file per owner."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.errors import InvalidRequest, NotFound, Unavailable
from studio.fields import Value, fields_of
from studio.tasks import find_task
from studio.tasks.request import plain_text

#: How many one owner may keep, and how long a name and all values together may be.
MOST = 100
_NAME = 80
_BYTES = 20_000


@dataclass(frozen=True)
class Preset:
    """Some fields of a task, under a name."""

    name: str
    task: str
    values: Mapping[str, Value]


class Presets:
    """All presets of one home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self, owner: str) -> list[Preset]:
        """The owner's presets, by name."""
        try:
            kept = json.loads(self._file(owner).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        return [Preset(**one) for one in kept]

    def save(self, owner: str, preset: Preset) -> None:
        """Keep `preset`; one of the same name is replaced.

        Raises:
            InvalidRequest: if the name cannot be one, or the task has no such fields.
            Unavailable: if the owner keeps as many as one may.
        """
        try:
            plain_text(preset.name)
        except ValueError as error:
            raise InvalidRequest(f"name: {error}.", hint="Type another name.") from None
        if not 0 < len(preset.name.strip()) <= _NAME:
            raise InvalidRequest(
                "A preset needs a name.", hint=f"Type one of at most {_NAME} characters."
            )
        known = {spec.name for spec in fields_of(find_task(preset.task).request)}
        if unknown := sorted(set(preset.values) - known):
            raise InvalidRequest(
                f"{preset.task} has no field {unknown[0]!r}.",
                hint="`studio tasks` lists every field.",
            )
        if len(json.dumps(dict(preset.values))) > _BYTES:
            raise InvalidRequest("That is too long for a preset.", hint="Keep less text in it.")
        others = [one for one in self.list(owner) if one.name != preset.name]
        if len(others) >= MOST:
            raise Unavailable(
                f"You keep {MOST} presets, and more are not kept.", hint="Delete some first."
            )
        self._write(owner, [*others, preset])

    def delete(self, owner: str, name: str) -> None:
        """Forget the preset called `name`.

        Raises:
            NotFound: if there is none.
        """
        kept = self.list(owner)
        others = [one for one in kept if one.name != name]
        if len(others) == len(kept):
            raise NotFound(f"You have no preset {name!r}.", hint="It may be deleted already.")
        self._write(owner, others)

    def _write(self, owner: str, presets: Sequence[Preset]) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = self._file(owner)
        fresh = place.with_suffix(".new")
        records = [asdict(one) for one in sorted(presets, key=lambda one: one.name.casefold())]
        fresh.write_text(json.dumps(records, ensure_ascii=False, indent=1), encoding="utf-8")
        fresh.rename(place)

    def _file(self, owner: str) -> Path:
        # An owner's name may hold what no file's name can.
        return self._folder / f"{hashlib.sha256(owner.encode()).hexdigest()[:32]}.json"
