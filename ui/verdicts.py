"""Verdicts as HTML: one plain sentence, then what each layer says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from studio.errors import StudioError
from studio.provenance.verdict import Layer, Verdict
from ui.explain import explain
from ui.markup import tag
from ui.words import ENGLISH, say


def verdict(found: Verdict) -> Markup:
    """One plain sentence, then what each layer says."""
    outcome = found.outcome.value
    return tag(
        "div",
        tag("p", tag("strong", say(f"verdict.{outcome}")), " ", found.sentence, class_="sentence"),
        tag("ul", *(_layer(layer) for layer in found.layers), class_="layers"),
        class_=f"verdict {outcome}",
        role="status",
    )


def checks(found: Sequence[tuple[str, Verdict | StudioError]]) -> Markup:
    """The results for several files by name; where there are none, what can be found."""
    if found:
        return tag("div", *(_check(name, result) for name, result in found), class_="feed")
    return tag(
        "div",
        tag("h3", say("verify.empty")),
        tag(
            "dl",
            *(
                tag("dt", say(f"layer.{layer}")) + tag("dd", say(f"verify.empty.{layer}"))
                for layer in ("manifest", "mark", "fingerprint")
            ),
        ),
        tag("p", say("verify.empty.none")),
        class_="empty",
    )


def _check(name: str, result: Verdict | StudioError) -> Markup:
    body = verdict(result) if isinstance(result, Verdict) else explain(say("error.check"), result)
    return tag("article", tag("h3", name, class_="subject"), body, class_="card")


def _layer(layer: Layer) -> Markup:
    details = [
        tag("dt", key.replace("_", " ")) + tag("dd", _plain(value))
        for key, value in layer.details.items()
        if _plain(value)
    ]
    return tag(
        "li",
        tag("span", _named(f"layer.{layer.name}", layer.name), class_="name"),
        tag("span", _named(f"state.{layer.state}", layer.state), class_=f"state {layer.state}"),
        tag("p", layer.summary),
        tag("details", tag("summary", say("verify.details")), tag("dl", *details))
        if details
        else None,
    )


def _plain(value: object) -> str:
    """A detail as people write it; empty where there is nothing to say."""
    match value:
        case None:
            return ""
        case bool():
            return say("detail.yes" if value else "detail.no")
        case float():
            return f"{value:.3g}"
        case Mapping():
            return "; ".join(f"{key} {_plain(part)}" for key, part in value.items() if _plain(part))
        case list() | tuple():
            return ", ".join(map(_plain, value))
        case _:
            return str(value)


def _named(key: str, otherwise: str) -> str:
    """The catalogue's word; a layer or state that a newer studio reports keeps its own."""
    return say(key) if key in ENGLISH else otherwise
