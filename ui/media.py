"""The media fields of a form: where files are put in, and how they become ids.

A stranger's file is never opened in this process. Gradio's own picture components would decode it,
and write it anew without its manifest; here they hand on the path of what the browser sent, and
`Client.upload` has the decode child look at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import gradio as gr
from gradio.components import Component
from gradio.components.image_editor import EditorData
from gradio.data_classes import ImageData
from gradio.processing_utils import save_bytes_to_cache, save_file_to_cache
from gradio.utils import get_upload_folder

from studio.client import Client
from studio.errors import NotFound
from studio.fields import FieldSpec, Value
from ui.entered import put_in
from ui.page import QUIET


def component(spec: FieldSpec, common: dict[str, Any]) -> Component:
    """What takes the field's files and gives their paths; `common` is what every component has."""
    if spec.type == "list":
        return gr.File(file_count="multiple", type="filepath", **common)
    match spec.media:
        case "image" | "scene":
            picture = gr.Image(
                type="filepath", sources=["upload", "clipboard"], buttons=[], **common
            )
            picture.preprocess = _path
            return picture
        case "mask":
            # One colour that few pictures have; what is painted counts, not its colour.
            brush = gr.Brush(colors=["#e6007e"], color_mode="fixed")
            value = under_the_brush(common["value"])
            editor = gr.ImageMask(
                **common | {"value": value},
                type="filepath",
                sources=["upload"],
                brush=brush,
                layers=False,
            )
            editor.preprocess = partial(_painted, editor)
            return editor
        case "audio":
            return gr.Audio(type="filepath", sources=["upload", "microphone"], buttons=[], **common)
        case "recording":
            return gr.File(type="filepath", file_types=["audio", "video"], **common)
        case "video":
            return gr.Video(sources=["upload"], buttons=[], **common)
        case "mesh":
            return gr.Model3D(**common)
        case None:
            raise TypeError(f"{spec.name} takes no media")


def microphone(file: Component, label: str) -> None:
    """Lay out what records a sound into `file`, a field that takes films as well."""
    recorder = gr.Audio(
        value=None,
        key=f"{file.key}-microphone",
        label=label,
        type="filepath",
        sources=["microphone"],
        buttons=[],
        interactive=True,
        elem_id=f"{file.elem_id}-microphone",
    )
    recorder.stop_recording(lambda path: path, [recorder], [file], **QUIET)
    recorder.clear(lambda: None, None, [file], **QUIET)


def under_the_brush(path: str | None) -> dict[str, Any] | None:
    """What a mask's editor holds when nothing is painted yet on the picture at `path`."""
    return None if path is None else {"background": path, "layers": [], "composite": None}


def initial(
    spec: FieldSpec, values: Mapping[str, Value], files: Mapping[str, Sequence[Path]]
) -> Value:
    """What the field comes filled in with; a mask is painted on the form's picture."""
    if spec.media is None:
        return values.get(spec.name)
    given = files.get("image" if spec.media == "mask" else spec.name, [])
    if spec.type == "list":
        return [str(file) for file in given] or None
    return str(given[0]) if given else None


async def fetch(client: Client, task: str, values: Mapping[str, Value]) -> dict[str, list[Path]]:
    """The files of those outputs that the values name in the task's media fields."""
    files: dict[str, list[Path]] = {}
    for spec in await client.fields(task):
        for identity in several(values.get(spec.name)) if spec.media not in (None, "mask") else ():
            # One that is gone, or was an upload, is left out: the field is empty then.
            with suppress(NotFound):
                file = await client.fetch(identity)
                # A copy among what was put into forms: Gradio shows no other files of the home.
                shown = await anyio.to_thread.run_sync(
                    save_file_to_cache, file, get_upload_folder()
                )
                files.setdefault(spec.name, []).append(Path(shown))
    return files


async def bring(
    client: Client,
    specs: Sequence[FieldSpec],
    values: Mapping[str, Value],
    before: Mapping[str, Value],
) -> dict[str, Value]:
    """The values with an id for every file; `before` is what the form came filled in with."""
    brought = dict(values)
    for spec in specs:
        if spec.media is None:
            continue
        known = several(before.get(spec.name))
        ids: list[str] = []
        for path in map(put_in, several(values[spec.name])):
            upload = await client.upload(path)
            # The very file that the form came with is called what it was called there.
            same = upload.manifest == "trusted" and upload.parent in known
            ids.append(str(upload.parent) if same else upload.id)
        brought[spec.name] = ids or None if spec.type == "list" else next(iter(ids), None)
    return brought


def several(value: Value) -> list[str]:
    """The ids or paths in a media field, whether it takes one or a list."""
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return [str(value)] if value else []


def _path(sent: ImageData | None) -> str | None:
    """Where the picture lies that the browser sent."""
    return sent.path if sent else None


def _painted(editor: gr.ImageMask, sent: EditorData | None) -> str | None:
    """Where the painting lies, without what it was painted on; None if nothing is painted."""
    if sent is None:
        return None
    kept = editor.blob_storage.get(sent.id) if sent.id else sent
    layer = next(iter(kept.layers), None) if kept else None
    if isinstance(layer, bytes):
        return str(save_bytes_to_cache(layer, f"mask.{editor.format}", editor.GRADIO_CACHE))
    return str(layer.path) if layer else None
