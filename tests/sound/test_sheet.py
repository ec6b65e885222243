"""A score on paper: what MIDI, ABC and the piano roll say is what was composed."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.score import DRUM_KEYS, TICKS, Note, Score
from studio.sheet import abc, midi, roll

ID = "a" * 32
KEYS = [
    f"{tonic} {mode}"
    for tonic in ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
    for mode in ("major", "minor", "dorian", "mixolydian", "lydian", "phrygian")
]
SCORE = Score(
    tempo=90.0,
    metre="3/4",
    key="Bb minor",
    bars=2,
    timbres={"melody": "flute", "bass": "cello"},
    notes=(
        Note(0, 480, 70, 90, "melody"),
        Note(0, 1440, 34, 80, "bass"),
        Note(0, 120, DRUM_KEYS["kick"], 100, "drums"),
        Note(480, 480, 71, 90, "melody"),
        Note(1200, 480, 73, 70, "melody"),
        Note(1200, 480, 77, 70, "melody"),
    ),
)


def test_a_midi_file_has_tempo_metre_key_and_every_note() -> None:
    file = mido.MidiFile(file=io.BytesIO(midi(SCORE, ID)))
    assert file.ticks_per_beat == TICKS
    head = {message.type: message for message in file.tracks[0]}
    assert mido.tempo2bpm(head["set_tempo"].tempo) == pytest.approx(90)
    assert (head["time_signature"].numerator, head["time_signature"].denominator) == (3, 4)
    assert head["key_signature"].key == "Bbm"
    assert "AI-generated" in head["text"].text
    assert ID in head["text"].text
    heard = []
    for track in file.tracks[1:]:
        now, open_ = 0, {}
        for message in track:
            now += message.time
            if message.type == "note_on":
                open_[message.note] = (now, message.velocity)
            elif message.type == "note_off":
                start, velocity = open_.pop(message.note)
                heard.append(Note(start, now - start, message.note, velocity, track.name))
        assert not open_, "every note ends"
    # A flute sounds an octave above what is written for it here.
    written = [
        Note(n.start, n.length, n.pitch + 12 * (n.part == "melody"), n.velocity, n.part)
        for n in SCORE.notes
    ]
    assert sorted(heard, key=repr) == sorted(written, key=repr)
    channels = {m.channel for t in file.tracks for m in t if m.type == "note_on"}
    assert channels == {0, 2, 9}


def test_a_repeated_note_ends_before_it_begins_again() -> None:
    notes = (Note(0, 480, 60, 90, "melody"), Note(480, 480, 60, 90, "melody"))
    content = midi(Score(90.0, "4/4", "C major", 1, {}, notes), ID)
    kinds = [m.type for m in mido.MidiFile(file=io.BytesIO(content)).tracks[1] if "note" in m.type]
    assert kinds == ["note_on", "note_off", "note_on", "note_off"]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_signature_that_midi_and_abc_know(key: str) -> None:
    score = Score(100.0, "4/4", key, 1, {}, (Note(0, 480, 60, 90, "melody"),))
    assert mido.MidiFile(file=io.BytesIO(midi(score, ID))).tracks
    (line,) = re.findall(r"^K:(.*)$", abc(score, ID), re.MULTILINE)
    assert re.fullmatch(r"[A-G][b#]?(maj|min|dor|mix|lyd|phr)", line)


def test_abc_reads_as_people_write_it() -> None:
    lines = abc(SCORE, ID).splitlines()
    assert lines[2:8] == ["X:1", "T:Bb minor, 3/4", "M:3/4", "L:1/16", "Q:1/4=90", "K:Bbmin"]
    assert lines[9] == "B4 =B4 z2 [df]2- |[df]2 z10 |"


notes = st.lists(
    st.tuples(st.integers(0, 47), st.integers(1, 12), st.integers(36, 90)), min_size=1, max_size=30
)


@given(notes, st.sampled_from(KEYS))
def test_abc_has_every_beginning_and_whole_bars(raw: list[tuple[int, int, int]], key: str) -> None:
    """Read back by other rules than it is written by."""
    made = [Note(120 * a, 120 * b, c, 90, "melody") for a, b, c in sorted(set(raw))]
    score = Score(100.0, "4/4", key, 3, {}, tuple(made))
    text = abc(score, ID)
    (tonic, mode) = re.findall(r"^K:([A-G][b#]?)(\w+)$", text, re.MULTILINE)[0]
    signature = signature_of(tonic, mode)
    body = "".join(text.splitlines()[9:])
    bars = body.rstrip("|").split("|")
    assert len(bars) == 3
    heard, now, tied = set(), 0, set()
    for bar in bars:
        begun, changed = now, dict(signature)
        for chord, length, tie in re.findall(r"(\[[^\]]+\]|[\^_=]?[A-Ga-gz][,']*)(\d*)(-?)", bar):
            pitches = set()
            for sign, letter, octaves in re.findall(r"([\^_=]?)([A-Ga-g])([,']*)", chord):
                if sign:
                    changed[letter, octaves] = {"^": 1, "_": -1, "=": 0}[sign]
                raised = changed.get((letter, octaves), changed[letter.upper()])
                base = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter.upper()]
                octave = 72 if letter.islower() else 60
                octave += 12 * (octaves.count("'") - octaves.count(","))
                pitches.add(octave + base + raised)
            heard |= {(now, pitch) for pitch in pitches - tied}
            now += int(length or 1)
            tied = pitches if tie else set()
        assert now - begun == 16, bar
    assert heard == {(note.start // 120, note.pitch) for note in made}


def signature_of(tonic: str, mode: str) -> dict[object, int]:
    """How far a key raises each letter, from the steps of its mode."""
    steps = {
        "maj": "2212221", "min": "2122122", "dor": "2122212",
        "mix": "2212212", "lyd": "2221221", "phr": "1222122",
    }[mode]  # fmt: skip
    naturals = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    letters = "CDEFGAB"
    pitch = naturals[tonic[0]] + {"": 0, "#": 1, "b": -1}[tonic[1:]]
    found: dict[object, int] = {}
    for number, step in enumerate(steps):
        letter = letters[(letters.index(tonic[0]) + number) % 7]
        found[letter] = (pitch - naturals[letter] + 6) % 12 - 6
        pitch += int(step)
    return found


def test_a_piano_roll_is_a_picture_of_every_note() -> None:
    tree = ElementTree.fromstring(roll(SCORE, ID))
    space = "{http://www.w3.org/2000/svg}"
    boxes = tree.findall(f"{space}rect")
    assert [box.get("class") for box in boxes] == [note.part for note in SCORE.notes]
    # The higher, the further up; the later, the further right.
    melody = [box for box in boxes if box.get("class") == "melody"]
    assert float(melody[1].get("y", "")) < float(melody[0].get("y", ""))
    assert float(melody[1].get("x", "")) > float(melody[0].get("x", ""))
    about = tree.find(f"{space}desc")
    assert about is not None
    assert about.text is not None
    assert ID in about.text


def test_a_score_comes_back_from_its_record() -> None:
    assert Score.from_record(SCORE.record()) == SCORE
