"""The waveform of the sound mark: pilots that show where it is, and data that show what it says.

Time is cut into blocks of 48 ms. A block is a sum of 288 sines, 20.8 Hz apart from 292 Hz to
6.3 kHz, in 24 bands of twelve. The even bands are *pilots*: the same keyed phases in every block,
times a keyed sign that repeats after `PERIOD` blocks (2.6 s). The odd bands are *data*: every sine
carries one sign of the code word on a keyed phase, and the code word is laid over a period about 24
times, in an order that the key decides, so that each sign meets loud and quiet places alike.

Where in its period a mark begins, to the sample, follows from key and payload. The reader looks for
it anyway; somebody who averages many marked sounds finds the pilots gone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.provenance.marks.audio_masking import RATE, Complexes, Floats
from studio.provenance.marks.code import SOUND_CHECK, Code

#: Samples per block at `RATE`.
BLOCK = 768
BANDS, WIDTH = 24, 12
#: The lowest sine, in cycles per block.
LOWEST = 14
#: Blocks after which everything repeats.
PERIOD = 54
PILOTS = np.arange(0, BANDS, 2)
DATA = np.arange(1, BANDS, 2)
CODE = Code(SOUND_CHECK)
_FINER = 16  # points per sample of the drawn pilot block


@dataclass(frozen=True)
class Carrier:
    """What a key decides, ready for use."""

    #: Name of the key.
    key: str
    #: Unit phase of every pilot sine, shape (pilot bands, WIDTH).
    pilots: Complexes
    #: ±1 for every block of a period.
    signs: Floats
    #: Unit phase of every data sine, shape (PERIOD, data bands × WIDTH).
    phases: Complexes
    #: Which sign of the code word it carries, same shape.
    order: NDArray[np.int64]
    #: One pilot block, `_FINER` points per sample.
    _drawn: Floats
    _secret: bytes

    @staticmethod
    def of(key: str, secret: bytes) -> Carrier:
        """The carrier of a secret, the same for ever."""
        sines = len(DATA) * WIDTH
        repeats = -(-PERIOD * sines // CODE.length)
        sizes = [len(PILOTS) * WIDTH, PERIOD, PERIOD * sines, repeats * CODE.length]
        # An extendable hash, not a generator of numpy's: those streams may change with its version.
        stream = hashlib.shake_256(b"colophon sound v1" + secret).digest(8 * sum(sizes))
        words = np.frombuffer(stream, "<u8")
        pilots, signs, phases, places = np.split(words, np.cumsum(sizes)[:-1])
        order = np.argsort(places.reshape(repeats, CODE.length), axis=1, kind="stable").ravel()
        pilot_phases = _phases(pilots).reshape(len(PILOTS), WIDTH)
        lines = np.zeros((BANDS, WIDTH), np.complex64)
        lines[PILOTS] = pilot_phases
        return Carrier(
            key,
            pilot_phases,
            (1 - 2 * (signs & 1).astype(np.float32)),
            _phases(phases).reshape(PERIOD, sines),
            order[: PERIOD * sines].reshape(PERIOD, sines),
            _blocks(lines[None], _FINER * BLOCK)[0] * _FINER,
            secret,
        )

    def period(self, payload: int) -> Floats:
        """One period of the mark of `payload`: PERIOD × BLOCK samples, one unit of power per Hz."""
        lines = np.zeros((PERIOD, BANDS, WIDTH), np.complex64)
        lines[:, PILOTS] = self.pilots * self.signs[:, None, None]
        data = CODE.encode(payload)[self.order] * self.phases
        lines[:, DATA] = data.reshape(PERIOD, len(DATA), WIDTH)
        # A sine of one cycle per BLOCK has a power of 2 / BLOCK² and RATE / BLOCK Hz to itself.
        samples = _blocks(lines, BLOCK).ravel() * np.float32(np.sqrt(BLOCK * RATE / 2))
        return np.roll(samples, -self.start(payload))

    def start(self, payload: int) -> int:
        """At which sample of its period the mark of `payload` begins."""
        digest = hashlib.sha256(self._secret + payload.to_bytes(8, "big")).digest()
        return int.from_bytes(digest[:8], "big") % (PERIOD * BLOCK)

    def template(self, speed: float) -> Floats:
        """One pilot block, unsigned, of a sound that is played `speed` times as fast."""
        length = int(BLOCK / speed)
        places = np.arange(length) * (speed * _FINER)
        drawn = np.interp(places, np.arange(len(self._drawn)), self._drawn)
        return np.asarray(drawn, np.float32)

    def lines(self, samples: Floats, starts: NDArray[np.int64]) -> Complexes:
        """The sines of the blocks that begin at `starts`: shape (blocks, BANDS, WIDTH)."""
        blocks = samples[starts[:, None] + np.arange(BLOCK)]
        used = slice(LOWEST, LOWEST + BANDS * WIDTH)
        values = np.fft.rfft(blocks)[:, used].astype(np.complex64)
        return values.reshape(len(starts), BANDS, WIDTH)


def _phases(words: NDArray[np.uint64]) -> Complexes:
    return np.asarray(np.exp(2j * np.pi * (words / 2.0**64)), np.complex64)


def _blocks(lines: Complexes, length: int) -> Floats:
    """Blocks of `length` samples with the given sines, shape (blocks, length)."""
    half = np.zeros((len(lines), length // 2 + 1), np.complex64)
    half[:, LOWEST : LOWEST + BANDS * WIDTH] = lines.reshape(len(lines), -1)
    return np.fft.irfft(half, length).astype(np.float32)
