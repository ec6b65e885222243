"""The gallery as HTML: the search and its filters, the grid, what is ticked, two compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from markupsafe import Markup

from studio.artifact import Artifact
from studio.tasks import TASKS
from studio.words import said
from ui.explain import explain
from ui.markup import tag
from ui.show import about, file_of, preview_of, seen

if TYPE_CHECKING:
    from ui.gallery import Showing


def subject(artifact: Artifact) -> str:
    """What an artifact is of."""
    return about(artifact.note.task, artifact.note.request)


def press(action: str, text: str, target: str = "", **attributes: object) -> Markup:
    """A button that asks for `action`."""
    return tag(
        "button",
        text,
        type="button",
        class_="press",
        data_action=action,
        data_id=target,
        **attributes,
    )


def ask(action: str, target: str, field: Markup, text: str) -> Markup:
    """A form of one field whose value `action` is asked with."""
    button = tag("button", text, class_="press")
    return tag("form", field, button, class_="ask", data_action=action, data_id=target)


def bar(showing: Showing) -> Markup:
    """What is looked for, and what can be asked for besides; nothing beside a single work."""
    where, contents = showing.where, showing.contents
    alone = showing.detail or showing.compared
    if alone or contents is None or not contents.total + contents.binned:
        return Markup("")
    search = tag(
        "input",
        type="search",
        id="gallery-search",
        value=where.search,
        placeholder=showing.say("gallery.search.how"),
        aria_label=showing.say("gallery.search"),
        maxlength=1000,
        autocomplete="off",
    )
    cards = {name: model.card.studio.title for name, model in showing.models.items()}
    tasks = {
        name: said(f"task.{name}.title", TASKS[name].title, showing.language)
        for name in contents.tasks
        if name in TASKS
    }
    kinds = {kind: showing.say(f"gallery.kind.{kind}") for kind in contents.kinds}
    lists = {one.id: one.size for one in contents.collections}
    names = {one.id: one.name for one in contents.collections}
    menus = [
        _menu(showing, "kind", contents.kinds, kinds),
        _menu(showing, "task", contents.tasks, tasks),
        _menu(showing, "card", contents.cards, cards),
        _menu(showing, "tag", contents.tags, {}),
    ]
    folded = tag(
        "details",
        tag("summary", showing.say("gallery.filters"), class_="press"),
        tag("div", *menus, *_dates(showing), class_="menus"),
        open=any((where.kind, where.task, where.card, where.tag, where.since, where.until)),
    )
    starred, binned = showing.say("gallery.starred"), showing.say("gallery.binned")
    toggles = [
        _meaning(showing),
        _toggle("starred", starred, where.starred, contents.starred),
        _toggle("binned", binned, where.binned, contents.binned),
    ]
    return tag(
        "div",
        tag("form", search, class_="search", role="search", data_action="search"),
        _menu(showing, "collection", lists, names, least=1),
        *toggles,
        folded,
        class_="bar",
    )


def _menu(
    showing: Showing,
    name: str,
    sizes: Mapping[str, int],
    titles: Mapping[str, str],
    *,
    least: int = 2,
) -> Markup | None:
    """A filter as a menu; none where there is nothing to choose."""
    chosen = getattr(showing.where, name)
    if len(sizes) < least and not chosen:
        return None
    offered = dict(sizes) | ({chosen: 0} if chosen and chosen not in sizes else {})
    options = (
        tag(
            "option",
            f"{titles.get(value, value)} ({count})",
            value=value,
            selected=value == chosen,
        )
        for value, count in offered.items()
    )
    return tag(
        "label",
        tag("span", showing.say(f"gallery.filter.{name}")),
        tag(
            "select",
            tag("option", showing.say("gallery.all"), value=""),
            *options,
            data_filter=name,
        ),
    )


def _dates(showing: Showing) -> Iterable[Markup]:
    for name in ("since", "until"):
        seconds = getattr(showing.where, name)
        field = tag("input", type="date", data_filter=name, data_seconds=seconds)
        yield tag("label", tag("span", showing.say(f"gallery.filter.{name}")), field)


def _meaning(showing: Showing) -> Markup:
    """The switch by which the search is by what pictures show, instead of what was said of them."""
    return press(
        "meaning",
        showing.say("gallery.meaning"),
        data_value="" if showing.meaning else "true",
        aria_pressed="true" if showing.meaning else "false",
    )


def _toggle(name: str, text: str, on: bool, count: int) -> Markup | None:
    if not count and not on:
        return None
    return tag(
        "button",
        f"{text} ({count})",
        type="button",
        class_="press toggle",
        aria_pressed="true" if on else "false",
        data_action="filter",
        data_id=name,
        data_value="" if on else "true",
    )


def grid(showing: Showing) -> Markup:
    """A page of artifacts, and what can be done with those that are ticked."""
    contents = showing.contents
    tiles = tag("ul", *(_tile(showing, one) for one in showing.artifacts), class_="tiles")
    return page(
        showing,
        _collection(showing),
        _alike(showing) if showing.like else None,
        tag("p", showing.say("gallery.unseen", count=showing.unseen), class_="note")
        if showing.unseen
        else None,
        tag("p", showing.say("gallery.bin.how"), class_="note") if showing.where.binned else None,
        tiles if showing.artifacts else None,
        _empty(showing) if contents and not showing.artifacts and not showing.problem else None,
        press("clear", showing.say("gallery.clear"))
        if showing.problem and not showing.artifacts
        else None,
        tag(
            "nav",
            press("newer", showing.say("gallery.newer")) if len(showing.trail) > 1 else None,
            press("older", showing.say("gallery.older")) if showing.older else None,
            class_="row",
            aria_label=showing.say("gallery.pages"),
        ),
    )


def page(showing: Showing, *parts: Markup | None) -> Markup:
    """One view of the gallery: what went wrong or can be undone, then its parts."""
    undo = None
    if showing.thrown:
        count = len(showing.thrown)
        key = "gallery.thrown.one" if count == 1 else "gallery.thrown.many"
        undo = tag(
            "div",
            tag("span", showing.say(key, count=count)),
            press("undo", showing.say("gallery.undo")),
            class_="toast",
        )
    problem = explain(showing.say("error.gallery"), showing.problem) if showing.problem else None
    return tag(
        "div", problem, *parts, tag("div", undo, role="status"), data_address=showing.address
    )


def _tile(showing: Showing, artifact: Artifact) -> Markup:
    name = subject(artifact)
    starred = artifact.keeping.starred
    star = tag(
        "button",
        "★" if starred else "☆",
        type="button",
        class_="star",
        data_action="star",
        data_id=artifact.id,
        data_value="off" if starred else "on",
        aria_pressed="true" if starred else "false",
        aria_label=showing.say("gallery.star.label", subject=name),
    )
    tick = tag(
        "input",
        type="checkbox",
        data_action="select",
        data_id=artifact.id,
        checked=artifact.id in showing.selected,
        aria_label=showing.say("gallery.select.label", subject=name),
    )
    inside = (face(showing, artifact), tag("span", name, class_="subject"))
    return tag(
        "li",
        tag("div", *inside, class_="way")
        if showing.where.binned
        else tag(
            "a", *inside, href=f"/artifact/{artifact.id}", data_action="open", data_id=artifact.id
        ),
        tick,
        None if showing.where.binned else star,
        class_="tile",
        data_artifact=artifact.id,
    )


def face(showing: Showing, artifact: Artifact) -> Markup:
    """What stands for an artifact: its preview, or what kind of thing it is."""
    kind = showing.say(f"gallery.kind.{artifact.kind}")
    if artifact.kind != "text" and artifact.keeping.deleted is None:
        alt = showing.say("result.alt", subject=seen(artifact))
        return tag("img", src=preview_of(artifact), alt=alt, loading="lazy", decoding="async")
    return tag("span", kind, class_=f"face {artifact.kind}")


def picked(showing: Showing) -> Markup:
    """What can be done with what is ticked."""
    count = len(showing.selected)
    if not count or showing.detail or showing.compared:
        return Markup("")
    pictures = [one for one in showing.selected.values() if one.kind == "image"]
    presses: list[Markup | None] = [tag("strong", showing.say("gallery.selected", count=count))]
    if showing.where.binned:
        presses.append(press("restore", showing.say("gallery.restore")))
    else:
        presses += [
            press("star", showing.say("gallery.star"), data_value="on"),
            press("compare", showing.say("gallery.compare"))
            if count == 2 == len(pictures)
            else None,
            collect(showing, ""),
            press("uncollect", showing.say("gallery.uncollect"))
            if showing.where.collection
            else None,
            press("delete", showing.say("gallery.delete")),
        ]
    presses.append(press("select-none", showing.say("gallery.select.none")))
    return tag("div", *presses, class_="selection", aria_label=showing.say("gallery.selection"))


def collect(showing: Showing, target: str) -> Markup:
    """The form that puts something into a collection, old or new."""
    collections = showing.contents.collections if showing.contents else ()
    label = showing.say("gallery.collect.which")
    field = tag(
        "input",
        name="value",
        list="collections",
        placeholder=label,
        aria_label=label,
        required=True,
        maxlength=80,
        autocomplete="off",
    )
    known = tag(
        "datalist", *(tag("option", value=one.name) for one in collections), id="collections"
    )
    return ask("collect", target, field + known, showing.say("gallery.collect"))


def _collection(showing: Showing) -> Markup | None:
    """The collection that is looked at: its name, and what can be done with the list."""
    collections = showing.contents.collections if showing.contents else ()
    found = next((one for one in collections if one.id == showing.where.collection), None)
    if found is None:
        return None
    field = tag(
        "input",
        name="value",
        value=found.name,
        aria_label=showing.say("gallery.rename.label"),
        required=True,
        maxlength=80,
    )
    return tag(
        "div",
        tag("h2", found.name),
        tag(
            "details",
            tag("summary", showing.say("gallery.collection.change"), class_="press"),
            tag(
                "div",
                ask("rename", "", field, showing.say("gallery.rename")),
                press("forget", showing.say("gallery.forget")),
                class_="row",
            ),
        ),
        class_="collection",
    )


def _alike(showing: Showing) -> Markup:
    """What is shown when a picture is looked for by another one."""
    how = tag("p", showing.say("gallery.like.how"), class_="note")
    return tag("div", how, press("clear", showing.say("gallery.clear")), class_="row")


def _empty(showing: Showing) -> Markup:
    """Why nothing is shown, and how that changes."""
    if showing.contents and not showing.contents.total and not showing.where.binned:
        lines = [
            tag("h2", showing.say("gallery.empty")),
            tag("p", showing.say("gallery.empty.how")),
            tag("a", showing.say("gallery.empty.make"), href="/", class_="press"),
        ]
    else:
        lines = [
            tag("h2", showing.say("gallery.none")),
            tag("p", showing.say("gallery.none.how")),
            press("clear", showing.say("gallery.clear")),
        ]
    return tag("div", *lines, class_="empty")


def compared(showing: Showing) -> Markup:
    """Two pictures, one over the other, and a slider between them."""
    back = press("back", showing.say("gallery.back"))
    over, under = showing.compared
    pictures = [
        tag("img", src=file_of(one), alt=showing.say("result.alt", subject=seen(one)))
        for one in (under, over)
    ]
    slider = tag(
        "input",
        type="range",
        min=0,
        max=100,
        value=50,
        aria_label=showing.say("gallery.compare.slider"),
        data_split=True,
    )
    names = [
        tag("span", tag("strong", showing.say(key)), " ", subject(one), f" · {one.note.seed}")
        for key, one in (("gallery.compare.left", over), ("gallery.compare.right", under))
    ]
    return page(
        showing,
        back,
        tag(
            "figure",
            tag("div", *pictures, class_="pair"),
            slider,
            tag("figcaption", *names),
            class_="compare",
        ),
    )
