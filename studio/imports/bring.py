"""The import itself: a model folder and a card appear, or nothing does.

A checkpoint is translated by `studio.worker.convert`, in a process of its own without network; a
folder is used where it lies, or copied. What is being translated lies below `home/spool`, which
every host empties when it starts, so that an import that was killed leaves nothing. A copy grows in
a hidden folder beside the models, and one that was interrupted goes on where it was. The card is
written last, so that there is no card without its weights.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.cards import Card, Imported
from studio.catalog import Catalog
from studio.errors import InvalidRequest, NotFound, StudioError, Unavailable
from studio.files import replacing, sync_folder
from studio.imports.copying import copy, digests_of, together, unfinished
from studio.imports.look import resolved
from studio.imports.plan import WORDS, Plan, plan
from studio.imports.write import card_for, checked_name
from studio.settings import Settings
from studio.worker.cage import CHANGES, READS
from studio.worker.process import environment, open_log

#: Hears bytes done and in all; raises `Cancelled` to stop.
Progress = Callable[[int, int], None]

#: In every folder that an import made: what it was made of.
_RECEIPT = "imported.json"
#: Seconds between two looks at what the child has written.
_LOOK = 0.1


@dataclass(frozen=True)
class Wish:
    """What somebody wants imported, and how."""

    path: str
    #: What the card is to be called; else the file's own name is used.
    name: str | None = None
    #: An installed model, or a folder, that has what the file lacks.
    base: str | None = None
    #: Whether a folder is copied; else it is used where it lies.
    copy: bool = False
    #: The licence, as the hub writes it, if it is known.
    licence: str = "other"


def prepare(wish: Wish, catalog: Catalog) -> tuple[str, Plan]:
    """The name and the plan of an import that may begin.

    Raises:
        InvalidRequest: if there is a model of that name, or this is nothing that can be imported.
        NotFound: if there is nothing at the path.
        Unavailable: if it needs something that is not here.
    """
    path = resolved(Path(wish.path), catalog)
    made = plan(path, catalog, wish.base)
    return checked_name(wish.name or made.found.name, catalog), made


def bring(wish: Wish, catalog: Catalog, settings: Settings, progress: Progress) -> Card:
    """Import what `wish` says; its card is in the catalogue when this returns.

    Raises:
        InvalidRequest: if the file changed meanwhile, or is not what it seemed; and as `prepare`.
        NotFound: as `prepare`.
        Unavailable: as `prepare`, and if the disk has no room.
        Cancelled: as `progress` raised it.
    """
    name, made = prepare(wish, catalog)
    in_place = made.path.is_dir() and not wish.copy
    sources = _weights(made.path)
    before = [_state(path) for path in sources]
    total = sum(path.stat().st_size for path in sources)
    copied = 0 if in_place else _bytes(made)
    partial = unfinished(name, catalog.weights)
    _check_disk(made, max(0, copied - _size(partial)), settings)
    digests = digests_of(sources, lambda done: progress(done, total + copied))

    furthest = 0

    def advance(done: int) -> None:
        nonlocal furthest
        # A folder in which a model is being written has more in it at times than at the end.
        furthest = max(furthest, min(done, copied))
        progress(total + furthest, total + copied)

    with _workplace(settings) as work:
        folder = partial if made.path.is_dir() else work / "model"
        if not in_place:
            folder.mkdir(mode=0o700, exist_ok=True)
            if made.path.is_dir():
                copy(made.path, folder, digests, advance)
            else:
                _assemble(made, folder, work, settings, advance)
        if [_state(path) for path in sources] != before:
            shutil.rmtree(partial, ignore_errors=True)
            raise InvalidRequest(
                f"{made.path} changed while it was being imported.",
                hint="Wait until whatever writes to it is done, then import it again.",
            )
        source = Imported(
            imported=str(made.path),
            sha256=together(list(digests.values())),
            in_place=in_place,
            variant=made.variant,
        )
        text = card_for(name, made, source, wish.licence)
        card = Card.parse(name, text)
        if not in_place:
            _settle(folder, catalog.weights / name, source)
    cards = settings.home / "model_cards"
    cards.mkdir(mode=0o700, exist_ok=True)
    with replacing(cards / f"{name}.md", text.encode()) as put:
        put()
    catalog.add(card)
    return card


def forget(card: Card, catalog: Catalog, settings: Settings) -> None:
    """Remove an imported model: its card, and the studio's own copy; never anybody's own file.

    Raises:
        NotFound: if its card is not in the home, where an import would have put it.
    """
    place = settings.home / "model_cards" / f"{card.name}.md"
    if not place.is_file():
        raise NotFound(
            f"The card of {card.studio.title} is not in {place.parent}.",
            hint="Remove it where you put it.",
        )
    copy = catalog.weights / card.name
    catalog.drop(card.name)
    place.unlink()
    if copy.is_dir():
        shutil.rmtree(copy)


@contextmanager
def _workplace(settings: Settings) -> Iterator[Path]:
    """A folder for what is being made, which the child may write to; gone afterwards."""
    for name in (*READS, *CHANGES):
        (settings.home / name).mkdir(mode=0o700, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="import-", dir=settings.home / "spool"))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _assemble(
    made: Plan, folder: Path, work: Path, settings: Settings, progress: Callable[[int], None]
) -> None:
    """A diffusers folder of the checkpoint, and of what the base lends."""
    configs = work / "configs"
    _write_configs(made, configs)
    shutil.copytree(configs, folder, dirs_exist_ok=True)
    _convert(made, folder, configs, settings, progress)
    for part in made.lent:
        for path in part.glob("*.safetensors*"):
            _share(path, folder / part.name / path.name)


def _write_configs(made: Plan, configs: Path) -> None:
    """All configurations, and the tokenizer's words, as the library wants to find them."""
    for name, value in made.configs.items():
        place = configs / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(value, indent=1), encoding="utf-8")
    if made.base is None:
        return
    for name in made.configs["model_index.json"]:
        if not name.startswith("tokenizer"):
            continue
        words = made.base.lexicon or made.base.folder / name
        (configs / name).mkdir(exist_ok=True)
        for path in words.iterdir():
            if path.name in WORDS or path.suffix == ".model":
                shutil.copyfile(path, configs / name / path.name)


def _convert(
    made: Plan, folder: Path, configs: Path, settings: Settings, progress: Callable[[int], None]
) -> None:
    """Have the child translate the file; it is killed if anything interrupts this."""
    order = {
        "parent": os.getpid(),
        "home": str(settings.home),
        "checkpoint": str(made.path),
        "configs": str(configs),
        "folder": str(folder),
        "parts": made.parts,
        "dtype": made.dtype,
        "variant": made.variant,
    }
    asked, answers = configs.parent / "order.json", configs.parent / "answers"
    asked.write_text(json.dumps(order), encoding="utf-8")
    with (
        asked.open("rb") as orders,
        answers.open("wb") as said,
        open_log(settings.home / "logs" / "import.log") as log,
    ):
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "studio.worker.convert"],
            stdin=orders,
            stdout=said,
            stderr=log,
            env=environment(settings),
            cwd=settings.home,
        )
        try:
            while child.returncode is None:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(_LOOK)
                progress(_size(folder))
        finally:
            child.kill()
            child.wait()
    answer: dict[str, Any] = {}
    for line in answers.read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)
    if "error" in answer:
        raise StudioError.from_record(answer["error"])
    if "ok" not in answer:
        raise Unavailable(
            f"Translating {made.path.name} ended with exit status {child.returncode}.",
            hint=f"It may have run out of memory. {settings.home / 'logs' / 'import.log'} says "
            "more.",
        )


def _share(path: Path, place: Path) -> None:
    """The same file at another place; a copy only where the disk is another one."""
    try:
        os.link(path, place)
    except OSError:
        shutil.copyfile(path, place)


def _settle(folder: Path, place: Path, source: Imported) -> None:
    """Put the finished folder where models are, in one go."""
    (folder / _RECEIPT).write_text(source.model_dump_json(indent=1), encoding="utf-8")
    if (place / _RECEIPT).exists():
        # No card names it: an import ended between its folder and its card.
        shutil.rmtree(place)
    elif place.exists():
        raise InvalidRequest(
            f"{place} exists, and no card names it.",
            hint="Move it away, or choose another name with --name.",
        )
    folder.rename(place)
    sync_folder(place.parent)


def _weights(path: Path) -> list[Path]:
    return sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]


def _state(path: Path) -> tuple[int, ...]:
    """What is different after anybody has written to the file."""
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _bytes(made: Plan) -> int:
    """What a copy takes at most."""
    if made.path.is_dir():
        return made.found.size
    return made.found.weights


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):  # the library writes beside, and renames
            total += path.stat().st_size
    return total


def _check_disk(made: Plan, needed: int, settings: Settings) -> None:
    free = shutil.disk_usage(settings.home).free
    if needed and needed + settings.spare_bytes > free:
        raise Unavailable(
            f"Importing {made.path.name} takes {needed / 1e9:.2f} GB, and the disk has "
            f"{free / 1e9:.2f} GB free, of which {settings.spare_bytes / 1e9:.2f} are kept free.",
            hint=f"Make room below {settings.home}, then import it again.",
        )
