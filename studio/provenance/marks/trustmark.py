"""TrustMark, variant Q (Bui, Agarwal and Collomosse 2023, arXiv 2311.18297), where its weights are.

Its two networks are Adobe's, as ONNX; here is what lies around them. A packet has 100 bits: 61 of
data, 35 that correct five of them (a BCH code over GF(2⁷), primitive polynomial 137, of the data
padded to whole bytes), and the schema's number, 1, in four. The number takes 48 bits of the data;
the rest is zero, and so tells a packet of ours from noise. Other readers of TrustMark read it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.draft import Draft
from studio.errors import Unavailable
from studio.provenance.marks import Found, Marked, MarkKey
from studio.provenance.marks.canvas import psnr_between
from studio.provenance.marks.code import PAYLOAD_BITS

_DATA, _CHECK, _SCHEMA = 61, 35, (0, 0, 0, 1)
_CORRECTED, _POLYNOMIAL = 5, 137
#: A picture that is longer than this many times its short side is marked in its middle square.
_LONGEST = 2.0
#: The share of the short side over which the mark fades out at its borders, at most 50 pixels.
_FADING, _MOST_FADING = 0.01, 50
#: That noise lies as near to a packet of ours as is corrected, in one reading.
_CHANCE = sum(comb(_DATA + _CHECK, wrong) for wrong in range(_CORRECTED + 1)) / 2 ** (
    _CHECK + _DATA - PAYLOAD_BITS
)

Pixels = NDArray[np.uint8]
Bits = NDArray[np.uint8]


def trustmark(keys: Sequence[MarkKey], folder: Path) -> TrustMark | None:
    """The mark whose `encoder_Q.onnx` and `decoder_Q.onnx` lie in `folder`; None without them.

    Raises:
        Unavailable: if they are there and the packages that run them are not.
    """
    paths = [folder / f"{part}_Q.onnx" for part in ("encoder", "decoder")]
    if not all(path.is_file() for path in paths):
        return None
    try:
        import bchlib
        import onnxruntime
    except ImportError as error:
        raise Unavailable(
            f"TrustMark's weights are in {folder}, and {error.name} is not installed.",
            hint="Run `scripts/install trustmark`, or move the weights away.",
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    encoder, decoder = (
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for path in paths
    )
    return TrustMark(keys[0].id, encoder, decoder, bchlib.BCH(_CORRECTED, prim_poly=_POLYNOMIAL))


class TrustMark:
    """See `studio.provenance.marks.Mark`. It has no key: everybody can read it, or make one."""

    alg = "com.adobe.trustmark.Q"
    kind = "image"
    bits = _DATA

    def __init__(self, key: str, encoder: Any, decoder: Any, code: Any) -> None:
        """`key` is only noted; the sessions are ONNX Runtime's, the code is bchlib's."""
        self._key, self._encoder, self._decoder, self._code = key, encoder, decoder, code

    def embed(self, draft: Draft, payload: int) -> Marked:
        """See `studio.provenance.marks.Mark`."""
        pixels = np.asarray(draft.arrays["pixels"])
        rows, columns = _region(pixels)
        within = pixels[rows, columns, :3]
        cover = _values(within, *self._size(self._encoder))
        # By the number of their dimensions: the exported names mean nothing.
        given = {4: cover, 2: self.packet(payload)[None].astype(np.float32)}
        named = {one.name: given[len(one.shape)] for one in self._encoder.get_inputs()}
        (stego,) = self._encoder.run(None, named)
        added = np.clip(stego, -1, 1) - cover
        added -= added.mean(axis=(2, 3), keepdims=True)
        height, width = within.shape[:2]
        large = cv2.resize(added[0].transpose(1, 2, 0), (width, height))
        faded = large * _ramp(height)[:, None, None] * _ramp(width)[None, :, None]
        marked = pixels.copy()
        marked[rows, columns, :3] = np.clip(np.rint(within + 127.5 * faded), 0, 255)
        after = replace(draft, arrays={**draft.arrays, "pixels": marked})
        found = self.detect(after, thorough=False)
        read = found is not None and found.payload == payload
        return Marked(
            after,
            self._key,
            psnr_between(pixels, marked),
            found.strength if found is not None and read else 0.0,
            weak=not read,
        )

    def detect(self, draft: Draft, *, thorough: bool) -> Found | None:
        """See `studio.provenance.marks.Mark`; `thorough` tries quarter turns as well."""
        pixels = np.asarray(draft.arrays["pixels"])[..., :3]
        for turn in range(4 if thorough else 1):
            turned = np.rot90(pixels, turn)
            rows, columns = _region(turned)
            values = _values(turned[rows, columns], *self._size(self._decoder))
            (name,) = (one.name for one in self._decoder.get_inputs())
            (logits,) = self._decoder.run(None, {name: values})
            read = self.number((np.asarray(logits).reshape(-1) > 0).astype(np.uint8))
            if read is not None:
                payload, wrong = read
                count = _DATA + _CHECK
                return Found(
                    payload,
                    self._key,
                    strength=(count - 2 * wrong) / count**0.5,
                    tries=turn + 1,
                    chance=min(1.0, (turn + 1) * _CHANCE),
                    geometry={"scale": 1.0, "turn": 90.0 * turn, "mirrored": False},
                )
        return None

    def packet(self, payload: int) -> Bits:
        """The 100 bits, uint8, that carry a number."""
        data = payload << (64 - PAYLOAD_BITS)
        check = np.unpackbits(np.frombuffer(self._code.encode(data.to_bytes(8, "big")), np.uint8))
        bits = np.unpackbits(np.frombuffer(data.to_bytes(8, "big"), np.uint8))
        return np.concatenate([bits[:_DATA], check[:_CHECK], np.array(_SCHEMA, np.uint8)])

    def number(self, packet: Bits) -> tuple[int, int] | None:
        """The number in 100 bits and how many of them were wrong; None if it is no packet of ours.

        The schema's number is not looked at: no code protects it.
        """
        data = bytearray(np.packbits(packet[:_DATA]).tobytes())
        check = bytearray(np.packbits(packet[_DATA : _DATA + _CHECK]).tobytes())
        wrong = self._code.decode(data, check)
        if wrong < 0:
            return None
        self._code.correct(data, check)
        value = int.from_bytes(data, "big")
        beside = 64 - PAYLOAD_BITS
        return (value >> beside, wrong) if value & ((1 << beside) - 1) == 0 else None

    @staticmethod
    def _size(session: Any) -> tuple[int, int]:
        """Height and width of the pictures that a network takes."""
        (shape,) = (one.shape for one in session.get_inputs() if len(one.shape) == 4)
        return int(shape[2]), int(shape[3])


def _region(pixels: Pixels) -> tuple[slice, slice]:
    """The rows and columns that are marked."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    if max(height, width) <= _LONGEST * short:
        return slice(0, height), slice(0, width)
    top, left = (height - short) // 2, (width - short) // 2
    return slice(top, top + short), slice(left, left + short)


def _values(pixels: Pixels, height: int, width: int) -> NDArray[np.float32]:
    """Bytes as (1, 3, height, width) from -1 to 1, averaged where they become fewer."""
    small = cv2.resize(
        np.ascontiguousarray(pixels, np.float32), (width, height), interpolation=cv2.INTER_AREA
    )
    values: NDArray[np.float32] = (small / 127.5 - 1).transpose(2, 0, 1)[None].astype(np.float32)
    return values


def _ramp(length: int) -> NDArray[np.float32]:
    """1, but for a fading at both ends."""
    over = min(max(1, int(length * _FADING)), _MOST_FADING)
    near = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
    return np.minimum(near / over, 1).astype(np.float32)
