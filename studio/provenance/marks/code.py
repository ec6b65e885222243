"""The error-correcting code of the marks: a 48-bit number as some 350 signs, and back.

The number gets a checksum (32 bits in pictures, 24 in sound) and goes through a convolutional code
of rate 1/4 and constraint length 9 (the industry's generator polynomials, octal 463 535 733 745).
Decoding is the Viterbi algorithm on soft values, run for many readings at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAYLOAD_BITS = 48
CHECK_BITS = 32
MESSAGE_BITS = PAYLOAD_BITS + CHECK_BITS
_MEMORY = 8  # bits of state: constraint length 9
_STATES = 1 << _MEMORY
_POLYNOMIALS = (0o463, 0o535, 0o733, 0o745)
RATE = len(_POLYNOMIALS)
#: Signs in one code word; the last `_MEMORY` message bits are zeros that end the trellis.
LENGTH = (MESSAGE_BITS + _MEMORY) * RATE


@dataclass(frozen=True)
class Checksum:
    """A cyclic redundancy check of `width` bits."""

    width: int
    #: Coefficients below the leading one.
    polynomial: int
    start: int

    def of(self, bits: list[int]) -> list[int]:
        """The checksum of `bits`, lowest place first."""
        register = self.start
        for bit in bits:
            feedback = register >> (self.width - 1) & 1 ^ bit
            register = register << 1 & (1 << self.width) - 1
            if feedback:
                register ^= self.polynomial & (1 << self.width) - 1
        return [register >> place & 1 for place in range(self.width)]


#: The common CRC-32 of Ethernet and PNG, without the final inversion.
PICTURE_CHECK = Checksum(CHECK_BITS, 0x04C11DB7, 0xFFFFFFFF)
#: OpenPGP's CRC-24 (RFC 4880, section 6).
SOUND_CHECK = Checksum(24, 0x864CFB, 0xB704CE)


class Code:
    """The code's tables, built once."""

    def __init__(self, check: Checksum = PICTURE_CHECK) -> None:
        self._check = check
        self._message = PAYLOAD_BITS + check.width
        #: Signs in one code word.
        self.length = (self._message + _MEMORY) * RATE
        states = np.arange(_STATES)
        # A register is the last nine bits; state s was reached from s >> 1 with either high bit.
        self._before = np.stack([states >> 1, states >> 1 | _STATES >> 1])
        registers = self._before << 1 | states & 1
        outputs = np.stack([np.bitwise_count(registers & p) & 1 for p in _POLYNOMIALS], axis=-1)
        self._signs = (1 - 2 * outputs.astype(np.float32)).transpose(2, 0, 1).reshape(RATE, -1)

    def encode(self, payload: int) -> NDArray[np.float32]:
        """The `length` signs (±1) of `payload`, which is below 2**48."""
        bits = [payload >> place & 1 for place in range(PAYLOAD_BITS)]
        message = [*bits, *self._check.of(bits), *[0] * _MEMORY]
        signs = np.empty((len(message), RATE), np.float32)
        register = 0
        for place, bit in enumerate(message):
            register = (register << 1 | bit) & (2 * _STATES - 1)
            signs[place] = [1 - 2 * ((register & p).bit_count() & 1) for p in _POLYNOMIALS]
        return signs.ravel()

    def decode(self, soft: NDArray[np.float32]) -> list[int | None]:
        """The likeliest payload of each reading; None where its checksum is wrong.

        `soft` has shape (readings, length); its sign says the sign, its size how surely.
        """
        readings = len(soft)
        steps = self._message + _MEMORY
        every = np.arange(readings)
        score = np.full((readings, _STATES), -1e9, np.float32)
        score[:, 0] = 0
        came = np.empty((steps, readings, _STATES), np.bool_)
        for step in range(steps):
            gain = (soft[:, step * RATE : (step + 1) * RATE] @ self._signs).reshape(
                readings, 2, _STATES
            )
            low = score[:, self._before[0]] + gain[:, 0]
            high = score[:, self._before[1]] + gain[:, 1]
            came[step] = high > low
            score = np.maximum(low, high)
        bits = np.empty((readings, steps), np.int64)
        state = np.zeros(readings, np.int64)
        for step in reversed(range(steps)):
            bits[:, step] = state & 1
            state = self._before[came[step, every, state].astype(np.int64), state]
        return [self._payload(row) for row in bits[:, : self._message].tolist()]

    def _payload(self, bits: list[int]) -> int | None:
        number = bits[:PAYLOAD_BITS]
        if self._check.of(number) != bits[PAYLOAD_BITS:]:
            return None
        return sum(bit << place for place, bit in enumerate(number))
