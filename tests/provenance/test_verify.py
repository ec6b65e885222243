"""A check says what each layer shows, and never more than the evidence."""

from __future__ import annotations

import io
import json
import shutil
import socketserver
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import c2pa
import numpy as np
import pytest
from PIL import Image

from studio.errors import InvalidRequest, NotFound, StudioError
from studio.provenance import Provenance
from studio.provenance.manifest import Ingredient, Statement, read, sign
from studio.provenance.verdict import Outcome, Verdict
from tests.provenance.conftest import CARD, new_draft, new_job, seal
from tests.provenance.pictures import cropped, flat, jpeg, mirrored, resized, texture, turned

CREATED = {
    "action": "c2pa.created",
    "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
}
STATEMENT = Statement(
    studio="Elsewhere",
    version="1",
    task="text-to-image",
    card="model",
    revision="main",
    licence="mit",
    notice="",
    allow_training=False,
    marks={"another.alg": "00"},
)


def saved(pixels: np.ndarray, path: Path) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def states(verdict: Verdict) -> dict[str, str]:
    return {layer.name: layer.state for layer in verdict.layers}


def pixels_of(provenance: Provenance, artifact_id: str) -> np.ndarray:
    with Image.open(provenance.store.path(artifact_id)) as picture:
        return np.array(picture)


@pytest.mark.parametrize("format_", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("make", [flat, texture])
def test_a_signed_file_and_its_stripped_copy(
    provenance: Provenance, tmp_path: Path, format_: str, make: Callable[[int], np.ndarray]
) -> None:
    artifact = seal(provenance, make(7), format=format_)
    verdict = provenance.verifier.verify(provenance.store.path(artifact.id), "mine")
    assert verdict.outcome is Outcome.SIGNED
    assert verdict.file == "mine"
    assert states(verdict) == {
        "manifest": "trusted", "mark": "found", "fingerprint": "found", "ledger": "found",
    }  # fmt: skip
    assert verdict.layers[3].details["artifact"] == artifact.id
    stripped = provenance.verifier.verify(
        saved(pixels_of(provenance, artifact.id), tmp_path / "stripped.png")
    )
    assert stripped.outcome is Outcome.MARKED
    assert states(stripped)["manifest"] == "absent"
    assert stripped.layers[3].details["artifact"] == artifact.id
    assert "small-world" in stripped.sentence
    json.dumps(stripped.record())


@pytest.mark.parametrize(
    "attack",
    [
        lambda pixels: jpeg(pixels, 50),
        lambda pixels: resized(pixels, 0.7),
        lambda pixels: cropped(pixels, 0.5),
        mirrored,
        lambda pixels: turned(pixels, 5),
    ],
)
def test_a_changed_copy_is_still_marked(
    provenance: Provenance, tmp_path: Path, attack: Callable[[np.ndarray], np.ndarray]
) -> None:
    artifact = seal(provenance, flat(8))
    changed = saved(attack(pixels_of(provenance, artifact.id)), tmp_path / "changed.png")
    verdict = provenance.verifier.verify(changed)
    assert verdict.outcome is Outcome.MARKED
    assert verdict.layers[1].details["id"] == artifact.note.marks["image"]["id"]
    assert verdict.layers[1].details["chance"] < 1e-3


def test_nothing_found_says_nothing(provenance: Provenance, tmp_path: Path) -> None:
    seal(provenance, texture(1))
    verdict = provenance.verifier.verify(saved(texture(99), tmp_path / "unmarked.png"))
    assert verdict.outcome is Outcome.NONE
    assert set(states(verdict).values()) == {"absent"}
    for word in ("human", "authentic", "true", "real"):
        assert word not in verdict.sentence.lower()


def test_a_likeness_is_called_a_likeness(provenance: Provenance, tmp_path: Path) -> None:
    pixels = texture(31)
    seal(provenance, pixels)
    verdict = provenance.verifier.verify(saved(jpeg(pixels, 80), tmp_path / "before.png"))
    assert verdict.outcome is Outcome.FINGERPRINT
    assert "not proof" in verdict.sentence


@pytest.mark.parametrize("format_", ["png", "webp", "jpeg"])
def test_any_change_after_signing_is_noticed(
    provenance: Provenance, tmp_path: Path, format_: str
) -> None:
    path = provenance.store.path(seal(provenance, flat(5), format=format_).id)
    trailing = path.read_bytes() + b"more"
    (tmp_path / "trailing").write_bytes(trailing)
    assert provenance.verifier.verify(tmp_path / "trailing").outcome is Outcome.CONTRADICTED
    changed = path.read_bytes().replace(b"small-world", b"large-world")
    assert changed != path.read_bytes()
    (tmp_path / "changed").write_bytes(
        with_right_checksum(changed) if format_ == "png" else changed
    )
    verdict = provenance.verifier.verify(tmp_path / "changed")
    assert verdict.outcome is Outcome.CONTRADICTED
    assert verdict.layers[0].state == "invalid"
    assert verdict.layers[0].details["problems"]


def test_a_manifest_on_another_picture_is_noticed(provenance: Provenance, tmp_path: Path) -> None:
    signed = provenance.store.path(seal(provenance, flat(5)).id).read_bytes()
    other = io.BytesIO()
    Image.fromarray(texture(12)).save(other, "PNG")
    # A PNG is a list of chunks; C2PA's own is called caBX.
    start = signed.index(b"caBX") - 4
    chunk = signed[start : start + 12 + int.from_bytes(signed[start : start + 4])]
    moved = other.getvalue()[:33] + chunk + other.getvalue()[33:]
    (tmp_path / "moved.png").write_bytes(moved)
    assert provenance.verifier.verify(tmp_path / "moved.png").outcome is Outcome.CONTRADICTED


def test_a_changed_ingredient_is_noticed_below_a_valid_signature(
    provenance: Provenance, tmp_path: Path
) -> None:
    path = provenance.store.path(seal(provenance, flat(5)).id)
    changed = tmp_path / "parent.png"
    changed.write_bytes(path.read_bytes().replace(b"small-world", b"large-world"))
    sign(
        saved(texture(2), tmp_path / "plain.png"),
        tmp_path / "child.png",
        "image/png",
        STATEMENT,
        provenance.keys.signing(),
        [Ingredient(changed, "image/png")],
    )
    verdict = provenance.verifier.verify(tmp_path / "child.png")
    assert verdict.outcome is Outcome.CONTRADICTED
    assert any(code.startswith("ingredient: ") for code in verdict.layers[0].details["problems"])


def test_a_mark_copied_onto_another_picture_is_noticed(
    provenance: Provenance, tmp_path: Path
) -> None:
    before = texture(40)
    artifact = seal(provenance, before)
    mark = pixels_of(provenance, artifact.id).astype(int) - before
    forged = np.clip(texture(41).astype(int) + mark, 0, 255).astype(np.uint8)
    verdict = provenance.verifier.verify(saved(forged, tmp_path / "forged.png"))
    assert verdict.outcome is Outcome.CONTRADICTED
    assert states(verdict)["mark"] == "copied"
    # In a crop the comparison says nothing, so nothing is claimed.
    part = saved(cropped(forged, 0.6), tmp_path / "part.png")
    verdict = provenance.verifier.verify(part)
    assert verdict.outcome is Outcome.MARKED
    assert "not compared" in verdict.sentence


def test_a_strangers_signature_does_not_end_the_search(
    provenance: Provenance, another: Callable[..., Provenance], tmp_path: Path
) -> None:
    artifact = seal(provenance, flat(8))
    place = saved(turned(pixels_of(provenance, artifact.id), 5), tmp_path / "turned.png")
    sign(place, tmp_path / "theirs.png", "image/png", STATEMENT, another().keys.signing())
    verdict = provenance.verifier.verify(tmp_path / "theirs.png")
    assert verdict.outcome is Outcome.UNKNOWN_SIGNER
    assert states(verdict)["mark"] == "found"
    assert verdict.layers[3].details["artifact"] == artifact.id


@pytest.mark.parametrize(("height", "width"), [(512, 1024), (768, 512), (896, 1152)])
def test_a_side_cut_off_is_no_forgery(
    provenance: Provenance, tmp_path: Path, height: int, width: int
) -> None:
    artifact = seal(provenance, texture(61, height, width))
    with Image.open(provenance.store.path(artifact.id)) as picture:
        side = min(picture.size)
        for place in (0, max(picture.size) - side):
            left, top = (place, 0) if width > height else (0, place)
            part = tmp_path / "part.png"
            picture.crop((left, top, left + side, top + side)).save(part)
            assert provenance.verifier.verify(part).outcome is Outcome.MARKED


def test_a_nearly_empty_picture_is_like_nothing(provenance: Provenance, tmp_path: Path) -> None:
    white = np.full((512, 512, 3), 250, np.uint8)
    artifact = seal(provenance, white)
    with Image.open(provenance.store.path(artifact.id)) as picture:
        picture.save(tmp_path / "again.jpg", quality=60)
    assert provenance.verifier.verify(tmp_path / "again.jpg").outcome in (
        Outcome.MARKED,
        Outcome.NONE,
    )
    black = saved(np.full((512, 512, 3), 9, np.uint8), tmp_path / "black.png")
    assert provenance.verifier.verify(black).outcome is Outcome.NONE


def test_a_damaged_file_without_a_manifest_was_not_altered_after_signing(
    provenance: Provenance, tmp_path: Path
) -> None:
    path = saved(texture(62), tmp_path / "stranger.png")
    path.write_bytes(path.read_bytes()[:-12])  # without its last chunk, which Pillow can do without
    verdict = provenance.verifier.verify(path)
    assert verdict.outcome is Outcome.NONE
    assert "damaged" in verdict.layers[0].summary


def test_another_installation_is_unknown_until_its_root_is_trusted(
    another: Callable[..., Provenance], tmp_path: Path
) -> None:
    mine, theirs = another("mine"), another("theirs")
    path = theirs.store.path(seal(theirs, flat(1)).id)
    assert mine.verifier.verify(path).outcome is Outcome.UNKNOWN_SIGNER
    root = tmp_path / "root.pem"
    root.write_text(theirs.keys.root_pem())
    assert mine.keys.trust(root) == theirs.keys.root_fingerprint()
    verdict = mine.verifier.verify(path)
    assert verdict.outcome is Outcome.SIGNED
    assert verdict.layers[1].state == "absent"


def test_a_remote_manifest_is_never_fetched(provenance: Provenance, tmp_path: Path) -> None:
    asked = []

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.client_address)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        plain = io.BytesIO()
        Image.fromarray(flat(1)).save(plain, "PNG")
        key = provenance.keys.signing()
        definition = {"title": "x", "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": [CREATED]}}
        ]}  # fmt: skip
        builder = c2pa.Builder(json.dumps(definition))
        builder.set_remote_url(f"http://127.0.0.1:{server.server_address[1]}/m.c2pa")
        builder.set_no_embed()
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", key.chain, key.private, None))
        signed = io.BytesIO()
        builder.sign(signer, "image/png", plain, signed)
        path = tmp_path / "remote.png"
        path.write_bytes(signed.getvalue())
        report = read(io.BytesIO(signed.getvalue()), "image/png", "")
        verdict = provenance.verifier.verify(path)
        server.shutdown()
    assert asked == []
    assert report.state == "absent"
    assert verdict.layers[0].state == "absent"
    assert "not fetched" in verdict.layers[0].summary


def with_right_checksum(png: bytes) -> bytes:
    """A PNG whose caBX chunk was changed by somebody who knows what a checksum is."""
    start = png.index(b"caBX")
    end = start + 4 + int.from_bytes(png[start - 4 : start])
    return png[:end] + zlib.crc32(png[start:end]).to_bytes(4) + png[end + 4 :]


def png_bomb(side: int) -> bytes:
    """A picture of `side` × `side` black pixels in a few kilobytes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body).to_bytes(4)
        return len(body).to_bytes(4) + name + body + check

    head = side.to_bytes(4) * 2 + b"\x01\x00\x00\x00\x00"
    rows = zlib.compress((b"\x00" + bytes(side // 8)) * side, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def gif_bomb(frames: int) -> bytes:
    picture = Image.new("P", (1000, 1000))
    file = io.BytesIO()
    others = [Image.new("P", (1000, 1000), shade) for shade in range(1, frames)]
    picture.save(file, "GIF", save_all=True, append_images=others)
    return file.getvalue()


BAD = {
    "empty": (b"", InvalidRequest),
    "noise.png": (bytes(range(256)) * 4, InvalidRequest),
    "bomb.png": (png_bomb(12000), InvalidRequest),
    "head only.png": (png_bomb(800)[:40], InvalidRequest),
    "cut.png": (png_bomb(800)[:100], InvalidRequest),
    "zip.png": (b"PK\x03\x04" + bytes(500), InvalidRequest),
    "video.mp4": (b"\x00\x00\x00\x18ftypmp42" + bytes(500), InvalidRequest),
}


@pytest.mark.parametrize("name", BAD)
def test_unusable_files_get_a_clear_error(
    provenance: Provenance, tmp_path: Path, name: str
) -> None:
    content, error = BAD[name]
    (tmp_path / name).write_bytes(content)
    begun = time.monotonic()
    with pytest.raises(error) as failure:
        provenance.verifier.verify(tmp_path / name)
    assert failure.value.hint
    assert time.monotonic() - begun < 10


def test_folders_missing_files_and_pipes_get_a_clear_error(
    provenance: Provenance, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        provenance.verifier.verify(tmp_path / "missing.png")
    with pytest.raises(InvalidRequest, match="folder"):
        provenance.verifier.verify(tmp_path)
    with pytest.raises(StudioError):
        provenance.verifier.verify(Path("/dev/zero"))


def test_large_pictures_within_the_cap_and_many_frames_are_read(
    provenance: Provenance, tmp_path: Path
) -> None:
    (tmp_path / "large.png").write_bytes(png_bomb(6000))
    (tmp_path / "frames.gif").write_bytes(gif_bomb(20))
    saved(np.zeros((1, 1, 3), np.uint8), tmp_path / "one.png")
    shutil.copy(saved(texture(77), tmp_path / "a.png"), tmp_path / "mislabelled.jpg")
    for name in ("large.png", "frames.gif", "one.png", "mislabelled.jpg"):
        assert provenance.verifier.verify(tmp_path / name).outcome is Outcome.NONE


def test_caps_come_from_the_settings(
    provenance: Provenance, replace_settings: Callable[..., Provenance], tmp_path: Path
) -> None:
    path = saved(texture(3, 64, 64), tmp_path / "a.png")
    for cap in ("max_pixels", "max_upload_bytes"):
        with pytest.raises(InvalidRequest, match=r"was not decoded|are accepted"):
            replace_settings(provenance, **{cap: 1000}).verifier.verify(path)


def test_the_decode_child_has_little_memory_no_torch_and_one_file(tmp_path: Path) -> None:
    program = """
import sys
from studio.worker import decode
heavy = {"torch", "cv2", "scipy", "dbos", "gradio", "pydantic_settings", "cryptography"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
import os
from pathlib import Path
decode.confine(
    {"path": "given", "content": "into/content", "max_pixels": 40_000_000, "seconds": 1}
)
try:
    bytearray(600_000_000)
except MemoryError:
    print("confined")
start = lambda: os.execv("/bin/echo", ["echo", "out"])
for what in (Path("given").read_bytes, Path("secret").read_bytes, start):
    try:
        what()
        print("may")
    except PermissionError:
        print("may not")
(Path("into") / "pixels").write_bytes(b"x")
"""
    (tmp_path / "into").mkdir()
    for name in ("given", "secret"):
        (tmp_path / name).touch()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split("\n") == ["confined", "may", "may not", "may not", ""], done.stderr


def test_opening_provenance_loads_no_generation_library() -> None:
    program = """
import sys, tempfile
from pathlib import Path
from studio.provenance import open_provenance
from studio.settings import Settings
open_provenance(Settings(home=Path(tempfile.mkdtemp()))).close()
print({"torch", "gradio", "dbos", "diffusers", "transformers"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


def test_a_statement_outlives_its_signers_certificate(
    another: Callable[..., Provenance], monkeypatch: pytest.MonkeyPatch
) -> None:
    lasts = 8.0
    monkeypatch.setattr("studio.provenance.keys._LEAF_YEARS", lasts / (365.25 * 24 * 3600))
    begun = time.time()
    opened = another()
    path = opened.store.path(seal(opened, flat(12)).id)
    assert opened.verifier.verify(path).outcome is Outcome.SIGNED
    time.sleep(max(0.0, begun + lasts + 2 - time.time()))
    verdict = opened.verifier.verify(path)
    assert verdict.outcome is Outcome.UNKNOWN_SIGNER
    assert verdict.layers[0].state == "expired"
    assert "has run out" in verdict.sentence
    # Nobody who works on from there answers for it.
    monkeypatch.undo()
    other = another("other")
    quoted = Ingredient(path, "image/png")
    made = other.sealer.seal(
        new_draft(flat(13)), job=new_job(), card=CARD, revision="embedded",
        ingredients=[quoted], batch=1, versions={},
    )  # fmt: skip
    assert other.verifier.verify(other.store.path(made.id)).outcome is Outcome.SIGNED


def test_a_mark_that_does_not_read_back_is_not_claimed(provenance: Provenance) -> None:
    for pixels, reason in (
        (texture(3, 64, 64), "too small or too even"),
        (np.full((300, 300, 3), 255, np.uint8), ""),
        (texture(4, 300, 300), ""),
        (texture(5, 256, 1024), ""),
    ):
        made = seal(provenance, pixels)
        verdict = provenance.verifier.verify(provenance.store.path(made.id))
        assert verdict.outcome is Outcome.SIGNED
        claimed = verdict.layers[0].details["soft_bindings"]
        assert bool(claimed) == (not reason)
        assert made.note.marks["image"]["weak"] >= bool(reason)
        assert bool(made.note.made_with) == bool(reason)
        assert reason in "".join(made.note.made_with)
