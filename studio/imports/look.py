"""What lies at a path, and what an import would make of it. Nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.catalog import Catalog
from studio.errors import InvalidRequest, StudioError
from studio.imports.architectures import Kind, recognise
from studio.imports.header import PICKLES, read_header, unreadable
from studio.imports.plan import Found, name_of, plan

#: Folders by which other programs are known, as they lie below their `models`.
_LAYOUTS = {"Stable-diffusion": "A1111", "checkpoints": "ComfyUI", "diffusion_models": "ComfyUI"}
_MODELS = (".safetensors", ".gguf", *PICKLES)
#: How many models a survey lists at most.
_MOST = 2000


@dataclass(frozen=True)
class Survey:
    """Everything that was found at a path."""

    #: Whose folder it is, as far as can be told: `A1111`, `ComfyUI` or nothing.
    layout: str
    found: tuple[Found, ...]


def look(path: Path, catalog: Catalog, base: str | None = None) -> Survey:
    """What lies at `path`: one model, or all of a folder that other programs may have filled.

    `base` is an installed model's name, or a folder with what files lack.

    Raises:
        NotFound: if there is nothing, or no such base.
        InvalidRequest: if the path leads nowhere, or into the studio's own home.
    """
    path = resolved(path, catalog)
    if path.is_file() or (path / "model_index.json").is_file():
        return Survey("", (_found(path, catalog, base),))
    places = []
    for place in _models_below(path, set()):
        places.append(place)
        if len(places) == _MOST:
            break
    if not places:
        raise InvalidRequest(
            f"There are no models in {path}.",
            hint="Name a .safetensors file, a diffusers folder, or another program's models.",
        )
    parents = {part for place in places for part in place.relative_to(path).parts} | {path.name}
    layout = next((_LAYOUTS[name] for name in _LAYOUTS if name in parents), "")
    return Survey(layout, tuple(_found(place, catalog, base) for place in sorted(places)))


def resolved(path: Path, catalog: Catalog) -> Path:
    """Where `path` leads; see `look` for what it raises."""
    try:
        found = path.expanduser().resolve(strict=True)
    except OSError as error:
        raise unreadable(path, error) from None
    except RuntimeError:  # what a loop of links is, before Python 3.13
        raise InvalidRequest(
            f"{path} is a link that leads back to itself.", hint="Name the file itself."
        ) from None
    if found.is_relative_to(catalog.weights.parent.resolve()):
        raise InvalidRequest(
            f"{path} lies in the studio's own home.",
            hint="What is there was installed already; import files from elsewhere.",
        )
    if not (found.is_file() or found.is_dir()):
        raise InvalidRequest(f"{path} is a device or a pipe.", hint="Name a file or a folder.")
    return found


def _found(path: Path, catalog: Catalog, base: str | None) -> Found:
    """What is at `path`, with the reason if it cannot be imported."""
    kind: Kind = "folder" if path.is_dir() else "unknown"
    title, size = "", 0
    try:
        if path.is_file():
            size = path.stat().st_size
            kind, _, title = recognise(read_header(path))
        return plan(path.resolve(strict=True), catalog, base).found
    except StudioError as error:
        return Found(str(path), kind, title, name_of(path), size, error=error.record())
    except OSError as error:
        failed = unreadable(path, error)
        return Found(str(path), kind, title, name_of(path), size, error=failed.record())


def _models_below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    """Every model in `folder`; links are followed, each folder once."""
    try:
        here = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return  # what cannot be opened cannot be imported either
    if (here.st_dev, here.st_ino) in seen:
        return
    seen.add((here.st_dev, here.st_ino))
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith("."):
            continue
        if (path / "model_index.json").is_file():
            yield path
        elif path.is_dir():
            yield from _models_below(path, seen)
        elif path.suffix.lower() in _MODELS:
            yield path
