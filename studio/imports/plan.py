"""How a checkpoint or a folder would be imported: read from heads and configurations alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.cards import Card
from studio.catalog import Catalog
from studio.errors import ErrorRecord, InvalidRequest, Unavailable
from studio.families.weights import check_weights
from studio.imports.architectures import BY_PIPELINE, DENOISER, Architecture, Kind, recognise
from studio.imports.header import Header, read_header
from studio.memory import components_of

_DTYPES = {"F16": "float16", "BF16": "bfloat16", "F32": "float16"}
#: What spells a tokenizer's words, in the two forms that there are.
WORDS = ("vocab.json", "merges.txt", "tokenizer.json")


@dataclass(frozen=True)
class Found:
    """A file or folder, as an import would see it."""

    path: str
    kind: Kind
    #: What it is, for people.
    title: str
    #: What its card would be called.
    name: str
    #: Bytes on the disk, and in memory.
    size: int = 0
    weights: int = 0
    #: Whose tokenizer or components it would use, beside what it has itself.
    base: str = ""
    #: Why it cannot be imported; None if it can.
    error: ErrorRecord | None = None


@dataclass(frozen=True)
class Base:
    """A model that lends an import what its file lacks."""

    name: str
    folder: Path
    variant: str | None = None
    #: Where its tokenizer's words are, if it is another kind of model and only they are of use.
    lexicon: Path | None = None

    @property
    def whole(self) -> bool:
        """Whether it is the same kind of model, so that all that it has is of use."""
        return self.lexicon is None


@dataclass(frozen=True)
class Plan:
    """How something will be imported."""

    found: Found
    #: The file or folder itself, whatever links led to it.
    path: Path
    architecture: Architecture
    #: Configurations by file, as the library writes them.
    configs: Mapping[str, Any]
    dtype: str
    #: Of a checkpoint: the components that are in the file, and the folders of those that the base
    #: lends.
    parts: tuple[str, ...] = ()
    lent: tuple[Path, ...] = ()
    base: Base | None = None
    variant: str | None = None


def plan(path: Path, catalog: Catalog, base: str | None = None) -> Plan:
    """How the file or folder at `path`, to which no link leads, would be imported.

    `base` is an installed model's name, or a folder with what files lack.

    Raises:
        NotFound: if `base` is no model and no folder.
        InvalidRequest: if it is nothing that can be imported.
        Unavailable: if something is missing that it needs; the hint names the files.
    """
    if path.is_dir():
        return _folder(path)
    return _checkpoint(path, read_header(path), catalog, base)


def _checkpoint(path: Path, header: Header, catalog: Catalog, base: str | None) -> Plan:
    kind, architecture, title = recognise(header)
    if architecture is None:
        raise InvalidRequest(
            f"{path.name} is no model by itself: {title}.",
            hint="Only whole checkpoints are imported; LoRA, VAE and the like are not used yet.",
        )
    strange = {one for one in header.types.values() if one.startswith("F8") or one == "U8"}
    if strange:
        raise InvalidRequest(
            f"{path.name} has its weights in {'/'.join(sorted(strange))}, which are not imported.",
            hint="Import the model's file in 16 or 32 bits; the studio shrinks it where it must.",
        )
    parts = tuple(
        part
        for part, prefixes in architecture.parts.items()
        if any(header.has(prefix) for prefix in prefixes)
    )
    chosen = _base(architecture, header, catalog, base)
    if chosen is not None and chosen.whole:
        configs = configs_of(chosen.folder)
    else:
        configs = architecture.configs()
    _check_fits(path, architecture, header, configs)
    wanted = [name for name, value in configs["model_index.json"].items() if _is_part(value)]
    lent = tuple(
        chosen.folder / name
        for name in wanted
        if chosen is not None and name not in parts and _holds_weights(chosen, name)
    )
    there = {*parts, *(part.name for part in lent)}
    missing = [name for name in architecture.parts if name in wanted and name not in there]
    tokenizers = [name for name in wanted if name.startswith("tokenizer")]
    if chosen is None:
        missing += [f"{name}/vocab.json and {name}/merges.txt" for name in tokenizers]
    if missing:
        raise _lacking(path, title, missing)
    scheduler = configs.get("scheduler/scheduler_config.json", {})
    if "v_pred" in header.shapes or header.metadata.get("modelspec.prediction_type") == "v":
        configs["scheduler/scheduler_config.json"] = scheduler | {"prediction_type": "v_prediction"}
    dtype = _DTYPES.get(header.types[_first_weight(header, architecture)], "float16")
    # Averages that were kept beside the weights are for training, and are left behind.
    weights = header.bytes_below("", width=2) - header.bytes_below("model_ema.", width=2)
    if chosen is not None:
        theirs = components_of(chosen.folder, dtype, chosen.variant)
        weights += sum(theirs[part.name].size for part in lent)
    lender = chosen.name if chosen else ""
    found = Found(str(path), kind, title, name_of(path), header.size, weights, lender)
    variant = chosen.variant if chosen and lent else None
    return Plan(found, path, architecture, configs, dtype, parts, lent, chosen, variant)


def _folder(path: Path) -> Plan:
    configs = configs_of(path)
    index = configs["model_index.json"]
    pipeline = str(index.get("_class_name"))
    architecture = BY_PIPELINE.get(pipeline)
    if architecture is None:
        raise InvalidRequest(
            f"{path.name} is a {pipeline}, which is not imported by itself.",
            hint="Write a card for it by hand: model_cards/README.md shows how.",
        )
    names = [name for name, value in index.items() if _is_part(value)]
    for name in names:
        if index[name][0] not in ("diffusers", "transformers", "stable_diffusion"):
            raise InvalidRequest(
                f"{path.name} wants code from {index[name][0]!r}; the studio runs no foreign code.",
                hint="Choose a model that the library itself can run.",
            )
        if not (path / name).is_dir():
            raise _lacking(path, architecture.title, [f"{name}/"])
        check_weights(path / name)
    variant = _variant(path)
    dtype = "float16" if variant == "fp16" else _stored(path)
    weights = sum(part.size for part in components_of(path, dtype, variant).values())
    files = [file for file in path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    title = f"{architecture.title}, a diffusers folder"
    found = Found(str(path), "folder", title, name_of(path), size, weights)
    return Plan(found, path, architecture, configs, dtype, variant=variant)


def configs_of(folder: Path) -> dict[str, Any]:
    """The configurations in a diffusers folder, by file.

    Raises:
        InvalidRequest: naming the one that is no JSON object.
    """
    configs = {}
    for path in (folder / "model_index.json", *sorted(folder.glob("*/*.json"))):
        if path.name in ("tokenizer.json", "vocab.json") or ".index." in path.name:
            continue
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidRequest(
                f"{path} cannot be read: {str(error)[:200]}.", hint="Fetch the folder again."
            ) from None
        if not isinstance(value, dict):
            raise InvalidRequest(f"{path} is no JSON object.", hint="Fetch the folder again.")
        configs[str(path.relative_to(folder))] = value
    return configs


def name_of(path: Path) -> str:
    """What a card for `path` would be called."""
    stem = path.name if path.is_dir() else path.stem
    return re.sub(r"[^a-z0-9.]+", "-", stem.lower()).strip("-.")[:60] or "imported"


def _base(
    architecture: Architecture, header: Header, catalog: Catalog, wanted: str | None
) -> Base | None:
    """Who lends a file what it lacks: the `wanted` model or folder, or the best that is here."""
    if wanted is None:
        here = [card for card in catalog if card.studio.family == "diffusers"]
        there = [_lender(card, catalog) for card in here if catalog.installed(card)]
    elif (place := Path(wanted).expanduser()).is_dir():
        there = [Base(str(place), place.resolve(), _variant(place))]
    else:
        card = catalog[wanted]
        catalog.folder(card)
        there = [_lender(card, catalog)]
    words = header.shapes.get(architecture.words, (0,))[0]
    lenders = []
    for base in there:
        if _is_like(base.folder, architecture, header):
            return base
        if words and (lexicon := _lexicon(base.folder, words)):
            lenders.append(replace(base, lexicon=lexicon))
    if wanted is not None and not lenders:
        raise InvalidRequest(
            f"{wanted} is no {architecture.title} of the same size, and its tokenizer is another.",
            hint=f"Name a model of the same kind, or a folder with a tokenizer of {words} words.",
        )
    return lenders[0] if lenders else None


def _lexicon(folder: Path, words: int) -> Path | None:
    """Where below `folder` a tokenizer of so many words lies, if one does."""
    for place in (folder / "tokenizer", folder):
        try:
            if (place / "vocab.json").is_file() and (place / "merges.txt").is_file():
                known = json.loads((place / "vocab.json").read_text(encoding="utf-8"))
            else:
                spelled = json.loads((place / "tokenizer.json").read_text(encoding="utf-8"))
                known = spelled["model"]["vocab"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if len(known) == words:
            return place
    return None


def _lender(card: Card, catalog: Catalog) -> Base:
    return Base(card.name, catalog.folder(card), getattr(card.studio.source, "variant", None))


def _is_like(folder: Path, architecture: Architecture, header: Header) -> bool:
    if not (folder / "model_index.json").is_file():
        return False
    configs = configs_of(folder)
    alike = configs["model_index.json"].get("_class_name") == architecture.pipeline
    return alike and not _difference(architecture, header, configs)


def _difference(architecture: Architecture, header: Header, configs: Mapping[str, Any]) -> str:
    """Where the file and the configurations disagree; empty if they do not."""
    for match in architecture.matches:
        expected = configs.get(match.file, {}).get(match.key)
        expected = expected[0] if isinstance(expected, list) else expected
        shape = header.shapes.get(match.tensor) or header.shapes.get(DENOISER + match.tensor)
        if match.side is None:
            actual: object = shape is not None
        elif shape is None or match.side >= len(shape):
            continue  # a part that is not in the file
        else:
            actual = shape[match.side]
        if actual != expected:
            return f"its {match.key} is {actual}, not {expected}"
    return ""


def _check_fits(
    path: Path, architecture: Architecture, header: Header, configs: Mapping[str, Any]
) -> None:
    if not configs:
        raise _lacking(path, architecture.title, ["model_index.json and all configurations"])
    if difference := _difference(architecture, header, configs):
        raise InvalidRequest(
            f"{path.name} is an unusual {architecture.title}: {difference}.",
            hint="If a model of the same kind is installed, name it with --base.",
        )


def _lacking(path: Path, title: str, missing: list[str]) -> Unavailable:
    return Unavailable(
        f"{path.name} is a {title}, and it lacks: {', '.join(missing)}.",
        hint="They are in no such file. Install a model of the same kind (`studio models list`), "
        "or name one, or a folder that has them, with --base.",
    )


def _is_part(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and value[0] is not None


def _holds_weights(base: Base, name: str) -> bool:
    return base.whole and any((base.folder / name).glob("*.safetensors"))


def _variant(folder: Path) -> str | None:
    """`fp16`, if a component's only weights are of that variant."""
    names = [path.name for path in folder.glob("*/*.safetensors")]
    plain = any(".fp16" not in name for name in names)
    return "fp16" if names and not plain else None


def _stored(folder: Path) -> str:
    """The type that the denoiser in `folder` is stored in, as a card writes it."""
    for name in ("unet", "transformer"):
        for path in sorted((folder / name).glob("*.safetensors")):
            types = set(read_header(path).types.values())
            return "bfloat16" if "BF16" in types else "float16" if "F16" in types else "float32"
    return "float32"


def _first_weight(header: Header, architecture: Architecture) -> str:
    prefixes = next(iter(architecture.parts.values()))
    return next(name for name in header.shapes if name.startswith(prefixes))
