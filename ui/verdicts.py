"""Verdicts as HTML: one plain sentence, then what each layer says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from studio.errors import StudioError
from studio.provenance.verdict import Layer, Verdict
from studio.words import said, say
from ui.explain import explain
from ui.markup import tag


def verdict(found: Verdict, language: str) -> Markup:
    """One plain sentence, then what each layer says."""
    outcome = found.outcome.value
    return tag(
        "div",
        tag(
            "p",
            tag("strong", say(f"verdict.{outcome}", language)),
            " ",
            found.sentence,
            class_="sentence",
        ),
        tag("ul", *(_layer(layer, language) for layer in found.layers), class_="layers"),
        class_=f"verdict {outcome}",
        role="status",
    )


def checks(found: Sequence[tuple[str, Verdict | StudioError]], language: str) -> Markup:
    """The results for several files by name; where there are none, what can be found."""
    if found:
        return tag(
            "div", *(_check(name, result, language) for name, result in found), class_="feed"
        )
    return tag(
        "div",
        tag("h3", say("verify.empty", language)),
        tag(
            "dl",
            *(
                tag("dt", say(f"layer.{layer}", language))
                + tag("dd", say(f"verify.empty.{layer}", language))
                for layer in ("manifest", "mark", "fingerprint")
            ),
        ),
        tag("p", say("verify.empty.none", language)),
        class_="empty",
    )


def _check(name: str, result: Verdict | StudioError, language: str) -> Markup:
    body = (
        verdict(result, language)
        if isinstance(result, Verdict)
        else explain(say("error.check", language), result)
    )
    return tag("article", tag("h3", name, class_="subject"), body, class_="card")


def _layer(layer: Layer, language: str) -> Markup:
    details = [
        tag("dt", key.replace("_", " ")) + tag("dd", _plain(value, language))
        for key, value in layer.details.items()
        if _plain(value, language)
    ]
    return tag(
        "li",
        tag("span", said(f"layer.{layer.name}", layer.name, language), class_="name"),
        tag(
            "span",
            said(f"state.{layer.state}", layer.state, language),
            class_=f"state {layer.state}",
        ),
        tag("p", layer.summary),
        tag("details", tag("summary", say("verify.details", language)), tag("dl", *details))
        if details
        else None,
    )


def _plain(value: object, language: str) -> str:
    """A detail as people write it; empty where there is nothing to say."""
    match value:
        case None:
            return ""
        case bool():
            return say("detail.yes" if value else "detail.no", language)
        case float():
            return f"{value:.3g}"
        case Mapping():
            return "; ".join(
                f"{key} {_plain(part, language)}"
                for key, part in value.items()
                if _plain(part, language)
            )
        case list() | tuple():
            return ", ".join(_plain(part, language) for part in value)
        case _:
            return str(value)
