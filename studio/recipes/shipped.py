"""The recipes that ship with the studio, and those in files."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from studio.errors import InvalidRequest, NotFound
from studio.recipes.document import Recipe

_FOLDER = files("studio.recipes") / "shipped"


def names() -> list[str]:
    """The names of the recipes that ship with the studio, sorted."""
    return sorted(
        item.name.removesuffix(".yaml") for item in _FOLDER.iterdir() if item.name.endswith(".yaml")
    )


def text(name: str) -> str:
    """A recipe as it is written: one that ships, by name, or a file.

    Raises:
        NotFound: if there is neither.
        InvalidRequest: if the file cannot be read.
    """
    if name in names():
        return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    path = Path(name)
    if not path.is_file():
        raise NotFound(
            f"There is no recipe called {name!r}, and no such file.",
            hint=f"The recipes that ship are: {', '.join(names())}.",
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(
            f"{path} cannot be read: {error}.", hint="Name a recipe's YAML file."
        ) from None


def recipe(name: str) -> Recipe:
    """The recipe of that name, or in that file; raises what `text` and `Recipe.read` raise."""
    return Recipe.read(text(name))
