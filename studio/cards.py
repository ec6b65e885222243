"""Model cards: the catalogue. Adding a model is adding a card.

A card is a Hugging Face model card, a Markdown file with YAML front matter, plus one `studio:`
block that says how the studio runs the model. `model_cards/README.md` documents every key.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.elsewhere import Hosted, Prices
from studio.errors import InvalidRequest
from studio.fields import FieldSpec, Value, build, explain, fields_of
from studio.tasks import TASKS, Task
from studio.tasks.request import Request

_PACKAGE = Path(__file__).parent

#: The C library's, where yaml has it: with it, the catalogue takes a fifth of the time.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: How the names of licences say that they are for other than commercial use.
_NONCOMMERCIAL = re.compile(r"\bnc\b|non-?commercial", re.IGNORECASE)


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Embedded(_Block):
    """Weights that ship with the studio."""

    #: Folder below the `studio` package.
    path: str


class Package(_Block):
    """Weights that another installed package brings."""

    #: The package's import name; its folder is the model's.
    package: str
    #: Which of the studio's extras installs it.
    extra: str


class Hub(_Block):
    """Weights that `studio models get` fetches from a model hub."""

    #: Repository id: `owner/name`.
    repo: str
    #: Branch, tag or commit to resolve at get; the resolved commit is locked beside the weights.
    revision: str = "main"
    #: Which files to fetch, as glob patterns. Only safetensors weights are ever fetched.
    files: tuple[str, ...] = ("*.json", "*.txt", "*.model", "*.safetensors")
    #: The weights variant that `from_pretrained` is told, as in `model.fp16.safetensors`.
    variant: str | None = None
    #: Download size in bytes, where it could be checked.
    bytes: int | None = None
    #: Whether the hub wants the licence accepted and a token.
    gated: bool = False


class ByHand(_Block):
    """Weights that nobody offers in a form that is fetched."""

    #: What to do, in a sentence; afterwards they are in `models/NAME` below the home.
    by_hand: str


class Imported(_Block):
    """Weights that somebody brought along with `studio models import`."""

    #: Their own file or folder, which is never changed or deleted.
    imported: str
    #: SHA-256 of the file, or of a folder's weight files.
    sha256: str
    #: Whether the folder is used where it lies; otherwise the studio has a copy of its own.
    in_place: bool = False
    #: As a `Hub`'s.
    variant: str | None = None


class Memory(_Block):
    """What running the model takes, in megabytes (10⁶ bytes)."""

    #: All weights, in the type they are stored in.
    weights: Annotated[float, Field(ge=0)]
    #: Activations at the default size, batch 1, beside the weights.
    working: Annotated[float, Field(ge=0)]


class Limit(_Block):
    """A field's range, narrower than the task's own."""

    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    choices: tuple[str, ...] = ()


class StudioBlock(_Block):
    """The `studio:` block of a card's front matter."""

    #: The model's name for people.
    title: str
    #: Which family loads it: a name in the entry-point group `studio.families`.
    family: str
    #: The tasks it can do, best first.
    tasks: tuple[str, ...]
    source: Embedded | Package | Hub | ByHand | Imported | Hosted
    memory: Memory
    #: What a hosted model costs, where the operator has said so.
    prices: Prices | None = None
    #: Field values that suit this model better than the task's own defaults.
    defaults: Mapping[str, Value] = {}
    #: Ranges that this model can do.
    limits: Mapping[str, Limit] = {}
    #: Fields of its tasks that mean nothing to this model; forms leave them out.
    lacks: tuple[str, ...] = ()
    #: The parts of which its music can be had one by one, in the order in which a job makes them.
    stems: tuple[str, ...] = ()
    #: What the family wants to know beside that; its own docstring lists the keys.
    options: Mapping[str, Any] = {}
    #: What it may run on; empty is an accelerator, or the processor where there is none.
    devices: tuple[Literal["cpu", "cuda", "mps"], ...] = ()
    #: Precision the weights are used in.
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    #: Whether its licence forbids commercial use; without the key the licence's name decides.
    noncommercial: bool | None = None
    #: What the page and the label call it, when the title alone would promise too much.
    notice: str = ""
    #: Facts on this card that could not be checked against the model itself.
    unchecked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """One model in the catalogue."""

    #: The file's name without `.md`; what requests call the model.
    name: str
    studio: StudioBlock
    #: Every other key of the front matter: `license`, `base_model`, `tags` …
    metadata: Mapping[str, Any]
    #: The Markdown below the front matter.
    prose: str

    @staticmethod
    def read(path: Path) -> Card:
        """The card in `path`.

        Raises:
            InvalidRequest: naming the file and what is wrong with it.
        """
        try:
            return Card.parse(path.stem, path.read_text(encoding="utf-8"))
        except (ValueError, yaml.YAMLError) as error:
            problem = explain(error) if isinstance(error, ValidationError) else str(error)
            raise InvalidRequest(
                f"The model card {path} is wrong: {problem}.",
                hint="model_cards/README.md shows a card with every key.",
            ) from None

    @staticmethod
    def parse(name: str, text: str) -> Card:
        """The card that `text` holds; `ValueError` or `YAMLError` if it is none."""
        start, _, rest = text.partition("---\n")
        front, end, prose = rest.partition("\n---\n")
        if start.strip() or not end:
            raise ValueError("it does not begin with YAML front matter between two --- lines")
        metadata = yaml.load(front, Loader=_LOADER)  # noqa: S506 - either is a safe one
        if not isinstance(metadata, dict) or "studio" not in metadata:
            raise ValueError("its front matter has no studio: block")
        if not metadata.get("license"):
            raise ValueError("its front matter names no license")
        block = StudioBlock.model_validate(metadata.pop("studio"))
        card = Card(name, block, metadata, prose.strip())
        for task in block.tasks:
            if task not in TASKS:
                raise ValueError(f"there is no task {task!r}")
        known = {spec.name for task in block.tasks for spec in fields_of(TASKS[task].request)}
        for unknown in {*block.defaults, *block.limits, *block.lacks} - known:
            raise ValueError(f"none of its tasks has a field {unknown!r}")
        for task in block.tasks:
            card._fit(TASKS[task])
        return card

    @property
    def licence(self) -> str:
        """The licence's identifier, as the hub writes it."""
        return str(self.metadata.get("license_name") or self.metadata["license"])

    @property
    def adult(self) -> bool:
        """Whether it is marked as not for everybody, with the tag that the hub has for it."""
        return "not-for-all-audiences" in (self.metadata.get("tags") or ())

    @property
    def noncommercial(self) -> bool:
        """Whether its licence forbids commercial use: as the card says, or else as it is called."""
        said = self.studio.noncommercial
        return bool(_NONCOMMERCIAL.search(self.licence)) if said is None else said

    @property
    def lacks(self) -> frozenset[str]:
        """The fields that mean nothing to it; a card that names no stems has none."""
        none = () if self.studio.stems else ("stems",)
        return frozenset((*self.studio.lacks, *none))

    def fields(self, task: Task) -> tuple[FieldSpec, ...]:
        """The task's fields that this model knows, with its defaults and limits."""
        return tuple(
            self._narrowed(spec) for spec in fields_of(task.request) if spec.name not in self.lacks
        )

    def misses(self, task: Task, request: Request) -> list[str]:
        """The fields in which `request` asks for something that this model cannot do."""
        return [
            spec.name
            for spec in fields_of(task.request)
            if spec.name in self.lacks and getattr(request, spec.name) != spec.default
        ]

    def narrow(self, task: Task, request: Request) -> Request:
        """`request` with this model's defaults where the person left a field alone.

        Only fields that were never set are filled in: a value that happens to equal the task's
        default is still what the person asked for.

        Raises:
            InvalidRequest: if a value is outside what this model can do.
        """
        for name in self.misses(task, request):
            raise InvalidRequest(
                f"{name}: {self.studio.title} cannot do that.",
                hint=f"Leave it out, or choose another model: `studio models show {self.name}` "
                "says what this one can do.",
            )
        values = request.model_dump(exclude_unset=True)
        for spec in self.fields(task):
            if spec.name not in values:
                values[spec.name] = spec.default
                continue
            self._check(spec, values[spec.name])
        if values.get("stems"):
            stems = len(self.studio.stems)
            if values["count"] not in (1, stems):
                raise InvalidRequest(
                    "count: stems are made of one piece at a time, and are as many as it has.",
                    hint="Leave the count out, or the stems.",
                )
            values["count"] = stems
        values["model"] = self.name
        return build(type(request), values)

    def _fit(self, task: Task) -> None:
        """Raise `ValueError` unless the defaults and limits are such as the task can have."""
        for spec in fields_of(task.request):
            if spec.required and spec.name in self.studio.lacks:
                raise ValueError(f"lacks: {task.id} has to have {spec.name}")
            limit = self.studio.limits.get(spec.name, Limit())
            for least, most in ((spec.minimum, limit.minimum), (limit.maximum, spec.maximum)):
                if least is not None and most is not None and least > most:
                    raise ValueError(
                        f"limits: {spec.name} goes beyond what {task.id} takes, "
                        f"{spec.minimum} to {spec.maximum}"
                    )
        narrowed = {spec.name: spec for spec in self.fields(task)}
        given = {name: narrowed[name].default for name in self.studio.defaults if name in narrowed}
        try:
            for name, value in given.items():
                self._check(narrowed[name], value)
            task.request.model_validate(given)
        except InvalidRequest as error:
            raise ValueError(f"defaults: {error.message}") from None
        except ValidationError as error:
            # What the person has to say is missing here, and is meant to be.
            wrong = [one for one in error.errors() if one["loc"][0] in given]
            if wrong:
                raise ValueError(f"defaults: {wrong[0]['loc'][0]}: {wrong[0]['msg']}") from None

    def _narrowed(self, spec: FieldSpec) -> FieldSpec:
        limit = self.studio.limits.get(spec.name, Limit())
        default = spec.default
        # An optional field without a default follows the input; a model's own would hide that.
        if default is not None or spec.required:
            default = self.studio.defaults.get(spec.name, default)
        # YAML writes 7 for 7.0; the request is strict about the difference.
        if spec.type == "number" and isinstance(default, int):
            default = float(default)
        return replace(
            spec,
            default=default,
            minimum=spec.minimum if limit.minimum is None else limit.minimum,
            maximum=spec.maximum if limit.maximum is None else limit.maximum,
            step=spec.step if limit.step is None else limit.step,
            choices=limit.choices or spec.choices,
            # Where a model knows only certain words, they are there to choose from.
            type="choice" if limit.choices and spec.type == "text" else spec.type,
        )

    def _check(self, spec: FieldSpec, value: Value) -> None:
        wrong = ""
        if isinstance(value, int | float) and not isinstance(value, bool):
            if spec.minimum is not None and value < spec.minimum:
                wrong = f"at least {spec.minimum}"
            elif spec.maximum is not None and value > spec.maximum:
                wrong = f"at most {spec.maximum}"
            elif spec.step is not None and not _on_grid(value, spec.step):
                wrong = f"a multiple of {spec.step}"
        elif spec.choices and value is not None and value not in spec.choices:
            wrong = f"one of {', '.join(spec.choices)}"
        if wrong:
            raise InvalidRequest(
                f"{spec.name}: {self.studio.title} takes {wrong}, and was asked for {value}.",
                hint=f"`studio models show {self.name}` lists what this model can do.",
            )


def _on_grid(value: float, step: float) -> bool:
    """Whether `value` is a multiple of `step`, as far as binary fractions can say."""
    return math.isclose(round(value / step) * step, value, rel_tol=1e-9, abs_tol=1e-12)
