"""The judge of whole scenes: what its verdicts hold of a reading."""

from __future__ import annotations

from dataclasses import replace

from judge.scenes import Found, Reading, score, setting_of
from supply import Order, make
from world.scene import Group, Scene, Thing


def perfect(scene: Scene) -> Reading:
    """What a judge reads that makes no mistake."""
    found = tuple(
        Found(group.kind, group.colour, thing.x, thing.y)
        for group in scene.groups
        for thing in group.things
    )
    return Reading(found, scene.style, setting_of(scene), scene.time, scene.weather)


def row(kind: str, colour: str, count: int, y: float) -> Group:
    """Things beside each other."""
    return Group(kind, colour, tuple(Thing(0.2 + 0.3 * n, y, 0.1) for n in range(count)))


def test_a_perfect_reading_is_perfect() -> None:
    picked, _, _ = make(Order(32, 9), 200)
    for scene in picked:
        assert score(scene, perfect(scene))["all"] == [True]
        nothing = score(scene, replace(perfect(scene), things=()))
        assert nothing["object"] == nothing["each"] == [False] * len(scene.groups)
        assert nothing["all"] == [False]


def test_something_else_in_a_things_place_is_a_mistake() -> None:
    scene = Scene((row("tree", "green", 3, 0.5),), background="white")
    house, car = Found("house", "green", 0.5, 0.5), Found("car", "green", 0.8, 0.5)
    verdict = score(scene, replace(perfect(scene), things=(*perfect(scene).things[:1], house, car)))
    assert verdict["count"] == [True]
    assert verdict["object"] == [True]
    assert verdict["each"] == [False]
    assert verdict["all"] == [False]


def test_each_kind_has_its_own_number() -> None:
    cats, fish = row("cat", "red", 2, 0.2), row("fish", "blue", 2, 0.8)
    scene = Scene((cats, fish), background="white", relation="above")
    one, _, *rest = perfect(scene).things
    verdict = score(
        scene, replace(perfect(scene), things=(one, *rest, Found("fish", "blue", 0.8, 0.8)))
    )
    assert verdict["count"] == [True]
    assert verdict["object"] == [True, True]
    assert verdict["each"] == [False, False]
    assert verdict["all"] == [False]
