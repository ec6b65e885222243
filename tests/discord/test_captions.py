"""What stands above the files fits into a message, whatever it is made of."""

from __future__ import annotations

import re

import pytest

from bots.making import caption
from bots.parcel import Parcel
from studio.job import Job, Remark
from studio.links import link
from studio.words import say

LONG = "*very* " * 800


def job() -> Job:
    remarks = tuple(Remark("wörd" * 9, ("near",) * 20) for _ in range(9))
    return Job(
        "0" * 32, "discord:1", "text-to-image", "noise", {"seed": 7}, 0, 0.0, remarks=remarks
    )


@pytest.mark.parametrize("language", ["en", "de", "ja"])
@pytest.mark.parametrize(
    "parcel",
    [Parcel(), Parcel(links=("https://studio.example.org/" + "x" * 200,) * 10), Parcel(text=LONG)],
)
def test_a_caption_is_never_too_long(parcel: Parcel, language: str) -> None:
    said = caption(job(), LONG, parcel, language)
    assert len(said) <= 2000
    assert said.startswith("**\\*very\\*")
    if parcel.text:
        assert parcel.text[:500] in said


@pytest.mark.parametrize("language", ["en", "de", "ja"])
@pytest.mark.parametrize("count", [1, 8, 10, 60])
@pytest.mark.parametrize("text", ["", LONG])
def test_links_are_whole_and_those_without_room_are_counted(
    text: str, count: int, language: str
) -> None:
    links = tuple(
        f"https://studio.example.org{link(b'secret', f'{number:032x}', 1_800_000_000)}"
        for number in range(count)
    )
    said = caption(job(), LONG, Parcel(links=links, text=text), language)
    shown = re.findall(r"https://\S+", said)
    assert tuple(shown) == links[: len(shown)]
    assert len(shown) >= min(count, 5 if text else 8)
    more = say("bot.more", language, count=count - len(shown))
    assert (more in said) is (len(shown) < count)
    assert say("bot.made", language, model="noise", seed=7) in said
    assert len(said) <= 2000 - len("<@12345678901234567890> ")


def test_words_are_shown_as_they_were_typed_and_not_as_markup() -> None:
    said = caption(job(), "# a\n*b* <@1> `c`", Parcel(), "en")
    assert "\\*b\\*" in said
    assert "\n*b" not in said
