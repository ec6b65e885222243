"""A 3D object on the page: its small picture, its file, and the manifest beside it."""

from __future__ import annotations

from studio.artifact import Artifact, Note
from ui.show import downloads, shown


def test_an_object_is_seen_and_fetched_with_its_manifest() -> None:
    note = Note("1" * 32, 0, "me", "text-to-3d", "c", "1", {}, "", "", 1, (), {}, 1, {}, 0.0)
    ring = Artifact("2" * 32, "local", "mesh", "model/gltf-binary", 9, "0" * 64, note)
    seen = shown(str, ring, "a ring")
    assert f"/api/v1/artifacts/{ring.id}/preview" in seen
    assert 'alt="a ring"' in seen
    links = downloads(str, ring)
    assert ".glb" in links
    assert f"/api/v1/artifacts/{ring.id}/manifest" in links
