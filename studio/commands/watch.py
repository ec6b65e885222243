"""`studio watch`: what is dropped into a folder comes out made, once."""

from __future__ import annotations

import hashlib
import json
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from studio.client import Studio
from studio.commands.batch import FAILED, carry_out, parse_settings
from studio.errors import InvalidRequest, StudioError
from studio.export import Export, holds
from studio.fields import Value
from studio.recipes import shipped
from studio.recipes.document import Recipe
from studio.recipes.rows import Row
from studio.recipes.run import Run, RunState
from studio.runs import Plan

#: What two looks at a file must find alike before it is taken: its size and when it was changed.
_Look = tuple[int, int]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option("--recipe", "name", metavar="NAME|FILE", required=True, help="What to make of each.")
@click.option("--set", "settings", metavar="INPUT=VALUE", multiple=True, help="An input's value.")
@click.option("--input", "into", help="The input that takes the file, where there are several.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to; DIR/made unless you say otherwise.",
)
@click.option("--every", type=click.FloatRange(0.1, 3600), default=2.0, show_default=True,
              help="Seconds between looks.")  # fmt: skip
@click.option(
    "--once",
    is_flag=True,
    help="Make what is there now, and end; with status 6 if some of it failed.",
)
def watch(
    folder: Path,
    name: str,
    settings: tuple[str, ...],
    into: str | None,
    out: Path | None,
    every: float,
    once: bool,
) -> None:
    """Carry out a recipe for every file that is dropped into DIR, until Ctrl-C.

    A file is taken when it has stopped growing, and left where it is; its results come into a
    folder of its name. The same content is made once: started again, the command goes on where it
    was.
    """
    found = shipped.recipe(name)
    given = parse_settings(settings, found.specs())
    if not folder.is_dir():
        raise InvalidRequest(f"{folder} is no folder.", hint="Make it, or name another.")
    watched = Watched(folder, out or folder / "made", found, _taking(found, into), given)
    with Studio() as studio:
        while True:
            for said in watched.look(studio):
                click.echo(said)
            if once and watched.idle:
                break
            time.sleep(min(every, 0.2) if watched.under_way else every)
    if watched.failed:
        sys.exit(FAILED)


@dataclass
class Watched:
    """A folder, and what has become of the files in it."""

    folder: Path
    out: Path
    recipe: Recipe
    #: The recipe's input that takes a file.
    into: str
    given: Mapping[str, Value]
    #: The runs that go on, by the file's name.
    under_way: dict[str, Run] = field(default_factory=dict)
    #: How many files came to nothing.
    failed: int = 0
    #: How each file looked when it was taken, or refused.
    _seen: dict[str, _Look] = field(default_factory=dict)
    #: How the others looked the last time.
    _growing: dict[str, _Look] = field(default_factory=dict)

    @property
    def idle(self) -> bool:
        """Whether every file that was there at the last look has been made or refused."""
        return not self.under_way and not self._growing

    def look(self, studio: Studio) -> Iterator[str]:
        """Take what is new and whole, fetch what is made; what there is to say of either."""
        now = dict(self._files())
        for name, look in now.items():
            if self._seen.get(name) == look:
                continue
            if self._growing.get(name) == look:
                self._seen[name] = look
                try:
                    self.under_way[name] = self._begin(studio, self.folder / name)
                except StudioError as error:
                    yield f"{name}: {error.message}"
        self._growing = {n: look for n, look in now.items() if self._seen.get(n) != look}
        for name in list(self.under_way):
            run = studio.run(self.under_way[name].id)
            if run.state is RunState.RUNNING:
                continue
            del self.under_way[name]
            place = self.out / name
            results, earlier = place / "results.jsonl", holds(place)
            if earlier != run.id:
                # Other content under this name, or other settings: what was made of it gives way.
                # First its results, so that a command killed halfway is not taken to have ended.
                results.unlink(missing_ok=True)
            if not results.exists():
                export = Export(place, run, "{step}-{index}", instead_of=earlier)
                run = carry_out(studio, run, export)
            elif not run.failed:
                continue
            self.failed += run.failed
            yield f"{name}: {'failed, see' if run.failed else 'made'} {place / 'index.html'}"

    def _files(self) -> Iterator[tuple[str, _Look]]:
        for path in sorted(self.folder.iterdir()):
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_size and not path.name.startswith("."):
                yield path.name, (found.st_size, found.st_mtime_ns)

    def _begin(self, studio: Studio, path: Path) -> Run:
        """The run for a file: the one that its content has already, or a new one."""
        upload = studio.upload(path)
        row = Row(1, {**self.given, self.into: upload.id})
        asked = [self.recipe.record(), dict(self.given), self.into, upload.sha256]
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return studio.begin(Plan(path.name, recipe=self.recipe), [row], key=f"watch:{key}").run


def _taking(recipe: Recipe, into: str | None) -> str:
    """The input that takes a file."""
    media = [spec.name for spec in recipe.specs() if spec.media is not None]
    if into in media:
        return into
    if into is None and len(media) == 1:
        return media[0]
    raise InvalidRequest(
        f"--input: {recipe.name} has no input {into!r} that takes a file."
        if into
        else f"{recipe.name} has {len(media)} inputs that take a file.",
        hint=f"Name one with --input: {', '.join(media)}." if media else "Take another recipe.",
    )
