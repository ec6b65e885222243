"""espeak-ng in its own process: what families promise, sentences, languages, timings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.catalog import Catalog
from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.families import Order, Spec
from studio.families.espeak.family import Espeak, Speaker
from studio.families.espeak.sentences import Sentence, parts, sentences
from studio.fields import build
from studio.settings import Settings
from studio.tasks import TASKS
from studio.testing import Recorder

TASK = TASKS["text-to-speech"]
SENTENCES = {
    "en-us": "The quick brown fox jumps over the lazy dog.",
    "de": "Der schnelle braune Fuchs springt über den faulen Hund.",
    "fr-fr": "Le vif renard brun saute par-dessus le chien paresseux.",
    "es": "El rápido zorro marrón salta sobre el perro perezoso.",
    "it": "La rapida volpe marrone salta sopra il cane pigro.",
    "pt-br": "A rápida raposa marrom salta sobre o cão preguiçoso.",
    "pl": "Szybki brązowy lis przeskakuje nad leniwym psem.",
    "ru": "Быстрая коричневая лиса прыгает через ленивую собаку.",
    "cmn": "敏捷的棕色狐狸跳过了那只懒狗。",
    "tr": "Hızlı kahverengi tilki tembel köpeğin üzerinden atlar.",
}


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Speaker]:
    catalog = Catalog.open(Settings(home=tmp_path))
    folder = catalog.folder(catalog["espeak-ng"])
    model = Espeak().load(Spec("espeak-ng", folder, "float32", None, {}), "cpu", "full")
    assert isinstance(model, Speaker)
    yield model
    model.unload()


def order(text: str, index: int = 0, **more: Any) -> Order:
    request = build(TASK.request, {"text": text, **more}).model_dump()
    return Order("job", index, TASK.id, request, 7 + index)


def say(model: Speaker, text: str, **more: Any) -> Draft:
    (draft,) = model.generate([order(text, **more)], Recorder())
    return draft


def seconds(draft: Draft) -> float:
    return len(draft.arrays["samples"]) / float(draft.facts["rate"])


def pitch_of(draft: Draft) -> float:
    """The usual pitch of a voice in Hz, from the autocorrelation of its loud moments."""
    samples, rate = draft.arrays["samples"][:, 0], int(draft.facts["rate"])
    found = []
    for first in range(0, len(samples) - 2048, 1024):
        frame = samples[first : first + 2048]
        if np.abs(frame).max() > 0.2:
            alike = np.correlate(frame, frame, "full")[2048:]
            shortest, longest = rate // 400, rate // 60
            found.append(rate / (1 + shortest + int(alike[shortest:longest].argmax())))
    return float(np.median(found))


def test_a_sentence_is_spoken_in_ten_languages_at_once(model: Speaker) -> None:
    say(model, "Warm.")
    for language, text in SENTENCES.items():
        began = time.perf_counter()
        draft = say(model, text, language=language)
        assert time.perf_counter() - began < 0.5, language
        assert 1.5 < seconds(draft) < 8, language
        level = np.abs(draft.arrays["samples"])
        assert 0.1 < level.max() <= 1, language
        # Somebody speaks for most of the time: it is no burst in silence.
        frames = level[: len(level) // 441 * 441].reshape(-1, 441).max(axis=1)
        assert (frames > 0.02).mean() > 0.6, language
        assert 60 < pitch_of(draft) < 250, language


#: Asks espeak-ng itself, in a process of its own, for the phonemes of voices and texts.
PHONEMES = """
import ctypes, json, sys
import espeakng_loader as loader
library = ctypes.CDLL(loader.get_library_path())
library.espeak_Initialize(2, 0, loader.get_data_path().encode(), 0)
translate = library.espeak_TextToPhonemes
translate.restype = ctypes.c_char_p
translate.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
for voice, text in json.load(sys.stdin):
    library.espeak_SetVoiceByName(voice.encode())
    rest, said = ctypes.c_char_p(text.encode()), []
    while rest:
        said.append(translate(ctypes.byref(rest), 1, ord("_") << 8).decode())
    print(json.dumps(" ".join(said)))
"""


def test_every_phoneme_of_ten_languages_has_its_time(model: Speaker) -> None:
    asked = [(model.languages[language], text) for language, text in SENTENCES.items()]
    done = subprocess.run(
        [sys.executable, "-c", PHONEMES],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    for (language, text), line in zip(SENTENCES.items(), done.stdout.splitlines(), strict=True):
        phonemes = [
            one for one in re.split("[_ ]+", json.loads(line)) if re.search("[A-Za-z]", one)
        ]
        assert 25 < len(phonemes) < 55, language
        # People speak eight to twenty of them in a second.
        assert 0.05 < seconds(say(model, text, language=language)) / len(phonemes) < 0.13, language


def test_the_same_text_gives_the_same_draft_also_in_a_batch(model: Speaker) -> None:
    orders = [order("One. Two. Three.", index, count=3) for index in range(3)]
    together = list(model.generate(orders, Recorder()))
    alone = [next(model.generate([one], Recorder())) for one in orders]
    assert [draft.digest() for draft in together] == [draft.digest() for draft in alone]
    assert len({draft.digest() for draft in alone}) == 3


def test_speed_pitch_and_voice_are_heard(model: Speaker) -> None:
    text = SENTENCES["en-us"]
    usual = say(model, text)
    assert seconds(say(model, text, speed=2.0)) < 0.7 * seconds(usual)
    assert seconds(say(model, text, speed=0.5)) > 1.5 * seconds(usual)
    assert pitch_of(say(model, text, pitch=1.7)) > 1.2 * pitch_of(usual)
    assert pitch_of(say(model, text, voice="f2")) > 1.2 * pitch_of(usual)


def test_pauses_last_as_long_as_written_and_the_timings_fit(model: Speaker) -> None:
    draft = say(model, "First. [pause 1.5s] Then the rest of it. At last.")
    cues = draft.facts["cues"]
    assert [cue["text"] for cue in cues] == ["First.", "Then the rest of it.", "At last."]
    assert cues[1]["start"] - cues[0]["end"] == pytest.approx(1.5, abs=0.01)
    samples, rate = draft.arrays["samples"][:, 0], draft.facts["rate"]
    for before, after in pairwise(cues):
        silence = samples[round((before["end"] + 0.001) * rate) : int(after["start"] * rate) - 22]
        assert len(silence) > 0
        assert not silence.any()
    assert cues[-1]["end"] == pytest.approx(seconds(draft), abs=0.01)


@pytest.mark.parametrize(
    ("written", "silence"),
    [("[pause 1.5 seconds]", 1.5), ("[ PAUSE 300 ms ]", 0.3), ("[pause 2]", 2.0), ("[pause]", 0.7),
     ('<break time="500ms"/>', 0.5), ("<break time='1s' />", 1.0), ("<break/>", 0.7)],
)  # fmt: skip
def test_silence_is_written_in_any_usual_way(written: str, silence: float) -> None:
    assert sentences(f"Go. {written} Come.") == [Sentence("Go.", silence), Sentence("Come.", 0)]


@pytest.mark.parametrize("wrong", ["[pause for tea]", "[pause 11s]", '<break strength="weak"/>'])
def test_what_is_no_pause_is_not_read_out(wrong: str) -> None:
    with pytest.raises(InvalidRequest, match="pause"):
        sentences(f"Go. {wrong} Come.")
    with pytest.raises(InvalidRequest, match="<prosody"):
        sentences('<prosody rate="slow">Go.</prosody>')


def test_the_usual_pauses_follow_the_speed_and_written_ones_do_not() -> None:
    text = "One. Two. [pause 1s] Three.\n\nFour."
    usual = [one.pause for one in sentences(text)]
    assert [one.pause for one in sentences(text, 2.0)] == [usual[0] / 2, 1.0, usual[2] / 2, 0]


def test_what_it_cannot_say_is_told_with_what_it_can(model: Speaker) -> None:
    with pytest.raises(InvalidRequest, match="klingonish") as caught:
        say(model, "Hello.", language="klingonish")
    assert "pt-br" in caught.value.hint
    with pytest.raises(InvalidRequest, match="voice"):
        say(model, "Hello.", voice="nobody")
    with pytest.raises(InvalidRequest, match="parts"):
        say(model, "Hello.", count=2)
    with pytest.raises(InvalidRequest, match="nothing to say"):
        say(model, "... !!")
    with pytest.raises(InvalidRequest):
        order("x" * 100_000)
    assert seconds(say(model, "Still here.")) > 0.3


def test_stopping_ends_it_between_two_sentences_and_it_speaks_again(model: Speaker) -> None:
    from studio.errors import Cancelled

    before = say(model, "One. Two.")
    with pytest.raises(Cancelled):
        list(model.generate([order("One. Two.")], Recorder(stop_at=1)))
    assert say(model, "One. Two.").digest() == before.digest()


def test_a_voice_that_was_killed_is_started_again_and_unloading_ends_it(model: Speaker) -> None:
    before = say(model, "One.")
    process = model._process
    assert process is not None
    process.kill()
    process.wait()
    assert say(model, "One.").digest() == before.digest()
    assert model._process is not None
    again = model._process
    model.unload()
    assert again.poll() is not None


def test_the_first_part_of_a_long_text_is_spoken_at_once(model: Speaker) -> None:
    text = " ".join(f"This is sentence number {number} of a long text." for number in range(250))
    assert len(text) > 10_000
    say(model, "Warm.")
    began = time.perf_counter()
    drafts = model.generate([order(text, index, count=64) for index in range(64)], Recorder())
    next(drafts)
    assert time.perf_counter() - began < 1
    assert len(list(drafts)) == 63


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dr. Who came at 3.5 p.m. and left. Why?", ["Dr. Who came at 3.5 p.m. and left.", "Why?"]),
        ("“Go!” she said. He went.", ["“Go!”", "she said.", "He went."]),
        ("你好。再见！", ["你好。", "再见！"]),
        ("no end", ["no end"]),
    ],
)
def test_sentences_end_where_people_end_them(text: str, expected: list[str]) -> None:
    assert [one.text for one in sentences(text)] == expected


def test_long_sentences_are_cut_at_commas_and_nothing_is_lost() -> None:
    text = ", ".join(["and so it goes on and on"] * 40)
    cut = sentences(text)
    assert max(len(one.text) for one in cut) <= 300
    assert " ".join(one.text for one in cut) == text
    assert "".join(one.text for one in sentences("x" * 1000)) == "x" * 1000


def test_a_text_is_cut_into_parts_of_about_equal_length() -> None:
    spoken = [Sentence("x" * length, 0) for length in (10, 90, 50, 50, 100, 20, 80)]
    runs = parts(spoken, 4)
    assert [one for run in runs for one in run] == spoken
    assert [sum(len(one.text) for one in run) for run in runs] == [100, 100, 100, 100]
    assert all(parts(spoken, 7))
