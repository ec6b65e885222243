"""The sounds of the synthesiser: each a recipe in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Timbre:
    """How one instrument sounds. Times in seconds, levels as factors."""

    #: Amplitudes of the harmonics when the note begins, and those that remain as it rings on.
    bright: tuple[float, ...]
    dark: tuple[float, ...]
    #: How fast the bright spectrum gives way to the dark one: time to fall to 1/e.
    mellow: float
    #: Rise; fall to 1/e while the key is held (0: it does not fall); fall after it is let go.
    attack: float
    decay: float
    release: float
    #: Level in the mix.
    gain: float = 1.0
    #: Voices, and how far the outermost are out of tune, in cents: more voices, a wider sound.
    voices: int = 1
    detune: float = 0.0
    #: Depth of vibrato in cents; it comes in slowly, five times a second.
    vibrato: float = 0.0
    #: Noise at the onset: breath, bow or hammer.
    noise: float = 0.0
    #: Partials of a struck bar or bell: frequency ratio, amplitude, fall to 1/e.
    partials: tuple[tuple[float, float, float], ...] = ()
    #: Octaves by which it sounds higher or lower than written.
    octave: int = 0
    #: How much of it goes to the hall.
    hall: float = 0.25


def _saw(count: int, slope: float = 1.0) -> tuple[float, ...]:
    return tuple(1 / n**slope for n in range(1, count + 1))


def _odd(count: int, slope: float = 1.0) -> tuple[float, ...]:
    return tuple(1 / n**slope if n % 2 else 0.0 for n in range(1, count + 1))


#: A quarter-width pulse wave: every fourth harmonic is missing.
_PULSE = (0.71, 0.5, 0.236, 0.0, 0.141, 0.167, 0.101, 0.0, 0.079, 0.1, 0.064, 0.0, 0.054, 0.071)

TIMBRES: Mapping[str, Timbre] = MappingProxyType(
    {
        "piano": Timbre(
            _saw(14, 1.3), (1, 0.35, 0.12, 0.05), 0.25, 0.003, 1.1, 0.12, 0.9, 2,
            1.5, noise=0.03, hall=0.22
        ),
        "electric piano": Timbre(
            (1, 0.35, 0.25, 0.1, 0.12, 0.03), (1, 0.12, 0.03), 0.3, 0.004, 1.6,
            0.15, 0.9, 2, 4, hall=0.25
        ),
        "vibraphone": Timbre(
            (1,), (1,), 1, 0.003, 1.6, 0.35, 1.2, partials=((1, 1, 1.5), (4, 0.22,
            0.35), (9.2, 0.05, 0.08)), hall=0.32
        ),
        "bells": Timbre(
            (1,), (1,), 1, 0.012, 2.5, 0.9, 1.0, partials=((1, 1, 2.2), (2.003,
            0.32, 1.5), (3.01, 0.16, 0.9), (5.43, 0.06, 0.4)), hall=0.5
        ),
        "guitar": Timbre(
            _saw(16, 1.1), (1, 0.4, 0.15, 0.05), 0.12, 0.002, 0.8, 0.1, 0.9,
            noise=0.04, hall=0.2
        ),
        "flute": Timbre(
            (1, 0.28, 0.12, 0.04), (1, 0.32, 0.1, 0.03), 0.3, 0.05, 0, 0.09, 1.1,
            vibrato=9, noise=0.05, octave=1, hall=0.35
        ),
        "strings": Timbre(
            _saw(18, 1.25), _saw(14, 1.45), 0.4, 0.07, 0, 0.2, 0.75, 3, 7,
            vibrato=8, noise=0.02, hall=0.4
        ),
        "brass": Timbre(
            _saw(14, 0.95), _saw(12, 1.3), 0.25, 0.03, 0, 0.09, 0.7, 2, 4,
            vibrato=4, noise=0.02, hall=0.3
        ),
        "horns": Timbre(_saw(9, 1.25), _saw(7, 1.6), 0.25, 0.04, 0, 0.1, 0.75, 2, 4, hall=0.3),
        "organ": Timbre(
            (1, 0.7, 0.4, 0.35, 0, 0.2, 0, 0.2), (1, 0.7, 0.4, 0.35, 0, 0.2, 0,
            0.2), 1, 0.012, 0, 0.08, 0.65, 2, 2, hall=0.3
        ),
        "accordion": Timbre(
            _saw(12, 1.15), _saw(12, 1.2), 0.5, 0.03, 0, 0.08, 0.6, 2, 9, hall=0.25
        ),
        "square": Timbre(_odd(19), _odd(15, 1.1), 0.3, 0.002, 2.5, 0.03, 0.55, vibrato=5, hall=0.1),
        "pulse": Timbre(_PULSE, _PULSE[:10], 0.2, 0.002, 0.9, 0.03, 0.7, hall=0.1),
        "triangle": Timbre(_odd(9, 2), _odd(9, 2), 1, 0.002, 0, 0.03, 1.1, hall=0.02),
        "pad": Timbre(_saw(12, 1.35), _saw(9, 1.5), 0.8, 0.25, 0, 0.6, 0.65, 3, 10, hall=0.5),
        "saw lead": Timbre(
            _saw(20), _saw(14, 1.2), 0.25, 0.005, 0, 0.1, 0.5, 3, 9, vibrato=5,
            hall=0.3
        ),
        "saw bass": Timbre(_saw(16), _saw(6, 1.4), 0.1, 0.004, 1.2, 0.05, 0.8, 2, 5, hall=0.03),
        "lead guitar": Timbre(
            _saw(16, 0.85), _saw(14, 1.0), 0.5, 0.006, 3.5, 0.1, 0.5, 2, 4,
            vibrato=10, hall=0.3
        ),
        "rock guitar": Timbre(
            _saw(16, 0.9), _saw(12, 1.1), 0.35, 0.004, 2.0, 0.06, 0.55, 3, 8,
            noise=0.03, octave=-1, hall=0.12
        ),
        "upright": Timbre(
            (1, 0.6, 0.35, 0.18, 0.1, 0.05), (1, 0.3, 0.08), 0.1, 0.006, 0.7, 0.07,
            1.2, noise=0.02, hall=0.08
        ),
        "bass guitar": Timbre(
            (1, 0.65, 0.5, 0.3, 0.2, 0.12, 0.06), (1, 0.45, 0.15), 0.15, 0.004, 1.3,
            0.06, 1.0, hall=0.04
        ),
        "sub": Timbre((1, 0.35, 0.12), (1, 0.22, 0.05), 0.2, 0.012, 1.8, 0.12, 1.2, hall=0.04),
        "cello": Timbre(
            _saw(12, 1.2), _saw(9, 1.5), 0.35, 0.05, 0, 0.16, 0.85, 2, 5, vibrato=6,
            hall=0.3
        ),
        "tuba": Timbre(_saw(8, 1.2), _saw(6, 1.7), 0.15, 0.025, 0, 0.07, 1.0, hall=0.15),
    }
)  # fmt: skip
