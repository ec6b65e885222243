"""Models that compare pictures with texts: CLIP, SigLIP."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from studio.draft import Draft
from studio.errors import InvalidRequest, Unavailable
from studio.families import VECTORS, Order, Progress
from studio.families.diffusers_memory import memory_errors

#: How many pictures are looked at between two reports.
_AT_ONCE = 8


def picture_of(place: Path) -> Image.Image:
    """The picture of an order's input in RGB; what is transparent is white."""
    shown = Image.fromarray(Draft.unspool(place).arrays["pixels"])
    if shown.mode == "RGBA":
        shown = Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)
    return shown.convert("RGB")


class Matcher:
    """A model in memory that says how well pictures and texts suit each other."""

    def __init__(self, name: str, model: Any, processor: Any, options: Mapping[str, Any]) -> None:
        self._name = name
        self._model = model
        self._processor = processor
        self._wording = str(options.get("wording", "{}"))

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Text drafts, best first: labels with shares of 1, or pictures with cosines.

        A model with a sigmoid (SigLIP) says of each label how likely it is by itself, so that the
        shares need not add up. One step is a few pictures.

        Raises:
            InvalidRequest: if a label is longer than the model reads.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        plan = [(place, names[n : n + _AT_ONCE]) for place, order in enumerate(batch)
                for names in [_shown(order)]
                for n in range(0, max(len(names), 1), _AT_ONCE)]  # fmt: skip
        # By place in the batch: its orders may be of several jobs, each with an output 0.
        seen: list[list[torch.Tensor]] = [[] for _ in batch]
        for done, (place, names) in enumerate(plan, 1):
            order = batch[place]
            found = self._likened if order.request.get("format") == VECTORS else self._compared
            with memory_errors(self._name), torch.inference_mode():
                seen[place].append(self._checked(found(order, names)))
            progress.step(done, len(plan))
        for order, scores in zip(batch, seen, strict=True):
            yield self._draft(order, torch.cat(scores))

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _compared(self, order: Order, names: Sequence[str]) -> torch.Tensor:
        """Scores, float32 of shape (pictures, texts): shares of labels, cosines with a prompt."""
        labels = order.request.get("labels")
        told = self._model(
            **self._read(labels or [order.request["prompt"]]), **self._looked(order, names)
        )
        if labels is None:
            scores = told.image_embeds.float() @ told.text_embeds.float().T
        elif self._sigmoid:
            scores = told.logits_per_image.float().sigmoid()
        else:
            scores = told.logits_per_image.float().softmax(dim=-1)
        found: torch.Tensor = scores
        return found

    def _likened(self, order: Order, names: Sequence[str]) -> torch.Tensor:
        """Unit vectors of shape (1 or pictures, width): of the pictures, or else of the prompt."""
        if names:
            told = self._model.get_image_features(**self._looked(order, names))
        else:
            told = self._model.get_text_features(**self._read([order.request["prompt"]]))
        found: torch.Tensor = torch.nn.functional.normalize(told.pooler_output.float(), dim=-1)
        return found

    @property
    def _sigmoid(self) -> bool:
        return "siglip" in self._model.config.model_type

    def _read(self, said: Sequence[str]) -> Mapping[str, torch.Tensor]:
        """Texts as the model reads them, on its device."""
        texts = [self._wording.format(one) for one in said]
        tokenizer = self._processor.tokenizer
        longest = max(len(row) for row in tokenizer(texts)["input_ids"])
        window = int(self._model.config.text_config.max_position_embeddings)
        if longest > window:
            raise InvalidRequest(
                f"One of the texts is {longest} tokens long, and {self._name} reads {window}.",
                hint="Say it in fewer words.",
            )
        # SigLIP was trained on texts of one length.
        width = window if self._sigmoid else longest
        read = tokenizer(texts, padding="max_length", max_length=width, return_tensors="pt")
        return dict(read.to(self._model.device))

    def _looked(self, order: Order, names: Sequence[str]) -> Mapping[str, torch.Tensor]:
        """Pictures as the model sees them, on its device."""
        pictures = self._processor.image_processor(
            images=[picture_of(order.inputs[name]) for name in names], return_tensors="pt"
        )
        return dict(pictures.to(self._model.device, self._model.dtype))

    def _checked(self, found: torch.Tensor) -> torch.Tensor:
        """What the model computed, in float32 in main memory, if these are numbers."""
        if not bool(torch.isfinite(found).all()):
            raise Unavailable(
                f"{self._name} computed values that are no numbers.",
                hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
            )
        return found.float().cpu()

    def _draft(self, order: Order, scores: torch.Tensor) -> Draft:
        if order.request.get("format") == VECTORS:
            facts = {"text": "", VECTORS: scores.tolist()}
            return Draft("text", order.index, order.seed, facts=facts)
        labels = order.request.get("labels")
        names = labels or [one for one in order.request["images"] if one]
        best = torch.argsort(scores.flatten(), descending=True, stable=True).tolist()
        found = [(str(names[place]), round(float(scores.flatten()[place]), 4)) for place in best]
        called = "label" if labels else "image"
        if order.request["format"] == "json":
            text = json.dumps(
                [{called: name, "score": score} for name, score in found],
                indent=1, ensure_ascii=False,
            )  # fmt: skip
        elif labels:
            text = "\n".join(f"{100 * score:.1f} %  {name}" for name, score in found)
        else:
            text = "\n".join(
                f"{place}. {name}  ({score:.3f})" for place, (name, score) in enumerate(found, 1)
            )
        return Draft("text", order.index, order.seed, facts={"text": text})


def _shown(order: Order) -> list[str]:
    """Under which names the order's pictures were handed over, in the order they were named."""
    if "image" in order.inputs:
        return ["image"]
    return sorted(order.inputs, key=lambda name: int(name.rpartition(".")[2]))
