"""One artifact of the gallery as HTML: itself, its receipt, its family, and what to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from markupsafe import Markup

from studio.artifact import Artifact
from studio.errors import StudioError
from studio.fields import fields_of
from studio.gallery import Lineage
from studio.tasks import TASKS
from studio.tasks.request import kinds_of
from studio.words import said
from ui.copies import copies
from ui.draw import size
from ui.explain import explain
from ui.gallery_grid import ask, collect, face, page, press, subject
from ui.markup import tag
from ui.show import downloads, score, seen, shown
from ui.verdicts import verdict

if TYPE_CHECKING:
    from ui.gallery import Showing


def detail(showing: Showing) -> Markup:
    """Everything about the artifact that is open."""
    artifact = cast(Artifact, showing.detail)
    alt = showing.say("result.alt", subject=seen(artifact))
    return page(
        showing,
        press("back", showing.say("gallery.back")),
        tag(
            "article",
            tag("h2", subject(artifact), tabindex="-1"),
            tag(
                "div",
                tag("div", shown(showing.say, artifact, alt, showing.text), class_="media"),
                tag(
                    "div",
                    _presses(showing, artifact),
                    _receipt(showing, artifact),
                    _verdict(showing),
                ),
                class_="halves",
            ),
            score(showing.say, artifact),
            _order(showing, artifact),
            _uses(showing, artifact),
            _lineage(showing),
            _copies(showing, artifact),
            class_="card detail",
            data_artifact=artifact.id,
        ),
    )


def _presses(showing: Showing, artifact: Artifact) -> Markup:
    starred = artifact.keeping.starred
    whole = tag(
        "a",
        showing.say("gallery.download.note"),
        href=f"/api/v1/artifacts/{artifact.id}/note",
        download=f"colophon-{artifact.id[:8]}.json",
        class_="press",
    )
    again = tag(
        "a", showing.say("gallery.again"), href=f"/?again={artifact.id}", class_="press primary"
    )
    star = press(
        "star",
        showing.say("gallery.unstar" if starred else "gallery.star"),
        artifact.id,
        data_value="off" if starred else "on",
    )
    return tag(
        "div",
        tag("div", again, downloads(showing.say, artifact), whole, class_="row"),
        tag("p", showing.say("gallery.download.how"), class_="note"),
        tag(
            "div",
            star,
            press("verify", showing.say("result.verify"), artifact.id),
            press("like", showing.say("gallery.like"), artifact.id)
            if artifact.kind in ("image", "video", "mesh")
            else None,
            press("delete", showing.say("gallery.delete"), artifact.id),
            class_="row",
        ),
    )


def _receipt(showing: Showing, artifact: Artifact) -> Markup:
    """Everything that the note says, in words."""
    note = artifact.note
    task = TASKS.get(note.task)
    model = showing.models.get(note.card)
    title = said(f"task.{note.task}.title", task.title if task else note.task, showing.language)
    made = tag("time", data_seconds=note.created)
    rows: list[tuple[str, object]] = [
        (showing.say("make.task"), title),
        (
            showing.say("receipt.model"),
            f"{model.card.studio.title if model else note.card} ({note.revision[:12]})",
        ),
        (showing.say("receipt.seed"), note.seed),
        (showing.say("receipt.made"), made),
        (showing.say("receipt.file"), f"{artifact.media_type}, {size(artifact.size)}"),
    ]
    specs = fields_of(task.request) if task else ()
    told = {"seed", "count", "model", task.positional if task else ""}
    settings = [
        (said(f"field.{spec.name}.title", spec.title, showing.language), _value(showing, value))
        for spec in specs
        if spec.name not in told
        and (value := note.request.get(spec.name)) is not False
        and value not in (None, "", [], ())
    ]
    marks = [
        showing.say("receipt.mark.image")
        if name == "image"
        else showing.say("receipt.mark.other", name=name)
        for name in note.marks
    ]
    carried = ", ".join([*marks, showing.say("receipt.manifest")])
    rows += settings
    rows.append((showing.say("receipt.marks"), showing.say("receipt.says", marks=carried)))
    fine: list[tuple[str, object]] = [
        (showing.say("receipt.id"), artifact.id),
        (showing.say("receipt.sha"), artifact.sha256),
        (showing.say("receipt.draft"), note.draft_sha256),
        *(
            (showing.say("receipt.mark"), f"{mark['id']} · {mark['alg']} · {mark['psnr']:.1f} dB")
            for mark in note.marks.values()
            if "psnr" in mark
        ),
        *note.versions.items(),
        *((how, showing.say("detail.yes")) for how in note.made_with),
    ]
    return _rows(rows) + tag(
        "details", tag("summary", showing.say("verify.details")), _rows(fine), class_="fold"
    )


def _value(showing: Showing, value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return showing.say("detail.yes") if value is True else value


def _verdict(showing: Showing) -> Markup | None:
    match showing.verdict:
        case None:
            return None
        case StudioError() as error:
            return explain(showing.say("error.check"), error)
        case found:
            return verdict(found, showing.language)


def _rows(rows: list[tuple[str, object]]) -> Markup:
    parts = (tag("dt", name) + tag("dd", value) for name, value in rows)
    return tag("dl", *parts, class_="receipt")


def _order(showing: Showing, artifact: Artifact) -> Markup:
    """Tags and collections."""
    keeping = artifact.keeping
    field = tag(
        "input",
        name="value",
        value=", ".join(keeping.tags),
        placeholder=showing.say("gallery.tags.how"),
        aria_label=showing.say("gallery.tags"),
        autocomplete="off",
    )
    collections = showing.contents.collections if showing.contents else ()
    held = [
        tag("a", one.name, href=f"/gallery?collection={one.id}", class_="chip")
        for one in collections
        if one.id in keeping.collections
    ]
    return tag(
        "section",
        tag("h3", showing.say("gallery.order")),
        tag(
            "div",
            ask("tag", artifact.id, field, showing.say("gallery.tags.save")),
            collect(showing, artifact.id),
            *held,
            class_="row",
        ),
    )


def _uses(showing: Showing, artifact: Artifact) -> Markup | None:
    """The tasks that can begin with this artifact."""
    links = [
        tag(
            "a",
            said(f"task.{task.id}.title", task.title, showing.language)
            + f" · {said(f'field.{spec.name}.title', spec.title, showing.language)}",
            href=f"/?task={task.id}&{spec.name}={artifact.id}",
            class_="press",
        )
        for task in TASKS.values()
        for spec in fields_of(task.request)
        if spec.media not in (None, "mask") and artifact.kind in kinds_of(spec.media)
    ]
    if not links:
        return None
    return tag("section", tag("h3", showing.say("gallery.use")), tag("div", *links, class_="row"))


def _lineage(showing: Showing) -> Markup | None:
    """What it was made from and what was made from it, as two trees."""
    family = showing.lineage
    if family is None or not family.parents + family.children:
        return None
    trees = [
        tag("h4", showing.say(key)) + _tree(showing, members, way)
        for key, way, members in (
            ("gallery.parents", "parents", family.parents),
            ("gallery.children", "children", family.children),
        )
        if members
    ]
    more = tag("p", showing.say("gallery.more"), class_="note") if family.more else None
    return tag("section", tag("h3", showing.say("gallery.lineage")), *trees, more, class_="lineage")


def _tree(showing: Showing, members: tuple[Lineage, ...], way: str) -> Markup:
    def branch(member: Lineage) -> Markup:
        artifact = member.artifact
        if artifact is None:
            return tag("li", tag("span", showing.say("gallery.stranger"), class_="quiet"))
        link = tag(
            "a",
            face(showing, artifact),
            tag("span", subject(artifact)),
            href=f"/artifact/{artifact.id}",
            data_action="open",
            data_id=artifact.id,
        )
        further = getattr(member, way)
        return tag("li", link, _tree(showing, further, way) if further else None)

    return tag("ul", *map(branch, members))


def _copies(showing: Showing, artifact: Artifact) -> Markup | None:
    """The same order for every other way of ordering."""
    ways = [
        tag(
            "details",
            tag("summary", showing.say(f"gallery.copy.{way}")),
            tag("pre", text, tabindex="0"),
            press(
                "copy", showing.say("gallery.copy"), way, data_done=showing.say("gallery.copied")
            ),
            class_="fold",
            data_way=way,
        )
        for way, text in copies(artifact, showing.url).items()
    ]
    if not ways:
        return None
    how = tag("p", showing.say("gallery.copies.how"), class_="note")
    return tag("section", tag("h3", showing.say("gallery.copies")), how, *ways)
