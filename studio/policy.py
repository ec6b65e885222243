"""What this studio refuses to make, and why. Checked on the host, so no front end can skip it.

One rule is built in and cannot be switched off: nothing sexual about children. It compares words,
so it catches the plain cases and no more; it is a fence, not a judge.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from studio.errors import Refused
from studio.fields import fields_of
from studio.tasks import Task
from studio.tasks.request import Request

_AGE = (
    r"(1[0-7]|[1-9]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|"
    r"fourteen|fifteen|sixteen|seventeen)"
)
_CHILD = re.compile(
    r"\b(child|children|kid|kids|toddlers?|bab(y|ies)|infants?|minors?|underage\w*|preteens?|"
    r"teen(s|age|ager|agers)?|school ?(girl|boy|child)\w*|(little|young|small) (girl|boy)s?|"
    rf"loli\w*|shota\w*|{_AGE} ?(yo|y o|years? old|year olds?)|aged? (of )?{_AGE})\b"
)
_SEXUAL = re.compile(
    r"\b(nudes?|naked|nudity|sex|sexy|sexual\w*|porn\w*|erotic\w*|hentai|lewd|nsfw|topless|"
    r"genitals?|orgasm\w*|masturbat\w*|undress\w*|fetish\w*)\b"
)
_LETTERS = str.maketrans("013457@$", "oieastas")
#: Letters of other alphabets that look like Latin ones (Unicode TR 39), after case folding.
_LOOKALIKES = str.maketrans("авеіјкмнорѕстухԁԛԝαβεικνορτυχ", "abeijkmhopsctyxdqwabeikvoptux")


def check(task: Task, request: Request) -> None:
    """Pass what may be made.

    Raises:
        Refused: saying which rule forbids it.
    """
    text = " ".join(_readings(task, request))
    if _CHILD.search(text) and _SEXUAL.search(text):
        raise Refused(
            "This studio makes nothing sexual about children.",
            hint="This rule cannot be switched off.",
        )


def for_adults(texts: Iterable[str]) -> bool:
    """Whether one of the texts, of an order for something to look at, is for adults alone.

    Front ends that know which places are for adults ask this; the studio itself does not refuse it.
    """
    return any(_SEXUAL.search(reading) for text in texts for reading in _read(text))


def _readings(task: Task, request: Request) -> Iterator[str]:
    """What the order asks for, in plain small letters; a negative prompt asks for nothing."""
    for spec in fields_of(task.request):
        if spec.media is not None or spec.name.startswith("negative"):
            continue
        value = getattr(request, spec.name)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str):
                yield from _read(text)


def _read(value: str) -> Iterator[str]:
    # Digits are read as they stand, which ages need, and as the letters they imitate.
    for text in (value, value.translate(_LETTERS)):
        plain = unicodedata.normalize("NFKD", text).casefold()
        # Accents, and what is not seen at all, hide no word.
        letters = "".join(c for c in plain if unicodedata.category(c) not in ("Mn", "Cf"))
        for reading in {letters, letters.translate(_LOOKALIKES)}:
            yield re.sub(r"[\W_]+", " ", reading)
