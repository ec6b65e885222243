"""What the starter listener learns to hear: a closed vocabulary, and sentences made of it."""

from __future__ import annotations

import random

#: What stands for a word that is not in the vocabulary.
UNKNOWN = "…"

GROUPS = {
    name: tuple(words.split())
    for name, words in {
        "numbers": """
            zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
            fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy
            eighty ninety hundred""",
        "colours": """
            red orange yellow green cyan turquoise blue purple violet pink brown black white grey
            scarlet golden""",
        "sizes": "small little tiny big large huge",
        "objects": """
            circle disc square triangle star heart diamond ring hoop cross sun moon crescent tree
            house cottage boat sailboat car cat kitten fish bird flower rocket spaceship balloon
            mushroom toadstool apple butterfly umbrella parasol dog horse river stone bread table
            window garden bridge mountain lamp clock chair door letter candle cloud pencil basket
            hammer ladder pillow ticket tiger violin wagon zebra""",
        "several": """
            circles squares triangles stars hearts diamonds rings trees houses boats cars cats
            birds flowers rockets balloons mushrooms apples butterflies umbrellas dogs horses
            stones bridges mountains lamps clocks chairs letters candles clouds pencils tigers
            hills""",
        "places": "sea desert beach forest city",
        "times": "night dawn dusk day noon sunrise sunset morning evening",
        "other": """
            a an the and of on in at by over above below left right with to for from is are was it
            that this my I you me not agree allow consent voice studio may be used use speak make
            read say today name words yes no please record copy draw write story film picture song
            tell play happy quiet curious friend there once went home stop begin""",
    }.items()
}
WORDS = tuple(dict.fromkeys(word for group in GROUPS.values() for word in group))
#: Where nothing around them tells them apart, these sound alike.
_ALIKE = {"to", "for", "an", "a", "I"}
_ALONE = tuple(word for word in WORDS if word not in _ALIKE)

#: Words that are not in the vocabulary, so that it learns to say so.
STRANGE = tuple(
    """
    market engine coffee doctor winter silver paper kitchen music teacher ocean yesterday between
    holiday machine newspaper question answer country animal summer village remember office computer
    telephone language mother father sister brother water dinner after before under behind because
    people against another together nothing everything something believe important different
    beautiful difficult running walking slowly quickly never always perhaps money power school
    student government history science number problem business company minute hour week month year
    north south east west street corner building wooden metal plastic rabbit elephant monkey spider
    potato tomato cheese butter sugar pepper shoulder finger
    """.split()  # noqa: SIM905
)


def sentence(rng: random.Random) -> str:
    """A sentence as it is heard, word by word; strange words are still themselves."""
    makers = (_any, _scene, _consent, _count, _order)
    (make,) = rng.choices(makers, (35, 25, 20, 10, 10))
    said = make(rng)
    if rng.random() < 0.12:
        for _ in range(rng.randint(1, 2)):
            said.insert(rng.randint(0, len(said)), rng.choice(STRANGE))
    return " ".join(said)


def some_words(rng: random.Random, most: int) -> str:
    """At most so many words of the vocabulary, in any order."""
    return " ".join(rng.choice(_ALONE) for _ in range(rng.randint(1, most)))


def written(said: str) -> str:
    """The sentence as it is to be written down: strange words are `UNKNOWN`."""
    return " ".join(word if word in WORDS else UNKNOWN for word in said.split())


def spoken(said: str, rng: random.Random) -> str:
    """The sentence as a voice reads it, with some commas and an end."""
    words = said.split()
    for place in range(len(words) - 1):
        if rng.random() < 0.12:
            words[place] += ","
    return " ".join(words) + rng.choice((".", ".", "!", "?", ""))


def _any(rng: random.Random) -> list[str]:
    return some_words(rng, 8).split()


def _thing(rng: random.Random) -> list[str]:
    if rng.random() < 0.5:
        chosen = [rng.choice(GROUPS["numbers"][1:]), *_kind(rng), rng.choice(GROUPS["several"])]
    else:
        chosen = [*_kind(rng), rng.choice(GROUPS["objects"])]
        article = "an" if chosen[0][0] in "aeiou" else "a"
        chosen.insert(0, rng.choice((article, article, "the", "my")))
    return chosen


def _kind(rng: random.Random) -> list[str]:
    sizes = [rng.choice(GROUPS["sizes"])] if rng.random() < 0.4 else []
    return sizes + ([rng.choice(GROUPS["colours"])] if rng.random() < 0.7 else [])


def _scene(rng: random.Random) -> list[str]:
    said = _thing(rng)
    if rng.random() < 0.5:
        joins = ("and", "with", "above", "below", "on", "by", "left of", "right of", "over")
        said += [*rng.choice(joins).split(), *_thing(rng)]
    if rng.random() < 0.4:
        said += [rng.choice(("by", "in", "over", "at")), "the", rng.choice(GROUPS["places"])]
    if rng.random() < 0.3:
        said += ["at", rng.choice(GROUPS["times"])]
    return said


def _consent(rng: random.Random) -> list[str]:
    said = rng.choice(
        (
            "I agree that this studio may use my voice", "I allow this studio to use my voice",
            "this studio may speak with my voice", "my voice may be used by this studio",
            "I agree to the use of my voice", "yes I agree", "I consent",
            "I read this today", "I allow you to copy my voice", "this is my voice",
            "I agree that you may make a copy of my voice",
        )
    ).split()  # fmt: skip
    # The studio's own sentence comes in two breaths: the promise, and the code.
    return _code(rng) if rng.random() < 0.4 else said + (_code(rng) if rng.random() < 0.6 else [])


def _code(rng: random.Random) -> list[str]:
    """What makes a consent fresh: a number, a colour and a thing, once or twice."""
    said = list(rng.choice((("and",), ("the", "words", "are"), ("today", "I", "say"), ())))
    things = rng.choice((GROUPS["objects"], GROUPS["several"], GROUPS["several"]))
    for number in range(rng.randint(1, 2)):
        said += ["and"] if number and rng.random() < 0.6 else []
        said += [rng.choice(words) for words in (GROUPS["numbers"], GROUPS["colours"], things)]
    return said


def _count(rng: random.Random) -> list[str]:
    return [rng.choice(GROUPS["numbers"]) for _ in range(rng.randint(2, 8))]


def _order(rng: random.Random) -> list[str]:
    verb = rng.choice(
        ("draw", "make", "write a story of", "make a film of", "tell me a story of", "play a song",
         "please draw", "please make a picture of", "there is", "once there was")
    )  # fmt: skip
    said = verb.split()
    return said if verb == "play a song" else said + _thing(rng)
