"""The shelf of models as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markdown_it import MarkdownIt
from markupsafe import Markup

from studio.cards import ByHand, Hub, Imported
from studio.client import Model
from studio.elsewhere import Hosted
from studio.errors import StudioError
from studio.fitting import Fit
from studio.tasks import TASKS
from studio.words import said, say
from ui.draw import button, size
from ui.elsewhere import provider
from ui.explain import explain
from ui.markup import tag


def shelf(models: Sequence[Model], fits: Mapping[str, Fit], language: str) -> Markup:
    """The models that are here, then those that could be."""
    here = [model for model in models if model.installed]
    there = [model for model in models if not model.installed]
    return tag(
        "div",
        tag("h2", say("models.here", language)),
        *(_model(model, fits, language) for model in here),
        tag("h2", say("models.there", language)) if there else None,
        *(_model(model, fits, language) for model in there),
        class_="feed",
    )


def _model(model: Model, fits: Mapping[str, Fit], language: str) -> Markup:
    card, block = model.card, model.card.studio
    tasks = (said(f"task.{task}.title", TASKS[task].title, language) for task in block.tasks)
    facts = {
        "models.licence": card.licence,
        "models.size": _size(model, language),
    }
    if not isinstance(block.source, Hosted):
        memory = block.memory.weights + block.memory.working
        facts["models.memory"] = size(int(memory * 1e6))
        facts["models.fit"] = _fit(fits.get(card.name), language)
    rows = (tag("dt", say(key, language)) + tag("dd", text) for key, text in facts.items() if text)
    return tag(
        "article",
        tag(
            "header",
            tag("h3", block.title, class_="subject"),
            tag("p", " · ".join(filter(None, [*tasks, block.notice])), class_="quiet"),
        ),
        tag("dl", *rows, class_="receipt"),
        _state(model, language),
        tag(
            "details",
            tag("summary", say("models.card", language)),
            tag("div", _prose(card.prose), class_="prose", lang="en"),
            tag("h4", say("models.unchecked", language)) if block.unchecked else None,
            tag("ul", *(tag("li", fact) for fact in block.unchecked), class_="prose", lang="en"),
        ),
        class_="card",
        data_model=card.name,
    )


def _fit(fit: Fit | None, language: str) -> str:
    """Whether the model fits this machine, and if not, why."""
    match fit:
        case None:
            return ""
        case Fit(placement=None, why=why):
            return say("models.fits.not", language, why=why)
        case Fit(placement="full"):
            return say("models.fits", language)
        case Fit(placement=placement):
            return say("models.fits.slower", language, placement=placement)


def _state(model: Model, language: str) -> Markup | None:
    """How to get it, how far it is, or how to let it go; nothing for what ships with the studio."""
    card, source = model.card, model.card.studio.source
    if isinstance(source, Hosted):
        return provider(model, source, language)
    if isinstance(source, ByHand):
        if model.installed:
            return tag("p", say("models.by-hand.here", language), class_="quiet")
        how = tag("span", source.by_hand, lang="en")
        return tag("p", say("models.by-hand", language), " ", how, class_="quiet")
    if not isinstance(source, Hub | Imported):
        return tag("p", say("models.embedded", language), class_="quiet")
    title = card.studio.title
    if model.installed or isinstance(source, Imported):
        return _press(
            "remove", model, language, ask=say("models.remove.ask", language, title=title)
        )
    download = model.download
    if download is not None and download.runs:
        return tag(
            "div",
            tag(
                "p",
                say(
                    "models.comes" if download.total else "models.asked",
                    language,
                    done=size(download.done),
                    total=size(download.total),
                ),
                class_="stage",
                role="status",
            ),
            button(
                "stop",
                card.name,
                say("job.stop", language),
                say("models.stop.label", language, title=title),
            ),
            tag(
                "progress",
                aria_label=say("models.progress", language, title=title),
                max=download.total or 1,
                value=download.done if download.total else None,
            ),
            class_="row",
        )
    failed = download and download.error
    ask = say("models.get.ask", language, title=title, licence=card.licence)
    return tag(
        "div",
        explain(say("models.failed", language), StudioError.from_record(failed))
        if failed
        else None,
        tag("p", say("models.gated", language)) if source.gated else None,
        _press("get", model, language, ask=ask),
    )


def _press(action: str, model: Model, language: str, *, ask: str) -> Markup:
    title = model.card.studio.title
    return tag(
        "div",
        tag(
            "button",
            say(f"models.{action}", language),
            type="button",
            class_="press",
            data_action=action,
            data_id=model.card.name,
            data_ask=ask,
            aria_label=say(f"models.{action}.label", language, title=title),
        ),
        class_="row",
    )


def _size(model: Model, language: str) -> str:
    source = model.card.studio.source
    if not isinstance(source, Hub):
        return ""
    return size(source.bytes) if source.bytes else say("models.size.unknown", language)


def _prose(text: str) -> Markup:
    # Cards may be anybody's: raw HTML in them is shown, not run; headings begin below the page's.
    written = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    for level in (3, 2, 1):
        written = written.replace(f"<h{level}>", f"<h{level + 3}>")
        written = written.replace(f"</h{level}>", f"</h{level + 3}>")
    return Markup(written)  # noqa: S704 - the library has escaped it
