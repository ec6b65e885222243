"""Inputs: what requests name in their media fields, from the upload to the family's arrays.

A media field holds the id of an artifact or of an upload. Whatever came from outside is opened in
the decode child and nowhere else; the device child gets raw arrays, and the seal the files that
they came from. A job's arrays live in `home/inputs/<job>` until the job has its outcome.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.artifacts import ArtifactStore
from studio.cards import Card
from studio.draft import Draft
from studio.errors import InvalidRequest, NotFound
from studio.fields import FieldSpec, fields_of
from studio.job import Job
from studio.provenance.consents import Consents
from studio.provenance.fingerprint import HEARD
from studio.provenance.manifest import Ingredient
from studio.provenance.verify import Verifier
from studio.settings import Settings
from studio.tasks import TASKS, Task
from studio.tasks.request import Kind, Request, kinds_of
from studio.tasks.vision import ImageToText
from studio.tasks.voices import VoiceCloning
from studio.uploads import Upload, Uploads, upload_id
from studio.worker.decode_client import decoding

Pixels = NDArray[np.uint8]

_A_DAY = 24 * 3600.0
_TAKES = {
    "image": "a picture",
    "mask": "a picture",
    "audio": "a sound",
    "video": "a film",
    "scene": "a picture or a film",
    "recording": "a sound or a film",
    "mesh": "a 3D object",
}
#: What people can bring along.
_KINDS: tuple[Kind, ...] = ("image", "audio", "video", "mesh")
#: A side of what a model draws, where its card does not say.
_USUAL_SIDE = 512


@dataclass(frozen=True)
class Opened:
    """The inputs of one job, as a family and the seal take them."""

    #: By field: folders that `Draft.unspool` reads; see `studio.families.Order.inputs`.
    drafts: Mapping[str, Path]
    #: The files, in the order of the fields.
    ingredients: tuple[Ingredient, ...]


@dataclass(frozen=True)
class _Source:
    """What an id stands for: one of the owner's artifacts or uploads."""

    upload: Upload
    path: Path


class Inputs:
    """The uploads and the jobs' inputs of one home; called from any thread."""

    def __init__(
        self, settings: Settings, store: ArtifactStore, verifier: Verifier, consents: Consents
    ) -> None:
        self._settings = settings
        self._store = store
        self._verifier = verifier
        self._consents = consents
        self._uploads = Uploads(
            settings.home / "uploads", most=settings.max_uploads, most_bytes=settings.uploads_bytes
        )
        self._folder = settings.home / "inputs"
        # What an earlier host opened is opened anew: nobody knows how far it had come.
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700)
        self._opened: dict[str, Opened] = {}

    def take(self, owner: str, path: Path, name: str) -> Upload:
        """Keep a copy of the file at `path`, if it can be opened, as the owner's upload.

        Raises:
            NotFound: if there is no such file.
            InvalidRequest: if it is empty, too large, damaged, or of no kind that is known.
            Unavailable: if the owner has as many uploads as one may have.
        """
        with self._uploads.receiving(path, self._settings.max_upload_bytes) as (copy, sha256):
            anchors = self._verifier.keys.anchors()
            with decoding(
                copy, self._settings, kinds=_KINDS, anchors=anchors, seconds=HEARD
            ) as decoded:
                if decoded.content is None:
                    raise InvalidRequest(decoded.damage, hint="Fetch it again from where it came.")
                width, height = decoded.width or None, decoded.height or None
                if decoded.kind == "image":
                    # Upright, which the size in its head is not always.
                    height, width = decoded.content.arrays["pixels"].shape[:2]
                upload = Upload(
                    id=upload_id(owner, sha256),
                    kind=decoded.kind,
                    media_type=decoded.media_type,
                    size=copy.stat().st_size,
                    sha256=sha256,
                    name=Path(name).name[:200],
                    width=width,
                    height=height,
                    seconds=decoded.seconds or None,
                    manifest=decoded.manifest.state,
                    parent=self._recognised(copy),
                )
            return self._uploads.keep(owner, copy, upload)

    def resolve(self, owner: str, task: Task, card: Card, request: Request) -> Request:
        """`request` with its picture's or film's size, fitted to the model, where it has none.

        Raises:
            NotFound: if a field names nothing that is the owner's.
            InvalidRequest: if what it names is of another kind than the field takes.
            Refused: if it is a voice whose owner did not agree.
        """
        self._permit(owner, task, request.model_dump())
        named = {
            place: self._find(owner, spec, identity)
            for place, spec, identity in _named(task, request.model_dump())
        }
        sides = {spec.name: spec for spec in card.fields(task) if spec.name in ("width", "height")}
        shown = named.get("image") or named.get("video")
        if shown is None or sides.keys() != {"width", "height"}:
            return request
        upload = shown.upload
        asked = {name: getattr(request, name) for name in sides}
        return request.model_copy(update=_fitted(upload, asked, sides, card.studio.defaults))

    def open(self, job: Job) -> Opened:
        """The job's inputs, made ready once and kept until `close`.

        Raises:
            NotFound: if one of them was deleted since the order.
            InvalidRequest: if one of them cannot be used: a mask with nothing painted.
            Refused: if whose voice it is does not agree any more.
        """
        # Every time: it may have been taken back since the order.
        self._permit(job.owner, TASKS[job.task], job.request)
        if job.id not in self._opened:
            place = self._folder / job.id
            shutil.rmtree(place, ignore_errors=True)
            try:
                self._opened[job.id] = self._open(job, place)
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
        return self._opened[job.id]

    def picture(self, owner: str, identity: str, folder: Path) -> Path:
        """Where below `folder` lies what one of the owner's artifacts or uploads shows, as a draft.

        Raises:
            NotFound: if it is neither.
            InvalidRequest: if it is no picture.
        """
        (spec,) = (one for one in fields_of(ImageToText) if one.name == "image")
        source = self._find(owner, spec, identity)
        with decoding(source.path, self._settings, kinds=_kinds(spec)) as decoded:
            if decoded.content is None:
                raise InvalidRequest(decoded.damage)
            return decoded.content.spool(folder)

    def sound(self, owner: str, identity: str) -> Upload:
        """What is known of one of the owner's sounds, an artifact's or an upload's.

        Raises:
            NotFound: if it is neither.
            InvalidRequest: if it is no sound.
        """
        (spec,) = (one for one in fields_of(VoiceCloning) if one.name == "voice")
        return self._find(owner, spec, identity).upload

    def discard(self, owner: str, sha256: str) -> None:
        """Delete the owner's upload of the file with this SHA-256, if there is one."""
        self._uploads.discard(owner, upload_id(owner, sha256))

    def close(self, job: str) -> None:
        """Free what was made ready for a job; nothing happens if nothing was."""
        self._opened.pop(job, None)
        shutil.rmtree(self._folder / job, ignore_errors=True)

    def sweep(self, now: float, unfinished: Iterable[Job]) -> int:
        """Remove uploads that were not used for `upload_days` and no unfinished job names."""
        needed = {
            identity
            for job in unfinished
            for _, _, identity in _named(TASKS[job.task], job.request)
        }
        return self._uploads.sweep(now - self._settings.upload_days * _A_DAY, needed)

    def _open(self, job: Job, place: Path) -> Opened:
        drafts: dict[str, Path] = {}
        ingredients: list[Ingredient] = []
        size = (0, 0)
        for name, spec, identity in _named(TASKS[job.task], job.request):
            source = self._find(job.owner, spec, identity)
            place.mkdir(mode=0o700, exist_ok=True)
            # A second name for the same file: the seal can quote it whatever becomes of the first.
            original = place / f"{name}.original"
            original.hardlink_to(source.path)
            # Of a film that is only to be heard, no picture is decoded.
            kinds = ("audio",) if spec.media == "recording" else _kinds(spec)
            with decoding(original, self._settings, kinds=kinds) as decoded:
                if decoded.content is None:
                    raise InvalidRequest(f"{name}: {decoded.damage}")
                opened = decoded.content
                if spec.media == "mask":
                    mask = _mask(opened.arrays["pixels"], size)
                    opened = Draft("image", 0, 0, {"mask": mask})
                elif opened.kind == "image":
                    size = opened.arrays["pixels"].shape[:2]
                drafts[name] = opened.spool(place / name)
            upload = source.upload
            ingredients.append(
                Ingredient(
                    original,
                    upload.media_type,
                    spec.relation,
                    artifact=upload.parent,
                    quotable=upload.manifest in ("trusted", "valid"),
                )
            )
        return Opened(drafts, tuple(ingredients))

    def _permit(self, owner: str, task: Task, values: Mapping[str, Any]) -> None:
        """`Refused` unless whom a voice belongs to agrees to its use."""
        if task.request is VoiceCloning:
            voice = self.sound(owner, values["voice"])
            self._consents.require(owner, values["consent"], voice.sha256)

    def _find(self, owner: str, spec: FieldSpec, identity: str) -> _Source:
        """The owner's artifact or upload with this id, as if it were an upload of its own."""
        try:
            source = self._artifact(owner, identity) or self._upload(owner, identity)
        except NotFound:
            raise NotFound(
                f"{spec.name}: you have neither an output nor an upload {identity[:40]!r}.",
                hint="Upload the file again, or choose something from your gallery.",
            ) from None
        # The first picture of a GIF will do where one is needed.
        still = source.upload.media_type == "image/gif" and "image" in _kinds(spec)
        if source.upload.kind not in _kinds(spec) and not still:
            raise InvalidRequest(
                f"{spec.name} takes {_TAKES[spec.media or '']}, and was given "
                f"{source.upload.media_type}.",
                hint="Choose another file.",
            )
        return source

    def _upload(self, owner: str, identity: str) -> _Source:
        return _Source(self._uploads.get(owner, identity), self._uploads.path(owner, identity))

    def _artifact(self, owner: str, identity: str) -> _Source | None:
        try:
            artifact = self._store.get(identity)
        except NotFound:
            return None
        if artifact.owner != owner:
            return None
        path = self._store.path(identity)
        about = artifact.note.about
        width, height = about.get("width"), about.get("height")
        if artifact.kind == "image":
            with Image.open(path) as picture:
                width, height = picture.size
        upload = Upload(
            id=identity,
            kind=artifact.kind,
            media_type=artifact.media_type,
            size=artifact.size,
            sha256=artifact.sha256,
            name=identity,
            width=width,
            height=height,
            seconds=about.get("seconds"),
            # What the file itself holds; what lies beside it cannot be quoted.
            manifest="absent" if self._store.companion(identity) else "trusted",
            parent=identity,
        )
        return _Source(upload, path)

    def _recognised(self, path: Path) -> str | None:
        """The artifact that the file at `path` is or comes from, if this studio made it."""
        layers = {layer.name: layer for layer in self._verifier.verify(path).layers}
        # A broken statement takes nothing from what the mark says; another picture's mark does.
        if layers["mark"].state == "copied":
            return None
        return layers["ledger"].details.get("artifact")


def _named(task: Task, values: Mapping[str, Any]) -> Iterator[tuple[str, FieldSpec, str]]:
    """All that a request names: under which name a family gets it, the field, and the id."""
    for spec in fields_of(task.request):
        match values[spec.name] if spec.media is not None else None:
            case str(identity):
                yield spec.name, spec, identity
            case list() | tuple() as identities:
                # An empty entry stands for nothing, so that the others keep their places.
                for number, identity in enumerate(identities):
                    if identity:
                        yield f"{spec.name}.{number}", spec, identity


def _kinds(spec: FieldSpec) -> tuple[Kind, ...]:
    """What a media field takes."""
    return kinds_of(spec.media) if spec.media else ()


def _fitted(
    upload: Upload,
    asked: Mapping[str, int | None],
    sides: Mapping[str, FieldSpec],
    usual: Mapping[str, object],
) -> dict[str, int]:
    """The size to draw: of the picture's shape, no larger than the model is used to.

    One side that was asked for decides; both of them are taken as they are.
    """
    common = {name: int(str(usual.get(name, _USUAL_SIDE))) for name in ("width", "height")}
    size = {
        "width": upload.width or common["width"],
        "height": upload.height or common["height"],
    }
    area = math.prod(common.values())
    scale = min(1.0, math.sqrt(area / math.prod(size.values())))
    for name, side in asked.items():
        if side is not None:
            scale = side / size[name]
    return {name: asked[name] or _on_grid(size[name] * scale, sides[name]) for name in size}


def _on_grid(side: float, spec: FieldSpec) -> int:
    """The nearest side that the model can draw."""
    step = int(spec.step or 1)
    low, high = int(spec.minimum or step), int(spec.maximum or side)
    return min(max(round(side / step) * step, low), high)


def _mask(pixels: Pixels, size: Sequence[int]) -> Pixels:
    """Where to paint: uint8 of `size` (height, width), 255 where the mask is light, else 0.

    Where the mask has transparency, whatever is painted counts, in any colour. A mask of another
    size than its picture is brought to it by taking the nearest pixel.
    """
    painted = pixels.shape[2] == 4 and pixels[..., 3].min() < 255
    light = pixels[..., 3] if painted else pixels[..., :3].max(axis=2)
    rows, columns = (
        np.arange(there) * here // there for there, here in zip(size, light.shape, strict=True)
    )
    mask = np.where(light[rows][:, columns] >= 128, np.uint8(255), np.uint8(0))
    if not mask.any():
        raise InvalidRequest(
            "mask: nothing is painted, so there is nothing to change.",
            hint="Paint over what should change, or leave it white in the mask's file.",
        )
    return mask
