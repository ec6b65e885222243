"""Finding what was made among thousands, keeping it in order, and throwing it away."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Callable

import pytest

from studio.artifact import Artifact
from studio.artifacts import ArtifactStore
from studio.errors import InvalidRequest, NotFound
from studio.gallery import Filter, Lineage
from studio.search import words
from tests.artifacts.conftest import BEGAN, artifact, write

Publish = Callable[..., Artifact]
COLOURS = ("yellow", "red", "blue", "green", "black")
SHAPES = ("star", "circle", "square")


@pytest.fixture
def full(store: ArtifactStore) -> ArtifactStore:
    """A store of 3,000: two in three are Ann's, the others Bob's."""
    for number in range(3000):
        prompt = f"a {COLOURS[number % 5]} {SHAPES[number % 7 % 3]} number {number}"
        owner = "bob" if number % 3 == 2 else "ann"
        card = "noise" if number % 2 else "twins"
        write(store, artifact(number, prompt, owner=owner, card=card))
    assert store.rebuild() == 3000
    return store


def found(store: ArtifactStore, owner: str = "ann", **where: object) -> list[str]:
    """The prompts of everything that a filter lets through."""
    listed = store.list(owner, Filter.model_validate(where), limit=5000)
    return [one.note.request["prompt"] for one in listed]


def test_pages_of_every_filter_meet_without_gap_or_overlap(full: ArtifactStore) -> None:
    for where in (
        Filter(),
        Filter(search="star"),
        Filter(card="twins"),
        Filter(search="star", card="twins"),
        Filter(kind="image", card="noise", since=BEGAN + 6000, until=BEGAN + 60_000),
    ):
        everything = [one.id for one in full.list("ann", where, limit=5000)]
        paged: list[str] = []
        while page := full.list("ann", where, limit=97, before=paged[-1] if paged else None):
            paged += [one.id for one in page]
        assert paged == everything
        assert len(everything) > 97


def test_filters_say_what_a_walk_over_everything_would(full: ArtifactStore) -> None:
    everything = full.list("ann", limit=5000)
    assert len(everything) == full.contents("ann").total == 2000
    assert [one.note.created for one in everything] == sorted(
        (one.note.created for one in everything), reverse=True
    )
    for one in random.Random(1).sample(everything, 40):
        full.keep(one.id, starred=True, tags=("best",))
    starred = full.list("ann", Filter(starred=True), limit=5000)
    assert len(starred) == 40 == full.contents("ann").starred
    assert starred == full.list("ann", Filter(tag="best"), limit=5000)
    both = full.list("ann", Filter(starred=True, card="twins", search="star"), limit=5000)
    assert both == [
        one
        for one in starred
        if one.note.card == "twins" and " star " in one.note.request["prompt"]
    ]
    since, until = BEGAN + 60 * 100, BEGAN + 60 * 200
    dated = full.list("ann", Filter(since=since, until=until), limit=5000)
    assert [one.note.seed for one in dated] == [n for n in range(199, 99, -1) if n % 3 != 2]
    assert full.list("ann", Filter(card="no such"), limit=9) == []


def test_what_is_somebody_elses_is_nowhere(full: ArtifactStore) -> None:
    assert not set(found(full)) & set(found(full, "bob"))
    bobs = full.list("bob", limit=1)[0]
    number = f"number {bobs.note.seed}"
    assert found(full, search=number) == []
    assert len(found(full, "bob", search=number)) == 1
    assert found(full, "bob' OR 1", search="star") == []
    assert full.contents("eve").total == 0
    with pytest.raises(NotFound):
        full.list("ann", limit=5, before=bobs.id)
    full.keep(bobs.id, tags=("private",))
    assert "private" not in full.contents("ann").tags
    assert found(full, search="private") == []


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("star", "ab"),
        ("STAR yell", "a"),
        ('"yellow star"', "a"),
        ('"star yellow"', ""),
        ('"yell"', ""),
        ("noise", "abcdef"),
        ("blurry", ""),
        ("café", "c"),
        ("cafe", "c"),
        ("猫", "d"),
        ("黄色い猫", "d"),
        ("色猫", ""),
        ("🌟", "e"),
        ("🌟 🚀", "e"),
        ("don't", "f"),
        ("NOT star", ""),
        ("star OR cafe", ""),
        ('"', ""),
        ('star"', "ab"),
        ("star*", "ab"),
        ("text:star", ""),
        ("(star", "ab"),
        ("owner : x", ""),
        ("-star", "ab"),
        ("!!!", ""),
        ("'; DROP TABLE words; --", ""),
        ("\x00star\u202e", "ab"),
        ("   ", "abcdef"),
    ],
)
def test_any_search_in_any_script_is_only_a_search(
    store: ArtifactStore, published: Publish, search: str, expected: str
) -> None:
    prompts = {
        "a": "a yellow star",
        "b": "a red star",
        "c": "a CAFÉ at night",
        "d": "黄色い猫が座る",
        "e": "to the 🌟 with a 🚀",
        "f": "don't look (back)",
    }
    for prompt in prompts.values():
        published(prompt)
    assert sorted(found(store, search=search)) == sorted(prompts[name] for name in expected)


def test_words_are_cut_as_people_would() -> None:
    assert words("Ein Übermaß, naïve 3D") == ["ein", "übermass", "naïve", "3d"]
    assert words("東京tower") == ["東", "京", "tower"]


def test_collections_are_lists(store: ArtifactStore, published: Publish) -> None:
    one, two = published("one"), published("two")
    best = store.collections.create("ann", "  The \n best ")
    assert (best.name, best.size) == ("The best", 0)
    for name in ("The best", "", "x" * 81, "a\u202eb", "\x00"):
        with pytest.raises(InvalidRequest):
            store.collections.create("ann", name)
    store.collections.create("bob", "The best")
    store.keep(one.id, collections=(best.id,))
    assert found(store, collection=best.id) == ["one"]
    assert found(store, "bob", collection=best.id) == []
    assert store.collections.get("ann", best.id).size == 1
    for verb in (store.collections.get, store.collections.delete):
        with pytest.raises(NotFound):
            verb("bob", best.id)
    # Each alone, so that two at once leave it in both.
    other = store.collections.create("ann", "Others")
    for _ in range(2):
        held = store.collect(one.id, other.id, held=True).keeping.collections
        assert held == (best.id, other.id)
    assert store.collect(one.id, other.id, held=False).keeping.collections == (best.id,)
    store.collections.delete("ann", other.id)
    assert store.collections.rename("ann", best.id, "Better").name == "Better"
    store.collections.delete("ann", best.id)
    assert store.contents("ann").collections == ()
    assert found(store) == ["two", "one"]
    assert two.keeping.collections == ()


def test_what_is_deleted_waits_in_the_bin(store: ArtifactStore, published: Publish) -> None:
    kept, gone = published("kept"), published("gone", job="a" * 32)
    store.keep(gone.id, starred=True)
    store.keep(gone.id, deleted=time.time())
    for look in (store.get, store.path, store.lineage):
        with pytest.raises(NotFound):
            look(gone.id)
    assert found(store) == ["kept"]
    assert found(store, search="gone") == found(store, starred=True) == []
    assert found(store, binned=True) == ["gone"]
    assert (store.contents("ann").total, store.contents("ann").binned) == (1, 1)
    # A job that runs again must not make anew what its owner threw away.
    assert store.of_job("a" * 32) == {0: gone.id}
    assert store.list("ann", limit=9, before=gone.id) == [kept]
    restored = store.keep(gone.id, deleted=None)
    assert (store.path(gone.id).read_bytes(), restored.keeping.starred) == (b"file", True)
    assert found(store, starred=True, search="gone") == ["gone"]


def test_emptying_the_bin_is_for_ever(store: ArtifactStore, published: Publish) -> None:
    kept, young, old = published("kept"), published("young"), published("old")
    store.keep(young.id, deleted=200.0)
    store.keep(old.id, deleted=100.0)
    store.preview(kept.id, lambda _: b"small")
    assert store.empty(before=150.0) == 1
    assert store.contents("ann").binned == 1
    assert list(store.folder.glob(f"??/{old.id}*")) == []
    assert len(list(store.folder.glob(f"??/{kept.id}*"))) == 3
    with pytest.raises(NotFound):
        store.keep(old.id, deleted=None)
    store.rebuild()
    assert found(store, binned=True) == ["young"]


def test_everything_comes_back_from_the_files(full: ArtifactStore) -> None:
    some = full.list("ann", limit=6)
    best = full.collections.create("ann", "Best")
    full.keep(some[0].id, starred=True, tags=("a tag",), collections=(best.id,))
    full.keep(some[1].id, deleted=5.0)
    before = (full.contents("ann"), full.list("ann", limit=5000), found(full, binned=True))
    for name in ("artifacts", "words", "facets"):
        with sqlite3.connect(full.folder / "index.sqlite") as database:
            database.execute(f"DROP TABLE {name}")
        full.rebuild()
        assert before == (
            full.contents("ann"),
            full.list("ann", limit=5000),
            found(full, binned=True),
        )
    assert found(full, search="tag") == [some[0].note.request["prompt"]]


def test_a_home_from_before_opens(store: ArtifactStore, published: Publish) -> None:
    """The index of 0.1 had one table, and notes said nothing of how they were kept."""
    one = published("a yellow star")
    store.close()
    for path in store.folder.glob("index.sqlite*"):
        path.unlink()
    with sqlite3.connect(store.folder / "index.sqlite") as database:
        database.execute(
            "CREATE TABLE artifacts (id TEXT PRIMARY KEY, job TEXT NOT NULL, place INTEGER "
            "NOT NULL, owner TEXT NOT NULL, created REAL NOT NULL, record TEXT NOT NULL) STRICT"
        )
        database.execute("CREATE INDEX artifacts_job ON artifacts (job, place)")
        database.execute(
            "INSERT INTO artifacts VALUES (?, 'j', 0, 'ann', 1.0, ?)", (one.id, json.dumps({}))
        )
    database.close()
    reopened = ArtifactStore(store.folder)
    assert reopened.list("ann", Filter(search="star"), limit=9) == [one]
    reopened.close()


def test_a_family_is_told_as_far_as_it_is_ones_own(
    store: ArtifactStore, published: Publish
) -> None:
    stranger = published("bob's", owner="bob")
    parent = published("parent", parents=(stranger.id, "0" * 32))
    child = published("child", parents=(parent.id,))
    published("bob's child", owner="bob", parents=(parent.id,))
    gone = published("gone", parents=(parent.id,))
    store.keep(gone.id, deleted=1.0)
    assert store.lineage(parent.id) == Lineage(
        parent, (Lineage(None), Lineage(None)), (Lineage(child),)
    )
    assert store.lineage(child.id).parents[0].artifact == parent
    for number in range(30):
        published(f"many {number}", parents=(child.id,))
    assert store.lineage(child.id).more
    assert len(store.lineage(child.id).children) == 24
