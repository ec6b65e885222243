"""What a small model says about words that it does not know."""

from __future__ import annotations

from pathlib import Path

from studio.catalog import Catalog
from studio.fields import build
from studio.job import Job, JobState, Remark
from studio.settings import Settings
from studio.tasks import TASKS
from studio.vocabulary import leave_out, mentions, read_vocabulary, remarks_on

GROUPS = {"colours": ("red", "purple"), "things": ("circle", "cross"), "small": ("a", "and")}


def test_every_unknown_word_is_named_once_with_those_like_it() -> None:
    assert remarks_on("A red circle and two purpel Snowmen, purpel!", GROUPS) == (
        Remark("two"),
        Remark("purpel", ("purple",)),
        Remark("snowmen"),
    )
    assert "Did you mean purple?" in Remark("purpel", ("purple",)).sentence


def test_a_number_is_named_with_what_it_is_called() -> None:
    numbers = GROUPS | {"counts": ("two", "three"), "other": ("tree", "fire")}
    assert remarks_on("3 red circles, 5 crosses, 512", numbers) == (
        Remark("3", ("three",)),
        Remark("5"),
        Remark("512"),
    )
    assert remarks_on("3 red circles, 512", GROUPS | {"metres": ("4/4",)}) == ()
    listed = numbers | {"counts": ("two", "2", "three", "3")}
    assert remarks_on("3 red circles, 5 crosses", listed) == (Remark("5"),)


def test_other_models_that_know_a_word_are_named() -> None:
    others = {"Scenes": {"things": ("snowman", "cat")}, "Shapes": {"things": ("square",)}}
    (one, other) = remarks_on(
        "two snowmans and a purpel cat, red", GROUPS | {"n": ("two", "cat", "snowfall")}, others
    )
    assert (one.word, one.known_by) == ("snowmans", ("Scenes",))
    assert one.near == (), "it is no slip: somebody knows the word"
    assert (other.word, other.near, other.known_by) == ("purpel", ("purple",), ())
    assert one.sentence.endswith("Known to: Scenes.")


def test_known_words_pass_in_any_case_and_number() -> None:
    assert remarks_on("RED circles, crosses", GROUPS) == ()
    assert remarks_on("", GROUPS) == ()


def test_a_model_without_a_list_says_nothing(tmp_path: Path) -> None:
    assert read_vocabulary(tmp_path) == {}
    assert remarks_on("anything at all", {}) == ()


def test_phrases_are_left_out_where_they_are_words_of_their_own() -> None:
    moving = ("moves", "moves to the left", "sets")
    assert leave_out("A sun sets, and a star Moves to the left on sunsets", moving) == (
        "A sun , and a star on sunsets"
    )
    assert leave_out("a  star", ()) == "a star"
    assert mentions("The sun Sets", moving)
    assert not mentions("a sunset", moving)
    assert not mentions("anything", ())


def test_the_starter_knows_the_words_of_its_own_examples(home: Path) -> None:
    catalog = Catalog.open(Settings(home=home))
    card = catalog["starter-pictures"]
    groups = read_vocabulary(catalog.folder(card))
    assert "yellow" in groups["colours"]
    examples = [one["text"] for one in card.metadata["widget"]]
    assert examples
    assert [remarks_on(text, groups) for text in examples] == [()] * len(examples)


def test_the_model_that_knows_the_most_words_is_chosen(home: Path) -> None:
    catalog, task = Catalog.open(Settings(home=home)), TASKS["text-to-image"]

    def chosen(prompt: str) -> str:
        return catalog.choose(task, build(task.request, {"prompt": prompt})).name

    assert chosen("a red circle above a blue square") == "starter-pictures"
    assert chosen("a cat under a yellow moon at night, pixel art") == "starter-scenes"
    assert chosen("a mushroom and a zeppelin") == "starter-scenes"
    assert chosen("a zeppelin") == "starter-pictures"


def test_remarks_travel_with_the_job() -> None:
    job = Job(
        "1" * 32, "ann", "text-to-image", "x", {}, 0, 0.0, remarks=(Remark("purpel", ("purple",)),)
    )
    assert Job.from_record(job.record()) == job
    # Jobs that were stored before there were remarks.
    record = {key: value for key, value in job.record().items() if key != "remarks"}
    assert Job.from_record(record).remarks == ()
    assert Job.from_record(record).state == JobState.WAITING
