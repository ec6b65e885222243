"""The family `transformers-text`: models that write, one token after the other.

Causal models (Llama, Mistral, Falcon, Qwen, Gemma, GPT-2 …) are told what to do as a conversation,
through their own chat template; sequence-to-sequence models (T5, NLLB …) are given the text alone,
after the prefix that their card names.
"""

from __future__ import annotations

import gc
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jinja2 import TemplateError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
)

from studio.draft import Draft
from studio.errors import InvalidRequest
from studio.families import Model, Order, Progress, Spec
from studio.families.transformers_folder import beside, model_of, opening
from studio.families.transformers_tokens import Writer, padding, write
from studio.families.transformers_world import SmallWorld
from studio.job import Preview
from studio.vocabulary import read_vocabulary
from studio.wording import Instruction, instruction

#: How often a small world's text is written at most until it is sound, and how far apart the seeds
#: of two attempts lie: no other order of a batch has these.
_ATTEMPTS, _APART = 9, 1 << 32
#: What a tokenizer says of its window when nobody has told it.
_BOUNDLESS = 1_000_000


class TransformersText:
    """Loads causal and sequence-to-sequence language models.

    Card options: `template`, arguments for the chat template (`{enable_thinking: false}`);
    `prefixes`, by task, what a sequence-to-sequence model wants before the text, in which
    `{source}` and `{target}` are languages; `languages`, a language's token by its code; `world`,
    whether it is a small model that goes on within the words of its `vocabulary.json`.
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`; every placement but `cpu` is `full`.

        Raises:
            Unavailable: if a file is missing, damaged or of a format that is refused.
            OutOfMemory: if the device could not hold it.
        """
        with opening(spec):
            config, tokenizer = beside(AutoConfig, spec), beside(AutoTokenizer, spec)
            kind = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
            model = model_of(kind, spec, device, placement)
        world = SmallWorld(read_vocabulary(spec.folder)) if spec.options.get("world") else None
        return Author(spec.name, model, tokenizer, spec.options, world)


@dataclass(frozen=True)
class _Asked:
    """One order as the model reads it."""

    tokens: Sequence[int]
    #: How many may be written.
    most: int
    #: What was done to the order that its note should say.
    remarks: Sequence[str]
    #: The token that a translation begins with.
    first: int | None = None
    #: The words that the text begins with, and the model goes on from.
    opening: str = ""


class _Unheard:
    """The progress of what is written on the way, of which nobody reads the words."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def step(self, done: int, total: int, previews: Sequence[Preview | None] = ()) -> None:
        """One step of twice as many."""
        self._progress.step(done, 2 * total)

    def text(self, order: int, delta: str) -> None:
        """Nothing is told."""

    def make_room(self) -> bool:
        """As ever."""
        return self._progress.make_room()


def _bolder(order: Order, attempt: int) -> Order:
    """The order with another seed, and freer in its choice each time: it was too sure of itself."""
    freer = min(1.2, order.request["temperature"] + 0.15 * attempt)
    request = {**order.request, "temperature": freer}
    return replace(order, seed=order.seed + attempt * _APART, request=request)


def _translation(order: Order, source: str, target: str, text: str = "") -> Order:
    """The order to translate its text, or another one."""
    asked = {"source": source, "target": target, "text": text or order.request["text"]}
    return replace(order, task="translation", request={**order.request, **asked, "style": ""})


class Author:
    """A language model in memory."""

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        options: Mapping[str, Any],
        world: SmallWorld | None,
    ) -> None:
        self._name = name
        self._model = model
        self._tokenizer = tokenizer
        self._options = options
        self._world = world

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Text drafts; one step is one token of each. Deltas are told as soon as they are letters.

        A small world's texts are told as wholes, once they contradict themselves nowhere, or no
        attempt is left. The facts hold `usage`: the tokens that went in and came out. What a person
        cannot see or mean, like control characters, is left out of the text.

        Raises:
            InvalidRequest: if an order does not fit the model's window, or names a language that it
                does not know.
            Unavailable: if the weights compute what is no number.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold the batch.
        """
        batch, through = self._through(batch, progress)
        asked = [self._asked(order) for order in batch]
        if self._world is None:
            writers = self._write(batch, asked, progress)
        else:
            writers = self._write_soundly(self._world, batch, asked, progress)
        for place, (order, one, writer) in enumerate(zip(batch, asked, writers, strict=True)):
            remarks = [*through.get(place, ()), *one.remarks, *writer.remarks(order)]
            # Of a text that was mended, the writer has only the last part.
            mended = writer.text[len(one.opening) :] if self._world is not None else ""
            written = max(len(writer.tokens), len(self._tokenizer(mended)["input_ids"]))
            usage = {"input_tokens": len(one.tokens), "output_tokens": written}
            facts = {"text": writer.text, "usage": usage, "made with": remarks}
            yield Draft("text", order.index, order.seed, facts=facts)

    def unload(self) -> None:
        """Free the weights."""
        self._model = None
        # The library's models refer to themselves.
        gc.collect()

    def _through(
        self, batch: Sequence[Order], progress: Progress
    ) -> tuple[Sequence[Order], Mapping[int, Sequence[str]]]:
        """The batch with what is to be translated back as such, once it was translated; remarks."""
        # By place in the batch: its orders may be of several jobs, each with an output 0.
        there = {
            place: _translation(order, order.request["language"], order.request["through"])
            for place, order in enumerate(batch)
            if order.request.get("style") == "back-translation"
        }
        if not there:
            return batch, {}
        asked = [self._asked(order) for order in there.values()]
        writers = self._write(list(there.values()), asked, _Unheard(progress))
        back = {
            place: _translation(
                order, order.request["target"], order.request["source"], writer.text
            )
            for (place, order), writer in zip(there.items(), writers, strict=True)
        }
        remarks = {
            place: (f"by way of {order.request['source']}",) for place, order in back.items()
        }
        return [back.get(place, order) for place, order in enumerate(batch)], remarks

    def _write_soundly(
        self,
        world: SmallWorld,
        batch: Sequence[Order],
        asked: Sequence[_Asked],
        progress: Progress,
    ) -> Sequence[Writer]:
        """All texts, each anew from where it contradicts itself; told as wholes."""
        writers = list(self._write(batch, asked, _Unheard(progress)))
        for attempt in range(1, _ATTEMPTS):
            sound = {n: world.sound(one.text) for n, one in enumerate(writers)}
            # What was asked is not for it to mend.
            wrong = [n for n, text in sound.items() if asked[n].opening in text != writers[n].text]
            if not wrong:
                break
            orders = [_bolder(batch[n], attempt) for n in wrong]
            onward = [self._onward(asked[n], sound[n]) for n in wrong]
            again = self._write(orders, onward, _Unheard(progress))
            for n, writer in zip(wrong, again, strict=True):
                writers[n] = writer
        for n, writer in enumerate(writers):
            progress.text(n, writer.text)
        return writers

    def _onward(self, one: _Asked, text: str) -> _Asked:
        """The order of which so much is written."""
        written = len(self._tokenizer(text[len(one.opening) :])["input_ids"])
        told = self._templated([{"role": "user", "content": text}], purpose="story")
        return replace(one, tokens=told, most=max(0, one.most - written), opening=text)

    def _write(
        self, batch: Sequence[Order], asked: Sequence[_Asked], progress: Progress
    ) -> Sequence[Writer]:
        """All texts, from the left, so that every row goes on where its own words end."""
        device = self._model.device
        filler = padding(self._model, self._tokenizer)
        width = max(len(one.tokens) for one in asked)
        rows = [[filler] * (width - len(one.tokens)) + list(one.tokens) for one in asked]
        mask = [[0] * (width - len(one.tokens)) + [1] * len(one.tokens) for one in asked]
        inputs = {
            "input_ids": torch.tensor(rows, device=device),
            "attention_mask": torch.tensor(mask, device=device),
        }
        most = [one.most for one in asked]
        first = [one.first for one in asked if one.first is not None]
        openings = [one.opening for one in asked]
        name, model, words = self._name, self._model, self._tokenizer
        return write(name, model, words, batch, most, inputs, progress, first, openings)

    def _asked(self, order: Order) -> _Asked:
        """The order in tokens, with room for an answer."""
        request = order.request
        first, opening = None, ""
        most = int(request["max_tokens"])
        remarks: list[str] = []
        if self._world is not None:
            begun = self._world.beginning(order.task, request)
            if begun.remark:
                told = [self._tokenizer.bos_token_id]
                return _Asked(told, 0, [begun.remark], opening=begun.text)
            opening = begun.text
            # It has read no prompt in capitals; what people see stays as they wrote it.
            given = opening.lower() if begun.purpose == "improve" else opening
            tokens = self._templated([{"role": "user", "content": given}], purpose=begun.purpose)
        elif self._model.config.is_encoder_decoder:
            tokens, first = self._prefixed(order)
        else:
            whole = instruction(order.task, request)
            latest = self._latest(whole, most) if request["truncate"] else whole
            if forgotten := len(whole.turns) - len(latest.turns):
                remarks.append(f"without the oldest {forgotten} turns of the conversation")
            tokens = self._conversation(latest)
            opening = latest.beginning
        window = self._window()
        room = window - (0 if self._model.config.is_encoder_decoder else 1)
        if len(tokens) > room:
            if not request["truncate"]:
                raise InvalidRequest(
                    f"This is {len(tokens):,} tokens long, and {self._name} reads {window:,}.",
                    hint="Shorten it, choose a model with a larger window, or set truncate.",
                )
            # An answer needs room as well; what is asked stands at the end.
            kept = (
                room
                if self._model.config.is_encoder_decoder
                else max(1, room - min(most, room // 2))
            )
            remarks.append(f"cut from {len(tokens)} tokens to {kept}")
            tokens = tokens[:kept] if self._model.config.is_encoder_decoder else tokens[-kept:]
        if not self._model.config.is_encoder_decoder and len(tokens) + most > window:
            most = window - len(tokens)
            remarks.append(f"at most {most} tokens, for the model's window is full then")
        return _Asked(tokens, most, remarks, first, opening)

    def _latest(self, told: Instruction, most: int) -> Instruction:
        """The conversation without as many of its oldest turns as leave too little room."""
        room = self._window() - 1
        room -= min(most, room // 2)

        def without(pairs: int) -> Instruction:
            return replace(told, turns=told.turns[2 * pairs :])

        # What is asked now is never left out.
        pairs = range((len(told.turns) - 1) // 2)
        fits = bisect_left(pairs, True, key=lambda n: len(self._conversation(without(n))) <= room)
        return without(fits)

    def _window(self) -> int:
        config = self._model.config.get_text_config()
        for name in ("max_position_embeddings", "n_positions"):
            if isinstance(size := getattr(config, name, None), int):
                return size
        length = int(self._tokenizer.model_max_length)
        return length if length < _BOUNDLESS else 2048

    def _conversation(self, told: Instruction) -> list[int]:
        """The conversation as the model's chat template writes it, or plainly without one."""
        begun = self._tokenizer(told.beginning, add_special_tokens=False)["input_ids"]
        if not self._tokenizer.chat_template:
            said = [text for _, text in told.turns]
            plain = "\n\n".join(filter(None, [told.system, *said]))
            return [*self._tokenizer(plain)["input_ids"], *begun]
        turns = [{"role": role, "content": text} for role, text in told.turns]
        system = [{"role": "system", "content": told.system}] if told.system else []
        try:
            return [*self._templated(system + turns), *begun]
        except TemplateError:
            # Some know no system prompt; then it stands before the first turn.
            first = turns[0] | {"content": f"{told.system}\n\n{turns[0]['content']}"}
            return [*self._templated([first, *turns[1:]]), *begun]

    def _templated(self, turns: list[dict[str, str]], **more: str) -> list[int]:
        written = self._tokenizer.apply_chat_template(
            turns,
            add_generation_prompt=True,
            return_dict=True,
            **self._options.get("template", {}),
            **more,
        )
        return list(written["input_ids"])

    def _prefixed(self, order: Order) -> tuple[list[int], int | None]:
        """The text after its task's prefix, and the token of the language to translate into."""
        request, known = order.request, self._options.get("languages", {})
        if request.get("beginning"):
            raise InvalidRequest(
                f"{self._name} answers as a whole, and goes on from nothing.",
                hint="Leave the beginning empty, or choose a model that writes word by word.",
            )
        names = {field: request.get(field) for field in ("source", "target")}
        if order.task == "translation" and known:
            for field, code in names.items():
                if code is not None and code not in known:
                    raise InvalidRequest(
                        f"{field}: {self._name} does not know {code!r}.",
                        hint=f"It knows {', '.join(sorted(known))}.",
                    )
            self._tokenizer.src_lang = known[names["source"] or "en"]
            into = self._tokenizer.convert_tokens_to_ids(known[names["target"]])
            return list(self._tokenizer(request["text"])["input_ids"]), into
        prefix = self._options.get("prefixes", {}).get(order.task, "")
        languages = {field: _English.get(code or "", code or "") for field, code in names.items()}
        asked = request.get("text") or request.get("prompt")
        if order.task == "question-answering":
            asked = f"question: {request['question']} context: {asked}"
        return list(self._tokenizer(prefix.format(**languages) + str(asked))["input_ids"]), None


#: What T5 calls the languages that it was trained to translate between.
_English = {"en": "English", "de": "German", "fr": "French", "ro": "Romanian"}
