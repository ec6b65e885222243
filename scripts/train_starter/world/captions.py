"""What a person might type to get a scene: many wordings, one meaning."""

from __future__ import annotations

import random
from collections.abc import Mapping

from world.scene import Group, Scene
from world.words import (
    BACKGROUND_WORDS,
    COLOUR_WORDS,
    COLOURED_PLACE_WORDS,
    COUNT_WORDS,
    KIND_WORDS,
    PLACE_WORDS,
    POSITION_WORDS,
    RELATION_WORDS,
    SIZE_WORDS,
    STYLE_OBJECTS,
    STYLE_WORDS,
    TIME_WORDS,
    WEATHER_WORDS,
)


def _pick(table: Mapping[str, tuple[str, ...]], name: str, rng: random.Random) -> str:
    return rng.choice(table[name]) if name else ""


def _join(*phrases: str) -> str:
    return " ".join(phrase for phrase in phrases if phrase)


def mend(text: str) -> str:
    """ "a orange" → "an orange", "an red" → "a red"."""
    words = text.split(" ")
    for index, word in enumerate(words[:-1]):
        if word in ("a", "an"):
            words[index] = "an" if words[index + 1][:1] in tuple("aeiou") else "a"
    return " ".join(words)


def _group(group: Group, rng: random.Random, article: str) -> str:
    one, many = rng.choice(KIND_WORDS[group.kind])
    count = article if group.count == 1 else COUNT_WORDS[group.count]
    colour = _pick(COLOUR_WORDS, group.colour, rng) if group.colour_said else ""
    size = _pick(SIZE_WORDS, group.size, rng)
    noun = one if group.count == 1 else many
    if group.kind in ("sun", "moon") and not group.colour_said and count == "a":
        count = "the"
    return _join(count, size, colour, noun)


def _where(scene: Scene, rng: random.Random) -> str:
    if scene.background:
        # White paper is what an unmentioned background means.
        if scene.style in ("outline", "neon") or (
            scene.background == "white" and rng.random() < 0.6
        ):
            return ""
        colour = _pick(COLOUR_WORDS, scene.background, rng)
        return rng.choice(BACKGROUND_WORDS).format(colour)
    if not scene.place_said:
        return ""
    if scene.place_colour:
        colour = _pick(COLOUR_WORDS, scene.place_colour, rng)
        return rng.choice(COLOURED_PLACE_WORDS[scene.place]).format(colour)
    return rng.choice(PLACE_WORDS[scene.place])


def _styled(text: str, style: str, loose: bool, rng: random.Random) -> str:
    """The style as a tag, or, before a sentence that begins with its subject, as "a … of"."""
    if not loose and rng.random() < 0.4:
        made = rng.choice(STYLE_OBJECTS[style])
        return f"{made} of {text}"
    tag = rng.choice(STYLE_WORDS[style])
    return rng.choice((f"{text}, {tag}", f"{text}, {tag}", f"{tag}, {text}"))


def caption(scene: Scene, rng: random.Random, joined: str | None = None) -> str:
    """One wording for the scene; `joined` stands between two groups instead of their relation."""
    plain_tags = rng.random() < 0.12  # "red cat, night, neon": terse, as people type after a while
    article = "" if plain_tags else "a"
    things = [_group(group, rng, article) for group in scene.groups]
    subject = things[0]
    if len(things) == 2:
        between = joined or _pick(RELATION_WORDS, scene.relation, rng)
        subject = _join(things[0], between, things[1])
    subject = _join(subject, _pick(POSITION_WORDS, scene.position, rng))
    where, when = _where(scene, rng), _pick(TIME_WORDS, scene.time, rng)
    weather = _pick(WEATHER_WORDS, scene.weather, rng)
    circumstances = [phrase for phrase in (where, when, weather) if phrase]
    if len(circumstances) > 1 and rng.random() < 0.3:
        rng.shuffle(circumstances)
    place_first = bool(circumstances) and not plain_tags and rng.random() < 0.15
    if place_first:
        text = f"{_join(*circumstances)}, {subject}"
    elif plain_tags:
        text = ", ".join([subject, *circumstances])
    else:
        text = _join(subject, *circumstances)
    if scene.style != "flat" or rng.random() < 0.15:
        text = _styled(text, scene.style, plain_tags or place_first, rng)
    return mend(text)
