"""A score on paper: as a MIDI file, as ABC notation, and as a picture of a piano roll.

All three follow from the score in a piece's note, so they can be had again for as long as the piece
is there. They are notes and no sound, carry no mark, and say in words what they come from.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Literal

from mido import Message, MetaMessage, MidiFile, MidiTrack, bpm2tempo

from studio.score import PARTS, TICKS, Note, Score

SheetFormat = Literal["mid", "abc", "svg"]

#: What each is sent as.
MEDIA_TYPES: Mapping[SheetFormat, str] = {
    "mid": "audio/midi",
    "abc": "text/vnd.abc; charset=utf-8",
    "svg": "image/svg+xml",
}
_DISCLOSURE = "AI-generated with Colophon; the signed sound is"

#: General MIDI's program, counted from 0, and how many octaves above the written note it sounds.
_PROGRAMS: Mapping[str, tuple[int, int]] = {
    "piano": (0, 0), "electric piano": (4, 0), "vibraphone": (11, 0), "bells": (14, 0),
    "guitar": (24, 0), "flute": (73, 1), "strings": (48, 0), "brass": (61, 0), "horns": (60, 0),
    "organ": (19, 0), "accordion": (21, 0), "square": (80, 0), "pulse": (80, 0),
    "triangle": (38, 0), "pad": (89, 0), "saw lead": (81, 0), "saw bass": (38, 0),
    "lead guitar": (29, 0), "rock guitar": (30, -1), "upright": (32, 0), "bass guitar": (33, 0),
    "sub": (39, 0), "cello": (42, 0), "tuba": (58, 0),
}  # fmt: skip
#: MIDI's channel of each part; the tenth, counted from 1, is that of the drums.
_CHANNELS: Mapping[str, int] = {"melody": 0, "accompaniment": 1, "bass": 2, "drums": 9}

#: Names along the line of fifths; C is the tenth.
_FIFTHS = tuple(letter + sign for sign in ("bb", "b", "", "#", "##") for letter in "FCGDAEB")
_C = _FIFTHS.index("C")
#: Fifths by which a mode's signature differs from its tonic's major.
_MODES = {"major": 0, "lydian": 1, "mixolydian": -1, "dorian": -2, "minor": -3, "phrygian": -4}
_NATURALS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
#: Ticks of a sixteenth, which ABC is written in.
_SIXTEENTH = TICKS // 4


def written(score: Score, artifact: str, format_: SheetFormat) -> bytes:
    """The score of the piece with the id `artifact` as a file's content."""
    if format_ == "mid":
        return midi(score, artifact)
    text = abc(score, artifact) if format_ == "abc" else roll(score, artifact)
    return text.encode()


def midi(score: Score, artifact: str) -> bytes:
    """A MIDI file of type 1: a track with tempo, metre and key, then one for each part."""
    beats, unit = map(int, score.metre.split("/"))
    key = _Signature.of(score.key)
    head = [
        MetaMessage("text", text=f"{_DISCLOSURE} {artifact}."),
        MetaMessage("set_tempo", tempo=bpm2tempo(score.tempo)),
        MetaMessage("time_signature", numerator=beats, denominator=unit),
        MetaMessage("key_signature", key=key.plain),
    ]
    tracks = [MidiTrack(head)]
    for part in PARTS:
        notes = [note for note in score.notes if note.part == part]
        if notes:
            tracks.append(_track(part, notes, score.timbres.get(part)))
    content = io.BytesIO()
    MidiFile(type=1, ticks_per_beat=TICKS, tracks=tracks).save(file=content)
    return content.getvalue()


def abc(score: Score, artifact: str) -> str:
    """The pitched parts in ABC notation 2.1, to the nearest sixteenth.

    A note ends at the latest where its part's next one begins; drums have no place in it.
    """
    key = _Signature.of(score.key)
    lines = [
        "%abc-2.1",
        f"% {_DISCLOSURE} {artifact}.",
        "X:1",
        f"T:{score.key}, {score.metre}",
        f"M:{score.metre}",
        "L:1/16",
        f"Q:1/4={round(score.tempo)}",
        f"K:{key.tonic}{key.mode[:3]}",
    ]
    for number, part in enumerate(PARTS[:-1], start=1):
        notes = [note for note in score.notes if note.part == part]
        if notes:
            clef = " clef=bass" if part == "bass" else ""
            lines += [f'V:{number} name="{part}"{clef}', *_bars(score, notes, key)]
    return "\n".join(lines) + "\n"


def roll(score: Score, artifact: str) -> str:
    """A piano roll as SVG: time to the right, pitch upwards, the drums below, bars as lines."""
    pitched = [note.pitch for note in score.notes if note.part != "drums"] or [60]
    low, high = min(pitched) - 1, max(pitched) + 1
    width, height = max(240, 48 * score.bars), 4 * (high - low + 8)
    scale = width / (score.bars * score.bar)
    drums = sorted({note.pitch for note in score.notes if note.part == "drums"})
    shapes = [
        f'<line x1="{x:.1f}" x2="{x:.1f}" y2="{height}" class="{"phrase" if n % 4 == 0 else ""}"/>'
        for n in range(score.bars + 1)
        for x in [n * score.bar * scale]
    ]
    for note in score.notes:
        row = 4 * (high - note.pitch)
        if note.part == "drums":
            row = height - 3 * (1 + drums.index(note.pitch) % 8)
        shapes.append(
            f'<rect x="{note.start * scale:.1f}" y="{row}" class="{note.part}" height="3" '
            f'width="{max(1.0, note.length * scale - 0.5):.1f}" '
            f'opacity="{0.4 + 0.6 * note.velocity / 127:.2f}"/>'
        )
    about = escape(f"{score.key}, {score.metre}, {score.tempo:g} quarter notes per minute")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{about}</title><desc>{_DISCLOSURE} {escape(artifact)}.</desc>"
        "<style>svg{background:#12121a}line{stroke:#33333f}.phrase{stroke:#66667a}"
        ".melody{fill:#e65a3c}.accompaniment{fill:#5a8cdc}.bass{fill:#46aa6e}.drums{fill:#969696}"
        f"</style>{''.join(shapes)}</svg>\n"
    )


def _track(part: str, notes: Iterable[Note], timbre: str | None) -> MidiTrack:
    program, octaves = _PROGRAMS.get(timbre or "", (0, 0))
    channel = _CHANNELS[part]
    events: list[tuple[int, int, Message]] = []
    for note in notes:
        pitch = note.pitch + 12 * octaves
        # At the same tick the note that ends goes first, so that the next one is not cut off.
        end = note.start + note.length
        events.append((note.start, 1, Message("note_on", note=pitch, velocity=note.velocity)))
        events.append((end, 0, Message("note_off", note=pitch)))
    track = MidiTrack([MetaMessage("track_name", name=part)])
    if part != "drums":
        track.append(Message("program_change", program=program, channel=channel))
    now = 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now, channel=channel))
        now = tick
    return track


@dataclass(frozen=True)
class _Signature:
    """A key as it is written: with the fewest accidentals."""

    tonic: str
    mode: str
    #: Sharps; flats are negative.
    sharps: int

    @classmethod
    def of(cls, key: str) -> _Signature:
        tonic, _, mode = key.partition(" ")
        sharps = _FIFTHS.index(tonic) - _C + _MODES[mode]
        # Db minor would have eight flats; C sharp minor is the same with four sharps.
        sharps += 12 if sharps < -6 else -12 if sharps > 6 else 0
        return cls(_FIFTHS[_C + sharps - _MODES[mode]], mode, sharps)

    @property
    def plain(self) -> str:
        """The same signature as a major or a minor key, which is all that MIDI knows."""
        minor = self.mode == "minor"
        return f"{self.tonic}m" if minor else _FIFTHS[_C + self.sharps]

    def raised(self, letter: str) -> int:
        """Semitones by which the signature raises the notes of a letter."""
        place = "FCGDAEB".index(letter)
        return int(place < self.sharps) - int(6 - place < -self.sharps)

    def spell(self, pitch: int) -> tuple[str, int]:
        """The letter of a pitch, and its semitones above that letter's natural note."""
        for raised in (None, 0, 1 if self.sharps >= 0 else -1):
            for letter, natural in _NATURALS.items():
                above = self.raised(letter) if raised is None else raised
                if (natural + above - pitch) % 12 == 0:
                    return letter, above
        raise AssertionError("five notes of twelve have an accidental, the others none")


def _bars(score: Score, notes: list[Note], key: _Signature) -> list[str]:
    """A part's bars, four to a line; chords are what begins at the same sixteenth."""
    steps = score.bar // _SIXTEENTH
    chords = [
        (start, list(together))
        for start, together in groupby(notes, key=lambda note: round(note.start / _SIXTEENTH))
    ]
    ends = [start for start, _ in chords[1:]] + [score.bars * steps]
    bars = ["" for _ in range(score.bars)]
    #: What accidentals say so far in a bar, which the next one forgets.
    said: list[dict[str, int]] = [{} for _ in range(score.bars)]
    place = 0
    for (start, chord), next_ in zip(chords, ends, strict=True):
        longest = max(1, max(round(note.length / _SIXTEENTH) for note in chord))
        end = min(start + longest, next_)
        for first, last, pitches in (
            (place, start, []),
            (start, end, sorted({note.pitch for note in chord})),
        ):
            while first < last:
                number = first // steps
                until = min(last, (number + 1) * steps)
                sign = "".join(_pitch(pitch, key, said[number]) for pitch in pitches) or "z"
                sign = f"[{sign}]" if len(pitches) > 1 else sign
                length = until - first
                tie = "-" if pitches and until < last else ""
                bars[number] += f"{sign}{length if length > 1 else ''}{tie} "
                first = until
        place = max(place, end)
    for number in range(place // steps, score.bars):
        bars[number] += f"z{(number + 1) * steps - max(place, number * steps)} "
    return ["|".join(bars[first : first + 4]) + "|" for first in range(0, len(bars), 4)]


def _pitch(pitch: int, key: _Signature, said: dict[str, int]) -> str:
    letter, above = key.spell(pitch)
    octave = (pitch - above - _NATURALS[letter]) // 12
    name = letter + "," * (5 - octave) if octave < 6 else letter.lower() + "'" * (octave - 6)
    accidental = ""
    if said.get(name, key.raised(letter)) != above:
        accidental = {-1: "_", 0: "=", 1: "^"}[above]
        said[name] = above
    return accidental + name
