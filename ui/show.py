"""A finished work: what it is about, how its kind is shown, and how it is fetched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
from markupsafe import Markup

from studio.artifact import Artifact
from studio.client import Client
from studio.fields import fields_of
from studio.formats import EXTENSIONS, FORMATS
from studio.score import Score
from studio.sheet import SheetFormat, abc
from studio.tasks import TASKS
from ui.markup import tag

#: The media types of files that cannot hold their manifest, which lies beside them.
_BESIDE = frozenset(one.media_type for one in FORMATS.values() if not one.embeds)
#: The formats that notes can be fetched in, by what people call them.
_SHEETS: Mapping[SheetFormat, str] = {"mid": "MIDI", "abc": "ABC", "svg": "SVG"}


def about(task: str, request: Mapping[str, Any]) -> str:
    """What an order is about: the text for its task's first field; for files, title or task."""
    known = TASKS.get(task)
    if known is None:
        return str(request.get("prompt") or task)
    first = next(spec for spec in fields_of(known.request) if spec.name == known.positional)
    if first.media is None:
        return str(request[first.name])
    return str(request.get("prompt") or request.get("title") or known.title)


def seen(artifact: Artifact) -> str:
    """What an artifact shows, for those who cannot see it: as a model sees it, or as ordered."""
    return artifact.keeping.caption or about(artifact.note.task, artifact.note.request)


def file_of(artifact: Artifact) -> str:
    """Where the finished file is."""
    return f"/api/v1/artifacts/{artifact.id}/file"


def preview_of(artifact: Artifact) -> str:
    """Where the small picture of it is: of a sound its wave, of a film a frame; of a text none."""
    return f"/api/v1/artifacts/{artifact.id}/preview"


async def read(client: Client, artifact: Artifact) -> str:
    """What a finished text says; nothing of any other kind."""
    if artifact.kind != "text":
        return ""
    return await anyio.Path(await client.fetch(artifact.id)).read_text("utf-8")


def shown(say: Callable[..., str], artifact: Artifact, alt: str, text: str = "") -> Markup:
    """The file itself, named `alt`; of a text what it says, `text`."""
    file = file_of(artifact)
    match artifact.kind:
        case "image":
            asked = artifact.note.request
            picture = tag(
                "img",
                src=file,
                alt=alt,
                width=asked.get("width"),
                height=asked.get("height"),
                loading="lazy",
            )
            return tag("a", picture, href=file, target="_blank", title=say("result.open"))
        case "video" if artifact.media_type == "image/gif":
            return tag("img", src=file, alt=alt, loading="lazy")
        case "video":
            return tag(
                "video",
                src=file,
                poster=preview_of(artifact),
                controls=True,
                preload="metadata",
                aria_label=alt,
            )
        case "audio":
            wave = tag("img", src=preview_of(artifact), alt="", loading="lazy")
            player = tag("audio", src=file, controls=True, preload="metadata", aria_label=alt)
            return tag("div", wave, player, class_="sound")
        case "text":
            return tag("div", text, class_="writing", tabindex="0", role="region", aria_label=alt)
        case "mesh" if artifact.media_type == "model/gltf-binary":
            return tag(
                "model-viewer",
                src=file,
                poster=preview_of(artifact),
                alt=alt,
                camera_controls=True,
                touch_action="pan-y",
                shadow_intensity="1",
                interaction_prompt="none",
            )
        case "mesh":
            # The viewer reads no other format; the file itself is a click away.
            drawn = tag("img", src=preview_of(artifact), alt=alt, loading="lazy")
            return tag("a", drawn, href=file, target="_blank", title=say("result.open"))


def downloads(say: Callable[..., str], artifact: Artifact) -> Markup:
    """What fetches the file, of a composed piece its notes, and a manifest that lies beside it."""
    parts = ("colophon", artifact.id[:8], artifact.note.about.get("stem"))
    name = f"{'-'.join(filter(None, parts))}.{EXTENSIONS[artifact.media_type]}"
    file = tag("a", say("result.download"), href=file_of(artifact), download=name, class_="press")
    if "score" in artifact.note.about:
        file += _sheet(say, artifact, "mid")
    if artifact.media_type not in _BESIDE:
        return file
    return file + tag(
        "a",
        say("result.manifest"),
        href=f"/api/v1/artifacts/{artifact.id}/manifest",
        download=f"{name}.c2pa",
        title=say("result.manifest.how"),
        class_="press",
    )


def score(say: Callable[..., str], artifact: Artifact) -> Markup | None:
    """The notes of a composed piece, to look at and to read; `downloads` has them for programs."""
    record = artifact.note.about.get("score")
    if record is None:
        return None
    alt = say("score.roll", subject=seen(artifact))
    roll = tag("img", src=_sheet_of(artifact, "svg"), alt=alt, loading="lazy")
    return tag(
        "section",
        tag("h3", say("score.title")),
        tag("p", say("score.how"), class_="note"),
        tag("div", roll, class_="roll", tabindex="0", role="region", aria_label=say("score.title")),
        tag("div", _sheet(say, artifact, "abc"), _sheet(say, artifact, "svg"), class_="row"),
        tag(
            "details",
            tag("summary", say("score.abc")),
            tag("pre", abc(Score.from_record(record), artifact.id), tabindex="0"),
            class_="fold",
        ),
    )


def _sheet(say: Callable[..., str], artifact: Artifact, form: SheetFormat) -> Markup:
    """What fetches the notes in one format."""
    return tag(
        "a",
        say("result.score", form=_SHEETS[form]),
        href=_sheet_of(artifact, form),
        download=f"colophon-{artifact.id[:8]}.{form}",
        class_="press",
    )


def _sheet_of(artifact: Artifact, form: SheetFormat) -> str:
    return f"/api/v1/artifacts/{artifact.id}/score?format={form}"
