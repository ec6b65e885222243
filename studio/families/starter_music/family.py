"""The family `starter-music`: composes with a small Llama, plays with our own synthesiser."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, LlamaForCausalLM
from transformers.utils import logging as transformers_logging

from studio.draft import Draft
from studio.errors import Broken, InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.starter_music import synthesiser
from studio.families.starter_music.arrange import arrange
from studio.families.starter_music.notation import (
    NUMBERS,
    TOKENS,
    Bar,
    Grammar,
    decode,
    heading,
    opening,
)
from studio.families.starter_music.plan import GENRES, Plan, draw, fit
from studio.families.starter_music.theory import Key, parse_key
from studio.families.starter_music.words import Wish, read
from studio.score import PARTS, Score

#: Seconds of music that one order may ask for.
SECONDS = (1.0, 180.0)
#: Beats per minute that it may ask for.
BEATS = (40, 220)
#: How much cooler the model's choices are where a section comes back: a return is to be recognised.
_RETURN = 0.55
#: Tokens that the model was trained to look back on, and what is kept of them when they are full.
_CONTEXT, _KEPT = 704, 384


class StarterMusic:
    """Loads the starter composer. Card options: `temperature` and `top_p` of its choices."""

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The composer in `spec.folder`; it is 3 MB, so every placement is `full`.

        Raises:
            Unavailable: if the weights are missing or were trained for other tokens.
        """
        transformers_logging.disable_progress_bar()
        try:
            vocabulary = json.loads((spec.folder / "vocabulary.json").read_text(encoding="utf-8"))
            model = LlamaForCausalLM.from_pretrained(
                spec.folder, dtype=torch.float32, use_safetensors=True, local_files_only=True
            )
        except OSError as error:
            raise Unavailable(
                f"The composer's weights cannot be read: {error}",
                hint="Install the studio again; they ship with it.",
            ) from None
        if tuple(vocabulary["tokens"]) != TOKENS:
            raise Unavailable(
                f"The weights in {spec.folder} were trained for another notation.",
                hint="Train them again with scripts/train_starter/music.",
            )
        return Composer(
            model.to(device).eval(),
            temperature=float(spec.options.get("temperature", 0.8)),
            top_p=float(spec.options.get("top_p", 0.93)),
        )


class Composer:
    """The starter composer in memory."""

    def __init__(self, model: Any, temperature: float, top_p: float) -> None:
        self._model = model
        self._temperature = temperature
        self._top_p = top_p

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts of exactly the asked length (a loop: of whole bars), float32 (samples, 2).

        The facts hold `rate` in Hz, the `score`, the `plan` that was followed, whether it is a
        `loop`, and the prompt's `unknown_words`. Orders are written one by one, bar by bar, so a
        draft never depends on its batch. One step is one bar. With `stems`, output n of a job is
        part n of `score.PARTS`, which the fact `stem` names, of the piece that the job's own seed
        makes; together they are that piece.

        Raises:
            InvalidRequest: if a request names a key, genre, mood or metre that there is not.
            Cancelled: as `progress` raised it.
            Broken: if the weights are damaged.
        """
        # One request and one seed are one piece, whoever asks for which part of it.
        alike = groupby(batch, lambda order: (order.request, _seed(order)))
        pieces = [list(orders) for _, orders in alike]
        wanted = [_wanted(orders[0]) for orders in pieces]
        total = sum(plan.bars for plan, _, _ in wanted)
        done = 0
        for orders, (plan, wish, seconds) in zip(pieces, wanted, strict=True):
            seed = _seed(orders[0])
            bars: list[Bar] = []
            for bar in self.write(plan, seed):
                bars.append(bar)
                done += 1
                progress.step(done, total)
            score = _score(plan, bars, wish, seconds, seed)
            take = synthesiser.Take.of(score, seconds, plan.loop)
            facts = {
                "rate": synthesiser.RATE,
                "plan": _described(plan),
                "loop": plan.loop,
                "unknown_words": list(wish.unknown),
            }
            for order in orders:
                if order.request.get("stems"):
                    part = PARTS[order.index]
                    samples = take.stem(part)
                    told = facts | {"stem": part, "score": score.only(part).record()}
                else:
                    samples, told = take.mix(), facts | {"score": score.record()}
                yield Draft("audio", order.index, order.seed, {"samples": samples}, told)

    def write(self, plan: Plan, seed: int) -> Iterator[Bar]:
        """The bars of a piece, one after the other; the same plan and seed give the same bars."""
        choose = np.random.default_rng(seed)
        head = [NUMBERS[token] for token in heading(plan)]
        rows: list[list[int]] = []
        cache, seen = DynamicCache(), 0
        pending = list(head)
        before: Bar | None = None
        ended: set[str] = set()
        for number, place in enumerate(plan.form()):
            if seen > _CONTEXT:  # go on from the heading and the latest bars
                while sum(map(len, rows)) > _KEPT:
                    rows.pop(0)
                cache, seen, pending = DynamicCache(), 0, [*head, *chain(*rows)]
            row = [NUMBERS[token] for token in opening(plan.bars - number, place)]
            heat = self._temperature * (_RETURN if place.section in ended else 1)
            pending += row
            grammar = Grammar(plan, number, before)
            while (allowed := grammar.allowed()) is not None:
                token = allowed[0]
                if len(allowed) > 1:
                    seen += len(pending)
                    token = self._choose(self._feed(pending, cache), allowed, heat, choose)
                    pending = []
                grammar.take(token)
                pending.append(token)
                row.append(token)
            rows.append(row)
            if place.bar == place.of - 1:
                ended.add(place.section)
            before = decode([TOKENS[token] for token in row], before)
            yield before

    def unload(self) -> None:
        """Free the weights."""
        self._model = None

    @torch.inference_mode()
    def _feed(self, tokens: list[int], cache: DynamicCache) -> np.ndarray[Any, Any]:
        """Read tokens; scores of what may follow, float64 (tokens in the notation,)."""
        given = torch.tensor([tokens], device=self._model.device)
        scores = self._model(
            input_ids=given, past_key_values=cache, use_cache=True, logits_to_keep=1
        ).logits[0, -1]
        return np.asarray(scores.double().cpu().numpy())

    def _choose(
        self,
        scores: np.ndarray[Any, Any],
        allowed: list[int],
        heat: float,
        choose: np.random.Generator,
    ) -> int:
        """Draw one of the allowed tokens from the likeliest that together reach `top_p`."""
        few = scores[allowed] / heat
        if not np.isfinite(few).all():
            raise Broken("The composer computed values that are no numbers.")
        chances = np.exp(few - few.max())
        chances /= chances.sum()
        order = np.argsort(-chances, kind="stable")
        reached = np.cumsum(chances[order])
        kept = order[: int(np.searchsorted(reached, self._top_p)) + 1]
        place = choose.random() * chances[kept].sum()
        index = min(int(np.searchsorted(np.cumsum(chances[kept]), place)), len(kept) - 1)
        return allowed[int(kept[index])]


def _seed(order: Order) -> int:
    """What its piece is made from; of a stem, the job's own seed, without its own place in it."""
    return order.seed - order.index if order.request.get("stems") else order.seed


def _wanted(order: Order) -> tuple[Plan, Wish, float]:
    """The plan for an order, what its prompt wished, and the length of the sound in seconds.

    A field wins over the prompt; what neither says is drawn from what suits the style.
    """
    asked: Mapping[str, Any] = order.request
    wish = read(str(asked.get("prompt") or ""))
    rng = random.Random(_seed(order))  # noqa: S311 - taste, not secrets
    seconds = float(asked.get("duration") or 10.0)
    if not SECONDS[0] <= seconds <= SECONDS[1]:
        raise InvalidRequest(
            f"duration: this model makes {SECONDS[0]:g} to {SECONDS[1]:g} seconds of music.",
            hint="Ask for a shorter piece, or for a loop.",
        )
    genre = asked.get("genre") or wish.genre or rng.choice(sorted(GENRES))
    if genre not in GENRES:
        raise InvalidRequest(
            f"genre: this model knows no {genre!r}.", hint=f"It knows {', '.join(GENRES)}."
        )
    mood, metre, mode = draw(rng, genre, asked.get("mood") or wish.mood)
    key = parse_key(asked["key"]) if asked.get("key") else wish.key or Key(rng.randrange(12), mode)
    tempo = asked.get("tempo") or wish.tempo
    if tempo is None and wish.pace is not None:
        low, high = GENRES[genre].tempo
        tempo = round(low + wish.pace * (high - low))
    if tempo is not None and not BEATS[0] <= tempo <= BEATS[1]:
        raise InvalidRequest(
            f"tempo: this model plays {BEATS[0]} to {BEATS[1]} beats per minute, not {tempo:g}.",
            hint="Leave the tempo out to get one that suits the style.",
        )
    loop = bool(asked.get("loopable"))
    plan = fit(genre, mood, asked.get("metre") or wish.metre or metre, key, tempo, seconds, loop)
    return plan, wish, plan.bars * plan.bar_seconds if loop else seconds


def _score(plan: Plan, bars: Sequence[Bar], wish: Wish, seconds: float, seed: int) -> Score:
    ensemble = dict(
        zip(("melody", "accompaniment", "bass"), GENRES[plan.genre].ensemble, strict=True)
    )
    score = arrange(plan, bars, seconds, {**ensemble, **wish.timbres}, seed)
    heard = tuple(note for note in score.notes if note.part not in wish.silent)
    return replace(score, notes=heard)


def _described(plan: Plan) -> dict[str, Any]:
    return {
        "genre": plan.genre, "mood": plan.mood, "metre": plan.metre.name, "key": plan.key.name,
        "tempo": plan.tempo, "bars": plan.bars,
        "form": "".join(place.section for place in plan.form() if place.bar == 0),
    }  # fmt: skip
