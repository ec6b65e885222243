"""How tokens are chosen and told, for every model of the transformers library that writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria

from studio.errors import Unavailable
from studio.families import Order, Progress
from studio.families.diffusers_memory import memory_errors
from studio.tasks.request import cleaned
from studio.tournament import CONTEXT, SHORTEST, favoured
from studio.wording import CUT


def write(
    name: str,
    model: Any,
    tokenizer: Any,
    batch: Sequence[Order],
    most: Sequence[int],
    inputs: Mapping[str, torch.Tensor],
    progress: Progress,
    first: Sequence[int] = (),
    openings: Sequence[str] = (),
) -> Sequence[Writer]:
    """Let the library write all orders side by side, each `most` tokens long at most.

    `inputs` are what the model reads; `first` are the tokens that the texts begin with, if any;
    `openings` are words of the texts that it need not write, because it goes on from them.

    Raises:
        Unavailable: if the weights of the model called `name` compute what is no number.
        Cancelled: as `progress` raised it.
        OutOfMemory: if the device could not hold the batch.
    """
    ends = _ends(model, tokenizer)
    longest = max(most)
    openings = openings or [""] * len(most)
    writers = [
        Writer(tokenizer, limit, ends, opening)
        for limit, opening in zip(most, openings, strict=True)
    ]
    for number, opening in enumerate(openings):
        if opening:
            progress.text(number, opening)
    if not longest:
        return writers
    with memory_errors(name), torch.inference_mode():
        model.generate(
            **inputs,
            # The chooser has chosen; the library takes what it left.
            do_sample=False,
            num_beams=1,
            max_new_tokens=longest,
            logits_processor=[Chooser(name, batch, first)],
            stopping_criteria=[Writers(writers, progress, longest)],
            pad_token_id=padding(model, tokenizer),
            eos_token_id=sorted(ends) or None,
            repetition_penalty=1.0,
            use_cache=True,
        )
    progress.step(longest, longest)
    return writers


def padding(model: Any, tokenizer: Any) -> int:
    """The token that fills what a shorter text leaves free."""
    known = tokenizer.pad_token_id
    return next(iter(_ends(model, tokenizer)), 0) if known is None else int(known)


def _ends(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a text."""
    ends = model.generation_config.eos_token_id
    found = set(ends if isinstance(ends, list) else [ends]) | {tokenizer.eos_token_id}
    return {end for end in found if end is not None}


class Chooser(LogitsProcessor):  # type: ignore[misc]
    """Chooses each row's next token by that row's own request and seed.

    The library draws from one generator for a whole batch; a text must not depend on its company.
    """

    def __init__(self, name: str, batch: Sequence[Order], first: Sequence[int] = ()) -> None:
        """`first` are the tokens that the rows begin with, where there are any."""
        self._name = name
        self._requests = [order.request for order in batch]
        self._generators = [torch.Generator().manual_seed(order.seed) for order in batch]
        self._keys = [bytes.fromhex(order.text_key) for order in batch]
        #: After which words each row's key has decided already; once more would be repetition.
        self._decided: list[set[tuple[int, ...]]] = [set() for _ in batch]
        self._first = first
        self._begin: int | None = None

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if self._begin is None:
            self._begin = input_ids.shape[1]
            if self._first:
                return _only(torch.tensor(self._first), scores)
        if not bool(torch.isfinite(scores).any(dim=-1).all()):
            raise Unavailable(
                f"{self._name} computed values that are no numbers.",
                hint="Set dtype: float32 in its card. If it is set, fetch the weights again.",
            )
        written = input_ids[:, self._begin :]
        chosen = [
            self._choose(row, scores[row].float().cpu(), written[row].cpu())
            for row in range(len(scores))
        ]
        return _only(torch.tensor(chosen), scores)

    def _choose(self, row: int, scores: torch.Tensor, written: torch.Tensor) -> int:
        request = self._requests[row]
        if (penalty := request["repetition_penalty"]) > 1 and len(written):
            used = scores[written]
            scores[written] = torch.where(used < 0, used * penalty, used / penalty)
        if request["temperature"] == 0:
            return int(scores.argmax())
        chances, tokens = torch.softmax(scores / request["temperature"], -1).sort(descending=True)
        # The likeliest that together reach `top_p`; the first always.
        kept = int((chances.cumsum(-1) - chances < request["top_p"]).sum())
        kept = min(kept, request["top_k"] or kept)
        chances, tokens = chances[:kept], tokens[:kept]
        context = tuple(written[-CONTEXT:].tolist())
        if self._keys[row] and len(context) == CONTEXT and context not in self._decided[row]:
            self._decided[row].add(context)
            likely = chances.double().numpy()
            likely = favoured(self._keys[row], context, tokens.numpy(), likely / likely.sum())
            chances = torch.from_numpy(likely)
        place = torch.multinomial(chances, 1, generator=self._generators[row])
        return int(tokens[place])


def _only(chosen: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Scores after which nothing but the chosen tokens can be taken, one for each row."""
    left = torch.full_like(scores, -torch.inf)
    return left.scatter(1, chosen.to(scores.device)[:, None], 0.0)


class Writer:
    """One text that comes into being, token by token."""

    def __init__(self, tokenizer: Any, most: int, ends: set[int], opening: str = "") -> None:
        """At most `most` tokens after the words of `opening`; with 0, those are all there is."""
        self._tokenizer = tokenizer
        self._most = most
        self._ends = ends
        #: What was written, the token that ended it left out.
        self.tokens: list[int] = []
        #: What it reads, without what nobody can see or mean.
        self.text = opening
        #: Whether anything was left out for that.
        self.cleaned = False
        #: Whether it ended because it was as long as it may be.
        self.cut = False
        self.over = most == 0
        # Tokens before `_read` are in the text; those from `_from` are read again with the next
        # ones, because a token's letters depend on its neighbours.
        self._from = self._read = 0

    def add(self, token: int) -> str:
        """Take the next token; the letters that have become certain by it."""
        if self.over:
            return ""
        if token in self._ends:
            self.over = True
            return self._certain(last=True)
        self.tokens.append(token)
        self.over = self.cut = len(self.tokens) >= self._most
        return self._certain(last=self.over)

    def remarks(self, order: Order) -> list[str]:
        """What the note of `order` should say of how its text was written."""
        remarks = [CUT] if self.cut else []
        if self.cleaned:
            remarks.append("without characters that nobody can see or mean")
        # Shorter ones are not claimed: they say too little.
        long = len(self.tokens) >= SHORTEST
        if long and order.text_key and order.request["temperature"]:
            remarks.append("with a statistical mark in the choice of words")
        return remarks

    def _certain(self, *, last: bool) -> str:
        before = self._decoded(self.tokens[self._from : self._read])
        now = self._decoded(self.tokens[self._from :])
        # A letter of several bytes whose last ones are still to come reads as U+FFFD.
        if len(now) <= len(before) or (now.endswith("\ufffd") and not last):
            return ""
        self._from, self._read = self._read, len(self.tokens)
        written = now[len(before) :]
        fresh = cleaned(written)
        self.cleaned = self.cleaned or fresh != written
        self.text += fresh
        return fresh

    def _decoded(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True))


class Writers(StoppingCriteria):  # type: ignore[misc]
    """The texts of a batch: told as they grow, and each stopped where its own limit is."""

    def __init__(self, writers: Sequence[Writer], progress: Progress, total: int) -> None:
        self._writers = writers
        self._progress = progress
        self._total = total
        self._done = 0

    def __call__(self, input_ids: torch.Tensor, scores: object, **_: Any) -> torch.Tensor:
        for number, (writer, token) in enumerate(
            zip(self._writers, input_ids[:, -1].tolist(), strict=True)
        ):
            if delta := writer.add(token):
                self._progress.text(number, delta)
        self._done += 1
        self._progress.step(min(self._done, self._total), self._total)
        over = [writer.over for writer in self._writers]
        return torch.tensor(over, device=input_ids.device)
