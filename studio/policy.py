"""What this studio refuses to make, and why. Checked on the host, so no front end can skip it.

One rule is built in and cannot be switched off: nothing sexual about children. It compares words,
so it catches the plain cases and no more; it is a fence, not a judge.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from studio.errors import Refused
from studio.fields import fields_of
from studio.tasks import Task
from studio.tasks.request import Request

_CHILD = re.compile(
    r"\b(child|children|kid|kids|toddlers?|bab(y|ies)|infants?|minors?|underage\w*|preteens?|"
    r"teen(s|age|ager|agers)?|school ?(girl|boy|child)\w*|little (girl|boy)s?|loli\w*|shota\w*|"
    r"(1[0-7]|[1-9]) ?(yo|y o|years? old|year olds?))\b"
)
_SEXUAL = re.compile(
    r"\b(nudes?|naked|nudity|sex\w*|porn\w*|erotic\w*|hentai|lewd|nsfw|topless|genitals?|"
    r"orgasm\w*|masturbat\w*|undress\w*|fetish\w*)\b"
)
_LETTERS = str.maketrans("013457@$", "oieastas")


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


def _readings(task: Task, request: Request) -> Iterator[str]:
    """What the order asks for, in plain small letters; a negative prompt asks for nothing."""
    for spec in fields_of(task.request):
        value = getattr(request, spec.name)
        if spec.type == "text" and isinstance(value, str) and not spec.name.startswith("negative"):
            # Digits are read as they stand, which ages need, and as the letters they imitate.
            for text in (value, value.translate(_LETTERS)):
                plain = unicodedata.normalize("NFKD", text).casefold()
                letters = "".join(char for char in plain if not unicodedata.combining(char))
                yield re.sub(r"[\W_]+", " ", letters)
