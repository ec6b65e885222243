"""`studio story`: a list of scenes becomes one film."""

from __future__ import annotations

from pathlib import Path

import click

from studio.commands.recipe import follow
from studio.errors import InvalidRequest
from studio.origin import written
from studio.recipes.story import Story


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(file_okay=False, path_type=Path),
              help="Where to; a folder of the file's name unless you say otherwise.")  # fmt: skip
@click.option("--retry-failed", is_flag=True, help="Order anew what failed before.")
@click.option("--dry-run", is_flag=True, help="Check everything, and make nothing.")
@click.option("--recipe", "as_recipe", is_flag=True, help="Print the recipe that it comes to.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
def story(
    file: Path,
    out: Path | None,
    retry_failed: bool,
    dry_run: bool,
    as_recipe: bool,
    as_json: bool,
) -> None:
    """Tell the story in FILE (.yaml): pictures, voices and music in one signed film.

    Change a scene and give the command again: that scene and the film are made anew, the rest is
    kept. Killed or stopped, the same command goes on where it was.
    """
    try:
        found = Story.read(file.read_text(encoding="utf-8")).recipe()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"{file} cannot be read: {error}.", hint="Name a story's file."
        ) from None
    if as_recipe:
        click.echo(written(found), nl=False)
        return
    target = out or Path(file.stem)
    follow(found, (), None, target, retry_failed, dry_run, as_json, revise=True)
