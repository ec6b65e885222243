"""Reading objects: GLB, OBJ and PLY as corners and the triangles between them, nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidRequest

#: What each is to the manifest reader.
MEDIA_TYPES = {"glb": "model/gltf-binary", "obj": "model/obj", "ply": "model/ply"}
#: Bytes of a text that tell whether it is an object: a line of an OBJ file, and a corner.
_HEAD = 65_536
_LINE = re.compile(rb"#.*|\s*|(v|vn|vt|vp|f|l|p|o|g|s|mtllib|usemtl)\s.*")
_CORNER = re.compile(rb"^v(\s+-?[\d.]\S*){3}", re.MULTILINE)


def mesh_format(file: BinaryIO) -> str:
    """`glb`, `obj`, `ply` or nothing, as the bytes say; `file` is then at its beginning again."""
    head = file.read(_HEAD)
    file.seek(0)
    if head[:4] == b"glTF":
        return "glb"
    if head[:4] in (b"ply\n", b"ply\r"):
        return "ply"
    # The last line may have been cut off.
    lines = head.splitlines()[: -1 if len(head) == _HEAD else None]
    if _CORNER.search(head) and all(_LINE.fullmatch(line) for line in lines):
        return "obj"
    return ""


def read_mesh(file: BinaryIO, kind: str) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Float32 corners (n, 3) and int32 faces (m, 3) of all that a file of this kind holds.

    Materials, pictures and files that it refers to are left alone.

    Raises:
        InvalidRequest: if it is damaged, or holds no triangle.
    """
    vertices, faces, _ = _read(file, kind)
    return vertices, faces


def spool_mesh(file: BinaryIO, kind: str, place: Path) -> None:
    """Write the corners to `place`, raw, and beside it `<place>.faces`, uint8 `<place>.colours`."""
    vertices, faces, colours = _read(file, kind)
    vertices.tofile(place)
    faces.tofile(place.with_name(f"{place.name}.faces"))
    if colours is not None:
        colours.tofile(place.with_name(f"{place.name}.colours"))


def _read(
    file: BinaryIO, kind: str
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.uint8] | None]:
    """Corners, faces, and the corners' colours (n, 3), where they have any."""
    # Late: a check of anything else does without it.
    import trimesh

    try:
        scene = trimesh.load_scene(file, file_type=kind, process=False, skip_materials=True)
        mesh = scene.to_mesh()
        coloured = mesh.visual.kind == "vertex"
        colours = np.asarray(mesh.visual.vertex_colors)[:, :3] if coloured else None
    except MemoryError:
        raise
    except Exception as error:
        # Whatever a stranger's file makes the library stumble over.
        raise _damaged(str(error)[:200] or type(error).__name__) from None
    vertices = np.asarray(mesh.vertices, np.float32)
    faces = np.asarray(mesh.faces, np.int32)
    if not len(faces):
        raise _damaged("it holds no triangle")
    if not 0 <= faces.min() <= faces.max() < len(vertices) or not np.isfinite(vertices).all():
        raise _damaged("some of its corners are nowhere")
    return vertices, faces, colours


def _damaged(why: str) -> InvalidRequest:
    return InvalidRequest(
        f"This 3D object is damaged: {why}.", hint="Fetch it again from where it came."
    )
