"""Objects as files, through trimesh: written, read back, measured and drawn in small."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.draft import Draft
from studio.errors import InvalidRequest, SealFailed
from studio.formats import Format
from studio.provenance.fingerprint_mesh import surface
from studio.worker.decode_mesh import read_mesh

#: By how much of the object's size a corner may move: OBJ writes decimals.
_MOVED = 1e-5
#: The side of a small picture in pixels, and how much of it the object fills.
_SIDE, _FILLED = 256, 0.9
#: Where the light comes from and where the eye is, seen from the object; y is up, as in glTF.
_LIGHT, _EYE = (0.4, 0.8, 0.6), (0.5, 0.4, 1.0)
_GROUND = (246, 241, 232)


def encode_mesh(draft: Draft, target: Format, place: Path) -> None:
    """Write an object, with the colours of its corners where it has any.

    Raises:
        InvalidRequest: if it has no surface, or corners that are nowhere.
    """
    # Late: the host does without it until it makes an object.
    import trimesh

    vertices, faces = draft.arrays["vertices"], draft.arrays["faces"]
    if not np.isfinite(vertices).all():
        raise _no_object("has corners that are nowhere")
    if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise _no_object("has faces between corners that it lacks")
    if not len(surface(vertices, faces)[0]):
        raise _no_object("has no surface")
    mesh = trimesh.Trimesh(
        vertices, faces, vertex_colors=draft.arrays.get("colours"), process=False, validate=False
    )
    mesh.export(place, file_type=target.extension)


def read_back(media: Path, like: Draft) -> Draft:
    """The object in `media`; `SealFailed` if it is not the one in `like`."""
    with media.open("rb") as file:
        vertices, faces = read_mesh(file, media.suffix[1:])
    wanted = like.arrays["vertices"]
    near = _MOVED * float(np.ptp(wanted, axis=0).max())
    if not (np.array_equal(faces, like.arrays["faces"]) and np.allclose(vertices, wanted, 0, near)):
        raise SealFailed("The finished file has another shape than the draft.")
    return Draft("mesh", 0, 0, {"vertices": vertices, "faces": faces})


def measure_mesh(draft: Draft) -> Mapping[str, Any]:
    """How many corners and faces an object has, and its size along each axis."""
    vertices = draft.arrays["vertices"]
    return {
        "vertices": len(vertices),
        "faces": len(draft.arrays["faces"]),
        "size": [round(float(length), 6) for length in np.ptp(vertices, axis=0)],
    }


def draw_mesh(media: Path) -> Image.Image:
    """A finished object, lit from above: a point is as bright as it faces the light."""
    with media.open("rb") as file:
        vertices, faces = read_mesh(file, media.suffix[1:])
    points, facing = surface(vertices, faces)
    forward = np.array(_EYE) / np.linalg.norm(_EYE)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    seen = points @ np.stack([right, -np.cross(forward, right), forward], axis=1)
    seen -= (seen.max(axis=0) + seen.min(axis=0)) / 2
    scale = _FILLED * _SIDE / max(float(np.ptp(seen[:, :2], axis=0).max()), 1e-12)
    # Nearest last, so that it covers what lies behind it.
    order = np.argsort(seen[:, 2])
    columns, rows = np.round(seen[order, :2] * scale + _SIDE / 2).astype(int).T
    bright = np.abs(facing[order] @ (np.array(_LIGHT) / np.linalg.norm(_LIGHT)))
    canvas = np.full((_SIDE, _SIDE, 3), _GROUND, np.uint8)
    shades = (60 + 160 * bright)[:, None].astype(np.uint8)
    # Four pixels to a point, so that there are no holes between them.
    canvas[rows[:, None] - (0, 0, 1, 1), columns[:, None] - (0, 1, 0, 1)] = shades[:, None]
    return Image.fromarray(canvas)


def _no_object(what: str) -> InvalidRequest:
    return InvalidRequest(
        f"The model made an object that {what}.", hint="Try another seed or other words."
    )
