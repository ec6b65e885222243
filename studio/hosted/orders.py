"""From the studio's orders to a provider's calls, and from its answers to drafts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from studio.cards import Card
from studio.draft import Draft
from studio.elsewhere import Hosted, Prices
from studio.errors import InvalidRequest, Unavailable
from studio.families import Order
from studio.families.espeak.sentences import parts, sentences
from studio.formats import FORMATS
from studio.hosted.calls import Answer, Call, Painting, Speaking, Turn, Writing
from studio.provenance.encode import encode_picture
from studio.settings import Settings
from studio.tasks import TASKS
from studio.tasks.request import cleaned
from studio.tasks.text import turns
from studio.wording import CUT, asked_to_go_on, instruction
from studio.worker.decode_client import decoding
from studio.worker.report import Original


def call_of(card: Card, order: Order) -> Call:
    """What the provider of `card` is asked for `order`.

    Raises:
        InvalidRequest: if the studio has no way to ask a provider for such a thing.
    """
    source = card.studio.source
    make = _CALLS.get(order.task)
    if make is None or not isinstance(source, Hosted):
        raise InvalidRequest(
            f"{order.task} cannot be done by a model that runs elsewhere.",
            hint=f"Choose a model that runs here; `studio models show {card.name}` lists tasks.",
        )
    return make(source.model, order, card.studio.options)


def draft_of(
    card: Card, order: Order, call: Call, answer: Answer, folder: Path, settings: Settings
) -> tuple[Path, Original | None]:
    """Where in `folder` the answer is spooled as a draft; its file was opened by the decode child.

    Raises:
        InvalidRequest: if the tokens that it was allowed ran out before it wrote anything.
        Unavailable: if the provider sent something else than was asked for.
    """
    kind = TASKS[order.task].makes
    facts: dict[str, Any] = {"usage": _usage(card.studio.prices, call, answer)}
    if kind == "text":
        if answer.cut and not answer.text:
            raise InvalidRequest(
                f"{card.studio.title} thought until its tokens ran out, and wrote nothing.",
                hint="Allow more with max_tokens, or choose a model that does not think first.",
            )
        begun = str(order.request.get("beginning", ""))
        facts |= {"text": begun + cleaned(answer.text), "made with": _remarks(answer)}
        written = Draft("text", order.index, order.seed, facts=facts)
        return written.spool(folder), None
    file = folder / "answer"
    file.write_bytes(answer.media)
    try:
        with decoding(file, settings, kinds=(kind,)) as decoded:
            if decoded.content is None:
                raise InvalidRequest(decoded.damage)
            content = decoded.content
            facts |= content.facts
            place = Draft(kind, order.index, order.seed, content.arrays, facts).spool(folder)
            state = decoded.manifest.state
            original = Original(file, decoded.media_type, holds=state in ("trusted", "valid"))
            return place, None if state == "absent" else original
    except InvalidRequest as error:
        raise Unavailable(
            f"{card.studio.title} sent something that cannot be used. {error.message}",
            hint="Order it again; if it stays so, choose another model.",
        ) from None


def _usage(prices: Prices | None, call: Call, answer: Answer) -> dict[str, Any]:
    """What the note says of a call: which model answered, the tokens, and what that cost."""
    usage: dict[str, Any] = {"model": answer.model}
    if answer.input_tokens or answer.output_tokens:
        usage |= {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
    if prices is not None:
        characters = len(call.text) if isinstance(call, Speaking) else 0
        sent, came = answer.input_tokens, answer.output_tokens
        cost = prices.cost(sent=sent, came=came, characters=characters)
        usage |= {"cost": cost.amount, "currency": cost.currency}
    return usage


def _remarks(answer: Answer) -> list[str]:
    """What the note says of a text beside the tokens."""
    remarks = [CUT] if answer.cut else []
    if cleaned(answer.text) != answer.text:
        remarks.append("without characters that nobody can see or mean")
    return remarks


def _write(model: str, order: Order, options: Mapping[str, Any]) -> Writing:
    told = instruction(order.task, order.request)
    return Writing(
        model,
        [Turn(role, text) for role, text in asked_to_go_on(told)],
        told.system,
        order.request["max_tokens"],
        extra=options.get("request", {}),
        **_sampling(order, options),
    )


def _see(model: str, order: Order, options: Mapping[str, Any]) -> Writing:
    request = order.request
    asked = request.get("question") or request["prompt"] or "Describe this picture."
    return Writing(
        model,
        [
            *(Turn(role, text) for role, text in turns(request.get("history", ""))),
            Turn("user", asked, [_png(order.inputs["image"])]),
        ],
        most_tokens=request["max_tokens"],
        extra=options.get("request", {}),
        **_sampling(order, options),
    )


def _sampling(order: Order, options: Mapping[str, Any]) -> dict[str, Any]:
    """Some models take none of these, or not both; a card names those that its model takes."""
    return {name: order.request[name] for name in options.get("sampling", ())}


def _paint(model: str, order: Order, options: Mapping[str, Any]) -> Painting:
    request = order.request
    # No provider has a field for it, and all understand the words.
    unwanted = f"\n\nAvoid: {request['negative_prompt']}" if request["negative_prompt"] else ""
    return Painting(
        model,
        f"{request['prompt']}{unwanted}",
        (request["width"], request["height"]),
        _png(order.inputs["image"]) if "image" in order.inputs else None,
        options.get("request", {}),
    )


def _speak(model: str, order: Order, options: Mapping[str, Any]) -> Speaking:
    request = order.request
    text, count = request["text"], request["count"]
    if count > 1:
        text = " ".join(one.text for one in parts(sentences(text), count)[order.index])
    return Speaking(
        model,
        text,
        request["voice"] or options["voice"],
        request["speed"],
        options.get("request", {}),
    )


def _png(place: Path) -> bytes:
    """The pixels alone: whatever else was in the person's own file is nobody's business."""
    with tempfile.TemporaryDirectory(prefix="colophon-hosted-") as folder:
        file = Path(folder) / "picture.png"
        encode_picture(Draft.unspool(place), FORMATS["image", "png"], file)
        return file.read_bytes()


_CALLS: Mapping[str, Callable[[str, Order, Mapping[str, Any]], Call]] = MappingProxyType(
    {
        "text-to-image": _paint,
        "image-to-image": _paint,
        "text-to-speech": _speak,
        "text-generation": _write,
        "prompt-expansion": _write,
        "summarization": _write,
        "translation": _write,
        "text-rewriting": _write,
        "question-answering": _write,
        "image-to-text": _see,
        "visual-question-answering": _see,
    }
)
