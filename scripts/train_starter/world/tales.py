"""What the starter model of words reads and writes: prompts with more to see, stories, captions.

Every line is made of the phrases below, and the same phrases, as patterns, read it again. A line
always begins with what was asked: the model only ever goes on, so nothing that was asked is lost.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from world import first
from world.captions import mend
from world.shapes import SHAPES
from world.words import COLOUR_WORDS, KIND_WORDS, SIZE_WORDS

#: What the lines are for; each is a token of its own at their beginning.
PURPOSES = ("improve", "story", "caption")

_SKY = ("sun", "moon")
_COLOURS = tuple(word for words in COLOUR_WORDS.values() for word in words)
_SIZES = tuple(word for words in SIZE_WORDS.values() for word in words)
_NOUNS = tuple(dict.fromkeys(pair[0] for pairs in KIND_WORDS.values() for pair in pairs))
#: The same, and the last word of each that has two.
_CALLED = tuple(dict.fromkeys(called for noun in _NOUNS for called in (noun, noun.split()[-1])))
_LANDS = ("sea", "hills", "mountains", "desert")

#: What a slot of a phrase can be.
SLOTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "colour": _COLOURS,
        "paint": first.PAINTS,
        "paper": first.BACKGROUNDS,
        "land": _LANDS,
        "rising": ("hills", "mountains"),
        "shape": tuple(SHAPES),
        "extra": ("a tree", "a house", "a boat", "clouds"),
        "side": tuple(phrase for phrase, _, _ in first.POSITIONS.values()),
        "relation": ("above", "below", "to the left of", "to the right of"),
        "when": ("at noon", "at dusk", "at sunset", "at dawn", "at sunrise", "at night"),
        "night": ("one night", "one day", "at dusk", "at dawn", "at noon", "at sunset"),
        "wish": (
            "to see the {land}", "to find a friend", "to fly over the {land}", "to rest",
            "to be {colour}", "to see the sun", "to see the moon", "to go home",
        ),
        "mood": ("happy", "alone", "tired", "cold", "proud", "quiet", "lost", "curious"),
        "place": ("on the {land}", "over the {land}", "by the {land}", "on the {colour} {rising}"),
        "came": ("came", "fell", "flew", "rolled", "sailed", "shone"),
        "deed": (
            "looked at the {land}", "crossed the {land}", "went home", "sang all night",
            "rested by the {land}", "danced over the {rising}", "shared the light",
            "told stories until dawn",
        ),
        "end": (
            "From that day on they were friends", "After that nobody was alone",
            "And all was quiet on the {land}", "Since then the {land} is never dark",
            "They still remember it {when}",
        ),
    }
)  # fmt: skip

#: What may follow a prompt's own words.
_AROUND = (
    "on {a} {paper} background",
    ", {paper} background",
    "{side}, {paper} background",
    "{relation} {a} {paint} {shape}",
    "{relation} {a} {paint} {shape}, {paper} background",
)
_OVER = (
    "over the sea {when}",
    "over the desert {when}",
    "over {paint} {rising} {when}",
    "over the sea with {extra} {when}",
    "over {paint} {rising} with {extra} {when}",
)
_AMID = (
    "on the sea {when}",
    "on the sea with {a} {paint} sun",
    "on {paint} hills {when}",
    "on {paint} hills with {extra} {when}",
    "over the {land} {when}",
    "on {a} {paper} background",
)
#: The sentences of a story between its first and its last, in this order. `A` is who it is about,
#: `B` who comes; they are put in where a story is told, and caught where one is read.
_MIDDLE = (
    ("It was {mood} and wanted {wish}.", "The {A} was {mood}.", "Every day the {A} wanted {wish}."),
    ("Then {night} {B} {came} {place}.", "But {night} {B} {came} {place}."),
    ("Together they {deed}.", "The {A} and the {b} {deed}.", "So they {deed}."),
)
_MET = "The {A} met the {B} {night}."
_CAPTION = "{place} {when}."


def thing(rng: random.Random, nouns: Iterable[str] = _NOUNS) -> str:
    """A noun, mostly with a colour, sometimes with a size: "small red boat"."""
    size = rng.choice(_SIZES) if rng.random() < 0.25 else ""
    colour = rng.choice(_COLOURS) if rng.random() < 0.75 else ""
    return " ".join(word for word in (size, colour, rng.choice(tuple(nouns))) if word)


def asked(purpose: str, rng: random.Random) -> str:
    """The beginning of a line: what somebody asked for, as the model is given it."""
    one = thing(rng)
    if purpose == "improve":
        if rng.random() < 0.12:
            # People write words that no world holds; what is added must not depend on them.
            one = f"{one.rpartition(' ')[0]} {_invented(rng)}".strip()
        return mend(f"a {one}") if rng.random() < 0.8 else one
    two = f" and a {thing(rng)}" if rng.random() < 0.35 else ""
    opening = "Once there was" if purpose == "story" else "A picture of"
    return mend(f"{opening} a {one}{two}")


def _invented(rng: random.Random) -> str:
    syllables = ("ka", "dra", "lon", "mi", "ter", "bo", "ell", "sha", "gri", "on", "pe", "ty", "wo")
    return "".join(rng.choice(syllables) for _ in range(rng.randint(1, 4)))


def line(purpose: str, rng: random.Random) -> str:
    """One whole line: what was asked, and how it goes on."""
    begun = asked(purpose, rng)
    if purpose == "improve":
        noun = begun.split()[-1]
        phrases = _AROUND if noun in SHAPES else _OVER if noun in _SKY else _AMID
        return _joined(begun, _filled(rng.choice(phrases), rng))
    if purpose == "caption":
        return f"{begun} {_filled(_CAPTION, rng)}"
    return f"{begun} {_filled('{place}', rng)}. {_rest(begun, rng)}"


def _rest(begun: str, rng: random.Random) -> str:
    """The sentences after a story's first."""
    people = _people(begun)
    sentences = [rng.choice(_MIDDLE[0]).replace("{A}", people[0])]
    if len(people) > 1:
        sentences.append(_MET.replace("{A}", people[0]).replace("{B}", people[1]))
    else:
        came = thing(rng)
        people.append(came.split()[-1])
        sentences.append(rng.choice(_MIDDLE[1]).replace("{B}", mend(f"a {came}")))
    together = rng.choice(_MIDDLE[2]).replace("{A}", people[0]).replace("{b}", people[1])
    sentences.append(together)
    if rng.random() < 0.8:
        sentences.append("{end}.")
    return " ".join(_filled(sentence, rng) for sentence in sentences)


def _people(begun: str) -> list[str]:
    """The nouns of a story's beginning, in their order."""
    found = re.findall(rf"\b({_either(_NOUNS)})\b", begun)
    return list(dict.fromkeys(found)) if len(set(found)) > 1 else found[:1]


def _joined(begun: str, more: str) -> str:
    return begun + more if more.startswith(",") else f"{begun} {more}"


def _filled(phrase: str, rng: random.Random) -> str:
    """The phrase with every slot drawn; `{a}` becomes the article of the next word."""
    phrase = phrase.replace("{a}", "a")
    while slot := re.search(r"\{(\w+)\}", phrase):
        phrase = phrase[: slot.start()] + rng.choice(SLOTS[slot[1]]) + phrase[slot.end() :]
    return mend(phrase)


def _either(words: Iterable[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))


def _pattern(phrase: str) -> str:
    """The phrase as a regular expression."""
    written = re.escape(phrase).replace(r"\{", "{").replace(r"\}", "}").replace(r"\ ", " ")

    def either(slot: re.Match[str]) -> str:
        name = slot[1]
        if name == "a":
            return "an?"
        if name in "ABb":
            article = rf"an? (?:(?:{_either(_SIZES)}) )?(?:(?:{_either(_COLOURS)}) )?"
            # A line calls a plus sign that came a sign.
            return f"{article}(?:{_either(_NOUNS)})" if name == "B" else f"(?:{_either(_CALLED)})"
        return "(?:" + "|".join(map(_pattern, SLOTS[name])) + ")"

    return re.sub(r"\{(\w+)\}", either, written)


#: One thing that was asked for may get company at once.
_ANOTHER = f"(?: and {_pattern('{B}')})?"


def parses(purpose: str, begun: str, text: str) -> bool:
    """Whether `text` begins with `begun` and goes on as this world's lines do."""
    if not text.startswith(begun):
        return False
    rest = text[len(begun) :]
    if purpose == "improve":
        phrases = "|".join(map(_pattern, (*_AROUND, *_OVER, *_AMID)))
        return re.fullmatch(f" ?(?:{phrases})", rest) is not None
    if purpose == "caption":
        return re.fullmatch(f"{_ANOTHER} {_pattern(_CAPTION)}", rest) is not None
    second = [*_MIDDLE[1], _MET.replace("{B}", "{b}")]
    told = [["{place}."], _MIDDLE[0], second, _MIDDLE[2]]
    sentences = " ".join("(?:" + "|".join(map(_pattern, choices)) + ")" for choices in told)
    if re.fullmatch(f"{_ANOTHER} {sentences}(?: {_pattern('{end}.')})?", rest) is None:
        return False
    # Whoever is spoken of as known was there before.
    return all(
        re.search(rf"\ban? (?:\w+ ){{0,3}}{re.escape(noun)}\b", text[: at.start() + len(begun)])
        for at in re.finditer(rf"[Tt]he ({_either(set(_CALLED) - set(_SKY))})\b", rest)
        for noun in [at[1]]
    )


def content_words(text: str) -> set[str]:
    """The words that say what there is to see: things, colours, sizes."""
    known = {part for noun in _NOUNS for part in noun.split()} | {*_COLOURS, *_SIZES}
    return known & set(re.findall(r"[a-z]+", text.lower()))


def vocabulary() -> dict[str, list[str]]:
    """Every word that a line can hold or that an order for one may use, by what it names."""
    groups = {
        "colours": list(_COLOURS),
        "objects": list(dict.fromkeys(part for noun in _NOUNS for part in noun.split())),
        "sizes": list(_SIZES),
    }
    seen = {word for words in groups.values() for word in words}
    phrases = [*_AROUND, *_OVER, *_AMID, _MET, _CAPTION, *(p for ps in _MIDDLE for p in ps)]
    told = " ".join([*phrases, *(value for values in SLOTS.values() for value in values)])
    words = sorted(set(re.findall(r"[a-z]+", re.sub(r"\{\w+\}", "", told).lower())) - seen)
    spoken = (
        "a", "an", "and", "caption", "describe", "for", "in", "is", "me", "of", "picture", "please",
        "story", "tell", "the", "write",
    )  # fmt: skip
    groups["other"] = list(dict.fromkeys([*words, *(w for w in spoken if w not in seen)]))
    return groups
