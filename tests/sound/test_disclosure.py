"""What the operator wants an artificial voice to say of itself, through the whole studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.disclosure import announced, captioned, disclosed
from studio.draft import Draft
from studio.families import Order
from studio.fields import build
from studio.host import Host
from studio.protocol import LOCAL
from studio.tasks import TASKS
from tests.fake_lane import FakeLane
from tests.hosts import finished, run, settings_for
from tests.sound.test_consent import CARD, brought

SPEECH = TASKS["text-to-speech"]


def asked(**values: Any) -> Any:
    return build(SPEECH.request, {"text": "Good morning.", **values})


@pytest.mark.parametrize(
    ("how", "language", "said"),
    [
        ("before", "de", "Diese Stimme ist künstlich erzeugt. Good morning."),
        ("after", "fr-fr", "Good morning. Cette voix est artificielle."),
        ("before", "sw", "This voice is artificial. Good morning."),
        ("written", "de", "Good morning."),
        ("none", "de", "Good morning."),
    ],
)
def test_it_is_said_where_and_in_the_language_that_is_wanted(
    how: Any, language: str, said: str
) -> None:
    request = announced(how, SPEECH.id, asked(language=language))
    assert request.model_dump()["text"] == said
    assert announced(how, SPEECH.id, request) == request, "once, also when it is made again"
    assert bool(disclosed(SPEECH.id, request.model_dump())) == (how in ("before", "after"))


def test_what_is_no_speech_is_left_alone() -> None:
    task = TASKS["summarization"]
    request = build(task.request, {"text": "A long text."})
    assert announced("before", task.id, request) == request


def test_a_caption_stands_in_the_first_line_alone() -> None:
    cues = [{"start": 0, "end": 1, "text": "One."}, {"start": 1, "end": 2, "text": "Two."}]
    said = "[Diese Stimme ist künstlich erzeugt.] One."
    assert [cue["text"] for cue in captioned(cues, "de")] == [said, "Two."]


@pytest.mark.parametrize("how", ["before", "written"])
def test_the_voice_says_it_and_the_note_knows(home: Path, how: Any) -> None:
    async def test() -> None:
        async with Host(settings_for(home, disclosure=how)) as host:
            client = host.client(LOCAL)
            job = await client.submit("speak", {"text": "Good morning."})
            ended = await finished(client, job.id)
            note = (await client.artifact(ended.artifacts[0])).note
            texts = [cue["text"] for cue in note.about["cues"]]
            if how == "before":
                assert texts == ["This voice is artificial.", "Good morning."]
                assert "said in it: This voice is artificial." in note.made_with
                assert note.about["cues"][0]["end"] > 1, "and takes its time over it"
            else:
                assert texts == ["[This voice is artificial.] Good morning."]

    run(test)


def test_a_transcript_says_nothing_of_the_kind_of_whom_it_heard(home: Path) -> None:
    cues = [{"start": 0.0, "end": 1.0, "text": "Good morning."}]

    def heard(order: Order) -> Draft:
        facts = {"text": "Good morning.", "language": "en", "cues": cues}
        return Draft("text", order.index, order.seed, facts=facts)

    async def test() -> None:
        settings = settings_for(home, disclosure="written")
        (home / "model_cards").mkdir(parents=True)
        card = CARD.format(name="listener", task="automatic-speech-recognition")
        (home / "model_cards" / "listener.md").write_text(card)
        async with Host(settings, lanes=[FakeLane(settings, draft=heard)]) as host:
            client = host.client(LOCAL)
            job = await client.submit("transcribe", {"audio": brought(host, 1).id})
            ended = await finished(client, job.id)
            assert ended.error is None
            assert (await client.artifact(ended.artifacts[0])).note.about["cues"] == cues

    run(test)
