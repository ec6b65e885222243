"""TrustMark beside our own mark. Adobe's weights cannot be had here: two small networks of the same
inputs and outputs, on the real runtime, stand where they would lie.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from studio.draft import Draft
from studio.errors import Unavailable
from studio.provenance import Provenance, open_provenance
from studio.provenance.marks import MarkKey
from studio.provenance.marks.trustmark import TrustMark, trustmark
from studio.settings import Settings
from tests.provenance.conftest import seal
from tests.provenance.pictures import texture

KEYS = [MarkKey("00000000", bytes(32))]
PICTURE = texture(5, roughness=1.8) // 2 + 64
#: What Adobe's own data layer (trustmark 0.8, schema BCH_5) makes of this number.
NUMBER = 0x123456789ABC
PACKET = (
    "0001001000110100010101100111100010011010101111000000000000000"
    "11001011000100100110100100000101110"
    "0001"
)


def weights(folder: Path) -> Path:
    """Networks that add, and correlate with, a pattern of 32 × 32 cells for each bit."""
    folder.mkdir(parents=True)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (100, 3 * 32 * 32)).astype(np.float32)
    wide = np.ones((3, 1, 8, 8), np.float32)
    picture, bits = ("image", [1, 3, 256, 256]), ("bits", [1, 100])

    def save(part: str, inputs: list[tuple[str, list[int]]], output: list[int], *nodes: object):
        values = {"signs": signs * 0.005, "across": signs.T.copy(), "wide": wide}
        values |= {"two": np.float32([2]), "one": np.float32([1])}
        values |= {"cells": np.array([1, 3, 32, 32]), "row": np.array([1, -1])}
        used = {name for node in nodes for name in node.input}  # type: ignore[attr-defined]
        graph = helper.make_graph(
            nodes,
            part,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, output)],
            [numpy_helper.from_array(v, n) for n, v in values.items() if n in used],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(made)
        onnx.save(made, folder / f"{part}_Q.onnx")

    node = helper.make_node
    save(
        "encoder",
        [picture, bits],
        picture[1],
        node("Mul", ["bits", "two"], ["doubled"]),
        node("Sub", ["doubled", "one"], ["signed"]),
        node("MatMul", ["signed", "signs"], ["flat"]),
        node("Reshape", ["flat", "cells"], ["small"]),
        node("ConvTranspose", ["small", "wide"], ["added"], strides=[8, 8], group=3),
        node("Add", ["image", "added"], ["out"]),
    )
    save(
        "decoder",
        [picture],
        bits[1],
        node("AveragePool", ["image"], ["small"], kernel_shape=[8, 8], strides=[8, 8]),
        # What neighbours have in common is the picture, not the mark.
        node("AveragePool", ["small"], ["near"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("Sub", ["small", "near"], ["edges"]),
        node("Reshape", ["edges", "row"], ["flat"]),
        node("MatMul", ["flat", "across"], ["out"]),
    )
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights(tmp_path_factory.mktemp("home") / "marks" / "trustmark")


@pytest.fixture(scope="module")
def mark(folder: Path) -> TrustMark:
    made = trustmark(KEYS, folder)
    assert made is not None
    return made


@pytest.fixture
def provenance(folder: Path) -> Iterator[Provenance]:
    opened = open_provenance(Settings(home=folder.parents[1]))
    yield opened
    opened.close()


def test_a_packet_is_what_its_makers_make_of_the_number(mark: TrustMark) -> None:
    assert "".join(map(str, mark.packet(NUMBER))) == PACKET


@given(number=st.integers(0, 2**48 - 1), wrong=st.sets(st.integers(0, 95), max_size=5))
def test_five_wrong_bits_are_mended(mark: TrustMark, number: int, wrong: set[int]) -> None:
    packet = mark.packet(number)
    packet[sorted(wrong)] ^= 1
    assert mark.number(packet) == (number, len(wrong))


def test_noise_is_no_packet(mark: TrustMark) -> None:
    noise = np.random.default_rng(1).integers(0, 2, (5000, 100), np.uint8)
    assert not [one for one in noise if mark.number(one) is not None]


def test_an_output_carries_it_beside_our_own_and_is_found_by_it(
    provenance: Provenance, tmp_path: Path
) -> None:
    made = seal(provenance, PICTURE)
    said = made.note.marks["image"]
    assert said["also"] == ["com.adobe.trustmark.Q"]
    entry = provenance.ledger.by_mark(said["id"])
    assert entry is not None
    assert entry.mark_also == ("com.adobe.trustmark.Q",)
    with Image.open(provenance.store.path(made.id)) as picture:
        coarse = picture.resize((32, 32), Image.Resampling.BOX)
        coarse.resize((500, 500), Image.Resampling.NEAREST).save(tmp_path / "coarse.png")
    verdict = provenance.verifier.verify(tmp_path / "coarse.png")
    assert verdict.outcome == "marked"
    found = verdict.layers[1].details
    assert (found["alg"], found["id"]) == ("com.adobe.trustmark.Q", said["id"])


def test_only_the_middle_of_a_long_picture_is_marked_and_its_alpha_stays(mark: TrustMark) -> None:
    wide = np.dstack([np.tile(PICTURE, (1, 3, 1)), np.full((512, 1536), 77, np.uint8)])
    marked = mark.embed(Draft("image", 0, 0, {"pixels": wide}), NUMBER)
    after = np.asarray(marked.draft.arrays["pixels"])
    assert not marked.weak
    assert marked.psnr > 35
    changed = np.flatnonzero((after != wide).any(axis=(0, 2)))
    assert (changed.min(), changed.max()) == (512, 1023)
    assert (after[..., 3] == 77).all()
    turned = Draft("image", 0, 0, {"pixels": np.rot90(after)})
    assert mark.detect(turned, thorough=False) is None
    found = mark.detect(turned, thorough=True)
    assert found is not None
    assert (found.payload, found.geometry["turn"]) == (NUMBER, 270.0)


def test_without_weights_it_is_left_out(tmp_path: Path) -> None:
    assert trustmark(KEYS, tmp_path) is None


def test_weights_without_what_runs_them_let_nothing_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Unavailable, match="onnxruntime is not installed") as failed:
        trustmark(KEYS, folder)
    assert "scripts/install trustmark" in failed.value.hint
