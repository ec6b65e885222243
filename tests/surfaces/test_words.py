"""Every sentence of pages and bots: none missing or left over, in any language."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import bots
import studio
import ui
from studio.fields import fields_of
from studio.provenance.verdict import Outcome
from studio.recipes import shipped
from studio.tasks import TASKS
from studio.vocabulary import read_vocabulary
from studio.words import ENGLISH, LANGUAGES, catalogue, preferred, said, say
from ui.frame import SHORTCUTS
from ui.tongue import translate

WORDS = catalogue(ENGLISH)
#: Families of keys that are put together from what the studio reports, or from a list.
BUILT = (
    "gallery.kind.", "gallery.filter.", "gallery.copy.",
    "layer.", "state.", "verdict.", "verify.empty.", "finding.", "words.", "tour.", "privacy.",
    "about.", "models.get", "models.remove", "bot.command.",
    "bot.about.", "bot.name.", "bot.option.",
)  # fmt: skip
languages = pytest.mark.parametrize("language", [one for one in LANGUAGES if one != ENGLISH])


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def test_every_sentence_that_is_said_exists_and_the_other_way_round() -> None:
    folders = [Path(module.__file__ or "").parent for module in (ui, bots)]
    source = "".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    said = {key for key in re.findall(r'"([a-z]+(?:\.[a-z-]+)+)"', source) if key in WORDS}
    called = set(re.findall(r'(?:say|later)\(\s*"([^"]+)"\s*[,)]', source))
    assert called <= set(WORDS)
    assert {key for key in WORDS if not key.startswith(BUILT)} <= said
    assert {key for _, key in SHORTCUTS} <= set(WORDS)


def test_every_outcome_has_a_word() -> None:
    assert {f"verdict.{outcome.value}" for outcome in Outcome} <= set(WORDS)


def test_every_kind_of_words_that_a_starter_knows_has_a_name() -> None:
    folder = Path(studio.__file__).parent / "starter"
    groups = {f"words.{group}" for one in folder.iterdir() for group in read_vocabulary(one)}
    assert groups == {key for key in WORDS if key.startswith("words.")}


@languages
def test_every_language_has_every_sentence_with_the_same_placeholders(language: str) -> None:
    words = catalogue(language)
    fields = {spec.name for task in TASKS.values() for spec in fields_of(task.request)}
    own = {f"field.{name}.{part}" for name in fields for part in ("title", "description")}
    own |= {f"task.{task}.title" for task in TASKS}
    for name in shipped.names():
        recipe = shipped.recipe(name)
        own |= {f"recipe.{name}.title", f"recipe.{name}.description"}
        # An input that is called like a field of a task has its words.
        for spec in (spec for spec in recipe.specs() if spec.name not in fields):
            own.add(f"recipe.{name}.{spec.name}.title")
            if spec.description:
                own.add(f"recipe.{name}.{spec.name}.description")
    assert set(WORDS) | own <= set(words), "missing"
    assert set(words) <= set(WORDS) | own, "left over"
    for key in WORDS:
        assert placeholders(words[key]) == placeholders(WORDS[key]), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_reads_as_markup(language: str) -> None:
    assert [key for key, words in catalogue(language).items() if set('<>&"\\') & set(words)] == []


def test_no_field_of_the_form_that_comes_with_the_page_reads_as_markup() -> None:
    first = next(iter(TASKS.values()))
    worded = {spec.name: spec.title + spec.description for spec in fields_of(first.request)}
    assert [name for name, words in worded.items() if set('%<>&"\\') & set(words)] == []


def test_a_missing_sentence_is_said_in_english_and_an_unknown_one_is_an_error() -> None:
    assert say("make.press", "de") != say("make.press")
    assert said("field.nothing.title", "Nothing", "de") == "Nothing"
    with pytest.raises(KeyError):
        say("nothing.of.the.kind")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("de-CH,de;q=0.9,en;q=0.8", "de"),
        ("nl,fr;q=0.5,ja;q=0.7", "ja"),
        ("zh-Hant-TW", "zh"),
        ("es;q=0,*", "en"),
        ("q=;;,", "en"),
        ("", "en"),
    ],
)
def test_a_browser_is_answered_in_the_language_it_asks_for(header: str, language: str) -> None:
    assert preferred(header) == language


def test_a_page_is_translated_and_its_tasks_keep_their_own_name_where_there_is_none() -> None:
    page = '<html lang="en">%%make.press|%%, %%task.some-thing.title|Some thing%%'
    assert translate(page, "de") == f'<html lang="de">{say("make.press", "de")}, Some thing'


#: How each language says "you", by the words of the other way, which no sentence may use. What
#: begins a sentence is left out in German, where "Sie" may be "they" there.
OTHER_WAY = {
    "de": r"(?<!^)(?<![.:!?] )\b(Sie|Ihnen|Ihr|Ihre[mnrs]?)\b",
    "es": r"(?i)\b(usted(es)?|pulse|suelte|elija|espere|describa|mire|redúzcalo|inténtelo)\b",
    "fr": r"(?i)\b(tu|toi|te|tes|t’\w+|appuie|dépose|choisis|décris|essaie|attends)\b",
    "zh": "您",
}
#: Sentences that begin with "they" or "their".
THEY = {
    "about.carry", "about.not", "receipt.says", "verify.how", "verify.empty.mark",
    "runs.table.how", "privacy.prompts",
    "bot.option.settings.tasks.allowed", "bot.option.settings.models.allowed",
}  # fmt: skip


@pytest.mark.parametrize("language", OTHER_WAY)
def test_every_language_says_you_in_one_way(language: str) -> None:
    words = catalogue(language)
    other = re.compile(OTHER_WAY[language])
    assert [key for key, sentence in words.items() if other.search(sentence)] == []
    if language == "de":
        begins = re.compile(r"(?:^|[.:!?] )(Sie|Ihnen|Ihr|Ihre[mnrs]?)\b")
        assert {key for key, sentence in words.items() if begins.search(sentence)} == THEY
