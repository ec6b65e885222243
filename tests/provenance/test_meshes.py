"""Objects: sealed beside their manifest, known again in other formats, never half a shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.provenance import Provenance
from studio.provenance.fingerprint import distance
from studio.provenance.fingerprint_mesh import NEAR_MESH, mesh_fingerprint
from tests.provenance.test_media import ring, seal


def box(*size: float) -> trimesh.Trimesh:
    """A box of this size around the middle."""
    return trimesh.creation.box(size)


def print_of(mesh: trimesh.Trimesh) -> bytes:
    """The fingerprint of `mesh`."""
    return mesh_fingerprint(np.asarray(mesh.vertices, np.float32), np.asarray(mesh.faces, np.int32))


SHAPES = {
    "cube": box(1, 1, 1),
    "slab": box(2, 1, 0.3),
    "ball": trimesh.creation.icosphere(3),
    "cone": trimesh.creation.cone(0.5, 1),
    "rod": trimesh.creation.cylinder(0.2, 2),
    "both": trimesh.util.concatenate([box(1, 1, 1), box(1, 2, 1).apply_translation((1, 1, 0.2))]),
}


@pytest.mark.parametrize("format_", ["glb", "obj", "ply"])
def test_a_published_object_has_its_shape_and_colours(provenance: Provenance, format_: str) -> None:
    arrays = ring(0.5)
    artifact = seal(provenance, Draft("mesh", 0, 1, arrays), "text-to-image", format_)
    read = trimesh.load_scene(provenance.store.path(artifact.id), process=False).to_mesh()
    assert np.allclose(read.vertices, arrays["vertices"], atol=1e-6)
    assert np.array_equal(read.faces, arrays["faces"])
    assert (np.asarray(read.visual.vertex_colors)[:, :3] == (200, 80, 40)).all()
    about = artifact.note.about
    assert (about["vertices"], about["faces"]) == (len(read.vertices), len(read.faces))
    assert about["size"] == pytest.approx(np.ptp(arrays["vertices"], axis=0), abs=1e-5)


def test_a_copy_in_another_format_place_and_size_is_known_again(
    provenance: Provenance, tmp_path: Path
) -> None:
    artifact = seal(provenance, Draft("mesh", 0, 1, ring(0.6)), "text-to-image", "glb")
    copy = trimesh.load_scene(provenance.store.path(artifact.id)).to_mesh().subdivide()
    copy.apply_scale(25).apply_translation((3, -7, 100)).export(tmp_path / "copy.obj")
    verdict = provenance.verifier.verify(tmp_path / "copy.obj")
    assert verdict.outcome == "fingerprint"
    assert "3D object" in verdict.sentence
    SHAPES["both"].export(tmp_path / "other.ply")
    assert provenance.verifier.verify(tmp_path / "other.ply").outcome == "none"


def test_fingerprints_tell_shapes_apart_and_not_their_triangles() -> None:
    prints = {name: print_of(mesh) for name, mesh in SHAPES.items()}
    for name, mesh in SHAPES.items():
        finer = mesh.subdivide()
        finer.faces = finer.faces[::-1]
        assert distance(prints[name], print_of(finer)) <= NEAR_MESH
    values = list(prints.values())
    assert min(distance(a, b) for i, a in enumerate(values) for b in values[:i]) > NEAR_MESH


def changed(**arrays: np.ndarray) -> Draft:
    """A ring of which something is wrong."""
    return Draft("mesh", 0, 1, {**ring(0.4), **arrays})


@pytest.mark.parametrize(
    ("draft", "problem"),
    [
        (changed(vertices=np.full((288, 3), np.nan, np.float32)), "nowhere"),
        (changed(faces=np.zeros((0, 3), np.int32)), "no surface"),
        (changed(vertices=np.zeros((288, 3), np.float32)), "no surface"),
        (changed(faces=np.array([[0, 1, 9_999]], np.int32)), "that it lacks"),
    ],
)
def test_what_is_no_object_is_refused_and_leaves_nothing(
    provenance: Provenance, draft: Draft, problem: str
) -> None:
    before = set(provenance.store.folder.rglob("*"))
    with pytest.raises(InvalidRequest, match=problem) as failure:
        seal(provenance, draft, "text-to-image", "glb")
    assert failure.value.hint
    assert {path for path in provenance.store.folder.rglob("*") if path.is_file()} <= before


def test_the_small_picture_shows_the_object(provenance: Provenance) -> None:
    artifact = seal(provenance, Draft("mesh", 0, 1, ring(0.3)), "text-to-image", "ply")
    with Image.open(provenance.sealer.preview(artifact.id)) as picture:
        pixels = np.asarray(picture.convert("L"), float)
    drawn = pixels < 230
    # The ring stands in the whole height of the picture and is open in the middle.
    assert drawn.any(axis=1).mean() > 0.8
    assert 0.05 < drawn.mean() < 0.7
    assert not drawn[120:136, 120:136].any()


DAMAGED = {
    "glb of junk": b"glTF" + bytes(200),
    "cut ply": b"ply\nformat ascii 1.0\nelement vertex 3\n",
    "obj of one corner": b"v 1 2 3\n",
    "obj with a face too far": b"v 1 2 3\nv 1 2 4\nv 0 0 0\nf 1 2 9\n",
    "obj that is nowhere": b"v 1 2 3e99\nv 1 2 4\nv 0 0 0\nf 1 2 3\n",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_objects_get_a_clear_error(
    provenance: Provenance, tmp_path: Path, name: str
) -> None:
    (tmp_path / "given.bin").write_bytes(DAMAGED[name])
    with pytest.raises(InvalidRequest, match="3D object") as failure:
        provenance.verifier.verify(tmp_path / "given.bin")
    assert failure.value.hint


def test_a_text_about_corners_is_a_text(provenance: Provenance, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("v 1 2 3\nis how a corner is written\n")
    assert provenance.verifier.verify(tmp_path / "notes.txt").outcome == "none"
