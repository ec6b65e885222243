"""Conversations as HTML. What people and models write is Markdown, and never HTML."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from studio.errors import StudioError
from studio.job import JobState
from studio.talk import Conversation, Reply, Turn
from studio.words import say
from ui.explain import explain
from ui.markup import tag


def listed(conversations: Sequence[Conversation], chosen: str, language: str) -> Markup:
    """One's conversations, each a button that opens it, and one that begins another."""
    new = tag("button", say("talk.new", language), class_="press", data_action="new", data_id="")
    items = (
        tag(
            "li",
            tag(
                "button",
                one.title or say("talk.untitled", language),
                class_="press",
                data_action="open",
                data_id=one.id,
                aria_current="true" if one.id == chosen else None,
            ),
        )
        for one in conversations
    )
    return new + tag("ul", *items, class_="talks")


def conversation(
    found: Conversation | None, written: str, problem: StudioError | None, language: str
) -> Markup:
    """What was said; `written` is what there is so far of an answer on its way."""
    trouble = explain(say("talk.error", language), problem) if problem else Markup("")
    if found is None or not found.turns:
        empty = tag("h2", say("talk.empty", language)) + tag("p", say("talk.empty.how", language))
        return trouble + tag("div", empty, class_="empty")
    last = found.turns[-1].replies[-1]
    presses = [
        _press("talk.rename", "rename", found.id, language, "talk.rename.ask", found.title),
        _press("talk.delete", "delete", found.id, language, "talk.delete.ask"),
    ]
    if last.state.final:
        presses.insert(0, _press("talk.again", "again", found.id, language))
        if last.text and found.turns[-1].image is None:
            presses.insert(0, _press("talk.on", "on", found.id, language))
    else:
        presses.insert(0, _press("talk.stop", "stop", last.job, language))
    export = (
        tag("a", name, href=f"/api/v1/conversations/{found.id}/export?as={form}", download=True)
        for form, name in (("md", "Markdown"), ("json", "JSON"))
    )
    said = (_turn(turn, written, language) for turn in found.turns)
    return (
        tag("h2", found.title)
        + tag("div", *said, class_="talk", role="log", aria_label=found.title)
        + trouble
        + tag("div", *presses, *export, class_="actions")
    )


def _turn(turn: Turn, written: str, language: str) -> Markup:
    *earlier, last = turn.replies
    return tag(
        "article",
        tag("h3", say("talk.you", language)),
        tag("div", _rendered(turn.text), class_="said"),
        tag("p", say("talk.pictured", language), class_="quiet") if turn.image else None,
        tag(
            "details",
            tag("summary", say("talk.earlier", language, count=len(earlier))),
            *(_reply(reply, "", language) for reply in earlier),
        )
        if earlier
        else None,
        _reply(last, written, language),
    )


def _reply(reply: Reply, written: str, language: str) -> Markup:
    state = {
        JobState.CANCELLED: say("talk.stopped", language),
        JobState.WAITING: say("talk.writing", language),
        JobState.RUNNING: say("talk.writing", language),
    }.get(reply.state)
    signed = tag("a", say("talk.signed", language), href=f"/artifact/{reply.artifact}")
    return tag(
        "section",
        tag("h4", reply.card),
        tag("div", _rendered(reply.text or written), class_="said"),
        tag("p", state, class_="quiet") if state else None,
        explain(say("talk.error", language), StudioError.from_record(reply.error))
        if reply.error and reply.state is JobState.FAILED
        else None,
        *(tag("p", remark, class_="quiet", lang="en") for remark in reply.remarks),
        tag("p", signed, class_="quiet") if reply.artifact else None,
    )


def _press(
    key: str,
    action: str,
    identity: str,
    language: str,
    ask: str | None = None,
    value: str | None = None,
) -> Markup:
    """A button; before it does anything it may `ask`, for another `value` if there is one."""
    return tag(
        "button",
        say(key, language),
        class_="press",
        data_action=action,
        data_id=identity,
        data_ask=say(ask, language) if ask else None,
        data_value=value,
    )


def _rendered(text: str) -> Markup:
    return Markup(_markdown().render(text))  # noqa: S704 - HTML in it was escaped


@cache
def _markdown() -> MarkdownIt:
    # No pictures: they would be fetched from wherever a model says. Headings are the page's own.
    rules = ["image", "heading", "lheading", "html_block", "html_inline"]
    return MarkdownIt("commonmark", {"html": False}).disable(rules)
