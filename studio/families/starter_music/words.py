"""What a prompt says about music, read word by word from one small table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from studio.families.starter_music.plan import GENRES, MOODS
from studio.families.starter_music.theory import METRES, MODES, Key, parse_key

_GENRES = {name: name for name in GENRES} | {
    "atmospheric": "ambient", "meditation": "ambient", "celtic": "folk", "acoustic": "folk",
    "country": "folk",
    "swing": "jazz", "jazzy": "jazz", "8-bit": "chiptune", "8bit": "chiptune", "chip": "chiptune",
    "game": "chiptune",
    "orchestral": "classical", "baroque": "classical", "lofi": "lo-fi", "chillhop": "lo-fi",
    "military": "march",
    "marching": "march", "metal": "rock", "punk": "rock", "techno": "electronic",
    "house": "electronic",
    "edm": "electronic", "dance": "electronic",
}  # fmt: skip
_MOODS = {name: name for name in MOODS} | {
    "peaceful": "calm", "relaxing": "calm", "relaxed": "calm", "gentle": "calm", "quiet": "calm",
    "joyful": "happy",
    "cheerful": "happy", "bright": "happy", "melancholic": "sad", "melancholy": "sad",
    "gloomy": "sad",
    "floating": "dreamy", "ethereal": "dreamy", "nostalgic": "dreamy", "dark": "mysterious",
    "eerie": "mysterious",
    "tense": "mysterious", "energetic": "energetic", "lively": "energetic", "driving": "energetic",
    "epic": "heroic", "triumphant": "heroic", "proud": "heroic", "funny": "playful",
    "bouncy": "playful",
    "light": "playful",
}  # fmt: skip
#: Instruments: the part that plays it, and the timbre.
_INSTRUMENTS = {
    "piano": ("accompaniment", "piano"), "rhodes": ("accompaniment", "electric piano"),
    "guitar": ("accompaniment", "guitar"),
    "organ": ("accompaniment", "organ"), "pad": ("accompaniment", "pad"),
    "horns": ("accompaniment", "horns"),
    "flute": ("melody", "flute"), "whistle": ("melody", "flute"),
    "strings": ("melody", "strings"), "violin": ("melody", "strings"),
    "brass": ("melody", "brass"), "trumpet": ("melody", "brass"), "bells": ("melody", "bells"),
    "vibraphone": ("melody", "vibraphone"),
    "accordion": ("melody", "accordion"), "synth": ("melody", "saw lead"),
    "cello": ("bass", "cello"), "tuba": ("bass", "tuba"),
}  # fmt: skip
_PACE = {"slow": 0.0, "slowly": 0.0, "moderate": 0.5, "fast": 1.0, "quick": 1.0, "upbeat": 0.8}
#: Words that say nothing by themselves.
_SMALL = frozenset(
    re.findall(
        r"\S+",
        """
        a an and at for from in into it like make me music of on over piece quarter play
        please short small solo some song soundtrack that the theme this to track tune
        very with without no loop loopable background melody drums bass instrumental is
        beats per minute bpm key time tempo major minor sharp flat
        """,
    )
)
_TEMPO = re.compile(r"\b(\d{2,3}(?:\.\d+)?)\s*(?:bpm|beats per minute)\b")
_KEY = re.compile(
    r"\b(?:in(?: the key of)?\s+)?([a-g](?:#|b|♯|♭|[ -]sharp|[ -]flat)?[ -]?"
    rf"(?:{'|'.join(MODES)}))\b"
)
_METRE = re.compile(rf"(?<!\d)({'|'.join(METRES)})(?!\d)")
_SILENT = re.compile(r"\b(?:no|without)(?: any)? (drums|bass|melody)\b")


@dataclass(frozen=True)
class Wish:
    """What a prompt asks for; None where it says nothing."""

    genre: str | None
    mood: str | None
    metre: str | None
    key: Key | None
    #: Beats per minute.
    tempo: float | None
    #: 0 the slow end of the style to 1 its fast end.
    pace: float | None
    #: Timbres by part.
    timbres: Mapping[str, str]
    #: Parts that shall not play.
    silent: frozenset[str]
    #: Words that mean nothing to this model.
    unknown: tuple[str, ...]


def read(prompt: str) -> Wish:
    """The wish in a prompt; the first word for each thing counts."""
    text = prompt.lower().replace("lo fi", "lo-fi").replace("electric piano", "rhodes")
    tempo, key, metre = (pattern.search(text) for pattern in (_TEMPO, _KEY, _METRE))
    silent = frozenset(_SILENT.findall(text))
    for pattern in (_TEMPO, _KEY, _METRE):
        text = pattern.sub(" ", text)
    words = re.findall(r"\d*-?[^\W\d_]+(?:[-'][^\W\d_]+)*|\d+", text)
    genres = [_GENRES[word] for word in words if word in _GENRES]
    moods = [_MOODS[word] for word in words if word in _MOODS]
    paces = [_PACE[word] for word in words if word in _PACE]
    timbres: dict[str, str] = {}
    for word in words:
        if word in _INSTRUMENTS:
            part, timbre = _INSTRUMENTS[word]
            timbres.setdefault(part, timbre)
    known = {*_GENRES, *_MOODS, *_INSTRUMENTS, *_PACE} | _SMALL
    # 'A sad lo-fi waltz' is lo-fi music in three.
    others = [genre for genre in genres if genre != "waltz"]
    counted = metre[1] if metre else "3/4" if "waltz" in genres else None
    return Wish(
        genre=next(iter(others or genres), None),
        mood=next(iter(moods), None),
        metre=counted,
        key=parse_key(key[1].replace("-", " ")) if key else None,
        tempo=float(tempo[1]) if tempo else None,
        pace=next(iter(paces), None),
        timbres=MappingProxyType(timbres),
        silent=silent,
        unknown=tuple(dict.fromkeys(word for word in words if word not in known)),
    )


def groups() -> dict[str, list[str]]:
    """The words that mean something, for a palette to click."""
    return {
        "genre": sorted(_GENRES),
        "mood": sorted(_MOODS),
        "instrument": sorted(_INSTRUMENTS),
        "pace": sorted(_PACE),
        "mode": list(MODES),
        "metre": list(METRES),
        "note": list("abcdefg"),
        "small": sorted(_SMALL),
    }
