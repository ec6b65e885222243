"""The family `transformers-vision`: models that look at pictures, and say or compare what they see.

Models that write (BLIP-2, LLaVA, Idefics3 and others of their kind) are shown a picture within a
conversation, through their own chat template; those that compare (CLIP, SigLIP) are in
`transformers_matching`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.families import Model, Order, Progress, Spec
from studio.families.transformers_folder import beside, model_of, opening
from studio.families.transformers_matching import Matcher, picture_of
from studio.families.transformers_tokens import write
from studio.tasks.text import turns

_MATCHING = ("clip", "siglip", "siglip2")
_DESCRIBE = "Describe this picture."


class TransformersVision:
    """Loads vision-language models.

    Card options: `prompts`, by task, what a model without a chat template reads, in which `{asked}`
    is what the person wrote, as in `Question: {asked} Answer:`; `wording`, what a model that
    compares makes of a label, as in `a photo of a {}`.
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused, or a package
                that the model's processor needs.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            matching = beside(AutoConfig, spec).model_type in _MATCHING
            processor = beside(AutoProcessor, spec)
            model = model_of(
                AutoModel if matching else AutoModelForImageTextToText, spec, device, placement
            )
        if matching:
            return Matcher(spec.name, model, processor, spec.options)
        return Observer(spec.name, model, processor, spec.options)


#: Who spoke, and what.
Turn = tuple[str, str]


def _earlier(order: Order) -> Sequence[Turn]:
    """What was asked and answered before."""
    return turns(order.request.get("history", ""))


class Observer:
    """A model in memory that writes what it sees."""

    def __init__(self, name: str, model: Any, processor: Any, options: Mapping[str, Any]) -> None:
        self._name = name
        self._model = model
        self._processor = processor
        self._tokenizer = processor.tokenizer
        # From the left, so that every row goes on where its own words end.
        self._tokenizer.padding_side = "left"
        self._options = options

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Text drafts; one step is one token of each. Deltas are told as soon as they are letters.

        The facts hold `usage`: the tokens that went in, the picture's among them, and came out.

        Raises:
            InvalidRequest: if an order does not fit the model's window.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        told = [self._told(order) for order in batch]
        inputs = self._inputs(batch, told)
        read = inputs["attention_mask"].sum(dim=1).tolist()
        most = [
            self._room(order, length, inputs["input_ids"].shape[1])
            for order, length in zip(batch, read, strict=True)
        ]
        writers = write(self._name, self._model, self._tokenizer, batch, most, inputs, progress)
        for order, length, heard, writer in zip(batch, read, told, writers, strict=True):
            usage = {"input_tokens": length, "output_tokens": len(writer.tokens)}
            remarks = writer.remarks(order)
            if forgotten := len(_earlier(order)) - len(heard):
                remarks.insert(0, f"without the oldest {forgotten} turns of the conversation")
            facts = {"text": writer.text.strip(), "usage": usage, "made with": remarks}
            yield Draft("text", order.index, order.seed, facts=facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _told(self, order: Order) -> Sequence[Turn]:
        """The latest of the order's earlier turns: as many as leave room for an answer."""
        told = _earlier(order)
        if not told:
            return told
        shown = picture_of(order.inputs["image"])
        if not self._processor.chat_template:
            raise InvalidRequest(
                f"{self._name} knows no conversations.", hint="Leave the history empty."
            )
        window = self._window()
        room = window - min(int(order.request["max_tokens"]), window // 2)
        while (
            told
            and self._templated([self._conversation(order, shown, told)])["input_ids"].shape[1]
            > room
        ):
            told = told[2:]
        return told

    def _inputs(
        self, batch: Sequence[Order], told: Sequence[Sequence[Turn]]
    ) -> Mapping[str, torch.Tensor]:
        """The orders as the model reads them, on its device."""
        shown = [picture_of(order.inputs["image"]) for order in batch]
        if self._processor.chat_template:
            orders = zip(batch, shown, told, strict=True)
            read = self._templated([self._conversation(*one) for one in orders])
        else:
            read = self._processor(
                images=shown,
                text=[self._plain(order) for order in batch],
                return_tensors="pt",
                padding=True,
            )
        return dict(read.to(self._model.device, self._model.dtype))

    def _templated(self, conversations: Sequence[Sequence[Mapping[str, Any]]]) -> Any:
        return self._processor.apply_chat_template(
            conversations,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )

    def _conversation(
        self, order: Order, shown: Image.Image, told: Sequence[Turn]
    ) -> list[dict[str, Any]]:
        asked = self._asked(order) or _DESCRIBE
        content = [{"type": "image", "image": shown}, {"type": "text", "text": asked}]
        earlier = [
            {"role": role, "content": [{"type": "text", "text": self._plainly(text)}]}
            for role, text in told
        ]
        return [*earlier, {"role": "user", "content": content}]

    def _plain(self, order: Order) -> str:
        """What a model reads that knows no conversations; nothing lets it describe the picture."""
        asked = self._asked(order)
        form: str = self._options.get("prompts", {}).get(order.task, "{asked}")
        return form.format(asked=asked) if asked else ""

    def _asked(self, order: Order) -> str:
        """What the person wrote; may be empty."""
        return self._plainly(order.request.get("question") or order.request.get("prompt") or "")

    def _plainly(self, text: str) -> str:
        """`text` without the tokenizer's own marks: words are no pictures and end no turn."""
        for token in self._tokenizer.get_added_vocab():
            text = text.replace(token, "")
        return text

    def _window(self) -> int:
        return int(self._model.config.get_text_config().max_position_embeddings)

    def _room(self, order: Order, length: int, width: int) -> int:
        """How many tokens may be written after `width`, of which `length` are the order's own."""
        window = self._window()
        if width >= window:
            raise InvalidRequest(
                f"Picture and text are {length:,} tokens long, and {self._name} reads {window:,}.",
                hint="Ask for less, or choose a model with a larger window.",
            )
        return min(int(order.request["max_tokens"]), window - width)
