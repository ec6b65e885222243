"""Train the captioner: a LLaVA of the first world, on drawn pictures and what there is to see.

    python scripts/train_starter/captioner.py --clip studio/starter/clip --out training/captioner

Its eyes begin as the CLIP's image tower; a small Llama learns to say what they see. Half of the
pictures are disturbed, or went through the picture model's autoencoder, so that it reads soft ones
too. Interrupted, it goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shipping import save
from stages.autoencoder import as_values
from torch import Tensor
from torch.nn import functional
from world import first, questions
from world.colours import COLOURS
from world.shapes import SHAPES

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "studio" / "starter" / "pictures"
SIDE, PATCH = 128, 16
SEEN = (SIDE // PATCH) ** 2
WIDTH = 128
#: The share of flat shapes; landscapes are learned sooner.
FLAT = 0.85
#: How many questions are asked of each picture, beside its description.
QUESTIONS = 4
TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'user' %}{{ '<s>' }}"
    "{% for part in message.content %}{% if part.type == 'image' %}{{ '<image> ' }}"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{{ ' <answer> ' }}"
    "{% elif message.role == 'assistant' %}{{ message.content[0].text + '</s>' }}"
    "{% endif %}{% endfor %}"
)


def tokenizer() -> Any:
    """One token for each word of the world, whatever its case, spelling or punctuation."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "<s>", "</s>", "<unk>", "<image>", "<answer>"]
    known = {word: number for number, word in enumerate([*special, *questions.words()])}
    inner = Tokenizer(models.WordLevel(known, unk_token="<unk>"))
    inner.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"['’]s\b"), " is"),
            normalizers.Replace(Regex(r"\b(colo)(rs?)\b"), "colour"),
            normalizers.Replace("grey", "gray"),
            normalizers.Replace(Regex(r"[^\w<>/]+"), " "),
        ]
    )
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<s>", eos_token="</s>",
        unk_token="<unk>", additional_special_tokens=["<image>", "<answer>"],
        padding_side="left", model_max_length=256,
        image_token="<image>",
    )  # fmt: skip


def build(clip: Path, words: int) -> Any:
    """The untrained model, its eyes from the CLIP in `clip`."""
    from transformers import (
        CLIPVisionConfig,
        CLIPVisionModel,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
    )

    eyes = CLIPVisionModel.from_pretrained(clip, dtype=torch.float32)
    speech = LlamaConfig(
        vocab_size=words, hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=4, max_position_embeddings=256,
        pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    vision = CLIPVisionConfig.from_pretrained(clip)
    config = LlavaConfig(
        vision_config=vision, text_config=speech, image_token_index=4, image_seq_length=SEEN,
        vision_feature_layer=-1, vision_feature_select_strategy="default",
        pad_token_id=0, bos_token_id=1, eos_token_id=2, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config)
    missing = model.model.vision_tower.load_state_dict(eyes.state_dict(), strict=False)
    assert not missing.missing_keys, missing
    return model


def processor(words: Any) -> Any:
    """What brings pictures and words to the model."""
    from transformers import CLIPImageProcessor, LlavaProcessor

    pictures = CLIPImageProcessor(
        size={"height": SIDE, "width": SIDE}, do_center_crop=False,
        image_mean=[0.5] * 3, image_std=[0.5] * 3,
    )  # fmt: skip
    return LlavaProcessor(
        pictures, words, patch_size=PATCH, vision_feature_select_strategy="default",
        num_additional_image_tokens=1, chat_template=TEMPLATE,
    )  # fmt: skip


class Teacher:
    """Batches of disturbed pictures with turns of question and answer."""

    def __init__(self, words: Any, seed: int) -> None:
        from diffusers import AutoencoderTiny

        self._words = words
        self._rng = random.Random(seed)
        self._noise = torch.Generator().manual_seed(seed)
        self._soft = AutoencoderTiny.from_pretrained(PICTURES / "vae", dtype=torch.float32).eval()

    def batch(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Values (count, 3, side, side); tokens, labels and turns, each (count, length); cells.

        All turns about a picture stand behind one another in its row; turn 0 is the picture.
        """
        drawn = [
            first.flat_sample(self._rng)
            if self._rng.random() < FLAT
            else first.landscape_sample(self._rng)
            for _ in range(count)
        ]
        pictures = np.stack([sample.render(SIDE) for sample in drawn])
        values = self._disturbed(as_values(torch.from_numpy(pictures)))
        head = self._read(f"<s> {'<image> ' * SEEN}")
        rows: list[tuple[list[int], list[int], list[int]]] = []
        for sample in drawn:
            tokens, labels, turns = list(head), [-100] * len(head), [0] * len(head)
            asked = self._rng.sample(questions.questions(sample, self._rng), QUESTIONS)
            said = [(questions.DESCRIBE, questions.described(sample))]
            for question, answer in [*said, *((one.text, one.answer) for one in asked)]:
                start = self._read(f"{questions.reworded(question, self._rng)} <answer>")
                end = self._read(f"{answer} </s>")
                turns += [turns[-1] + 1] * len(start + end)
                tokens += start + end
                labels += [-100] * len(start) + end
            rows.append((tokens, labels, turns))
        pad = torch.nn.utils.rnn.pad_sequence
        columns = [[torch.tensor(row[part]) for row in rows] for part in range(3)]
        return (
            values,
            *(
                pad(column, batch_first=True, padding_value=filler)
                for column, filler in zip(columns, (0, -100, -1), strict=True)
            ),
            torch.stack([_cells(sample) for sample in drawn]),
        )  # type: ignore[return-value]

    def _read(self, text: str) -> list[int]:
        return list(self._words(text, add_special_tokens=False)["input_ids"])

    @torch.no_grad()
    def _disturbed(self, values: Tensor) -> Tensor:
        kind = self._rng.random()
        if kind < 0.2:
            latents = self._soft.encode(values).latents
            strength = 0.15 * self._rng.random()
            latents += strength * latents.std() * torch.randn(latents.shape, generator=self._noise)
            return self._soft.decode(latents).sample.clamp(-1, 1)
        if kind < 0.35:
            side = self._rng.choice((48, 64, 96))
            small = functional.interpolate(values, size=(side, side), mode="area")
            return functional.interpolate(small, size=(SIDE, SIDE), mode="bilinear")
        if kind < 0.5:
            strength = 0.15 * self._rng.random()
            return values + strength * torch.randn(values.shape, generator=self._noise)
        return values


def _cells(sample: first.Sample) -> Tensor:
    """Which shape and which colour each patch shows, (2, patches); -100 where none is asked."""
    cells = torch.full((2, SEEN), -100)
    centres = (torch.arange(SIDE // PATCH) + 0.5) * PATCH / SIDE
    for shape in sample.scene.shapes if sample.scene else ():
        far = (centres[None, :] - shape.x) ** 2 + (centres[:, None] - shape.y) ** 2
        inside = far.flatten() < (0.9 * shape.radius) ** 2
        cells[0, inside] = tuple(SHAPES).index(shape.kind)
        cells[1, inside] = tuple(COLOURS).index(shape.colour)
    return cells


def loss(
    model: Any, teach: Any, values: Tensor, tokens: Tensor, labels: Tensor, turns: Tensor,
    cells: Tensor,
) -> Tensor:  # fmt: skip
    """How far the answers are from the truth: of every turn as if it were the only one.

    `teach` asks each patch which shape and colour it belongs to: without it the eyes learn to tell
    shapes very late. It is not part of the model.
    """
    seen = model.model.vision_tower(values).last_hidden_state[:, 1:]
    heard = model.model.multi_modal_projector(seen)
    given = model.get_input_embeddings()(tokens)
    places = (tokens == model.config.image_token_index)[..., None].expand_as(given)
    given = given.masked_scatter(places, heard.to(given.dtype))
    number = torch.arange(tokens.shape[1])
    alike = turns[:, :, None] == turns[:, None, :]
    open_ = (alike | (turns[:, None, :] == 0)) & (number[:, None] >= number[None, :])
    mask = torch.zeros(open_.shape).masked_fill(~open_, torch.finfo(torch.float32).min)
    # Every turn is counted on from the picture.
    head = (turns[0] == 0).sum()
    counted = torch.where(turns > 0, head + number - alike.float().argmax(-1), number)
    said = model.model.language_model(
        inputs_embeds=given, attention_mask=mask[:, None], position_ids=counted,
        use_cache=False,
    ).last_hidden_state  # fmt: skip
    asked = labels[:, 1:] != -100
    scores = model.lm_head(said[:, :-1][asked]).float()
    kinds, colours = teach(seen).split([len(SHAPES), len(COLOURS)], dim=-1)
    return (
        functional.cross_entropy(scores, labels[:, 1:][asked])
        + functional.cross_entropy(kinds.flatten(0, 1), cells[:, 0].flatten())
        + functional.cross_entropy(colours.flatten(0, 1), cells[:, 1].flatten())
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    words = tokenizer()
    model = build(options.clip, len(words)).train()
    teach = torch.nn.Linear(WIDTH, len(SHAPES) + len(COLOURS))
    optimiser = torch.optim.AdamW(
        [*model.parameters(), *teach.parameters()], lr=1.5e-3, weight_decay=0.02, betas=(0.9, 0.98)
    )
    checkpoint, done = options.out / "checkpoint.pt", 0
    if checkpoint.exists():
        kept = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(kept["model"])
        teach.load_state_dict(kept["teach"])
        optimiser.load_state_dict(kept["optimiser"])
        done = kept["step"]
    teacher = Teacher(words, options.seed + done)
    options.out.mkdir(parents=True, exist_ok=True)
    began, losses, start = time.monotonic(), [], done
    limit = 60 * options.minutes
    for step in range(done, options.steps):
        spent = max(
            (step - start) / max(1, options.steps - start), (time.monotonic() - began) / limit
        )
        rate = (
            1.5e-3
            * min(1, (step + 1) / 100)
            * max(0.02, 0.5 * (1 + math.cos(math.pi * min(1, spent))))
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        value = loss(model, teach, *teacher.batch(options.batch))
        optimiser.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(value.item())
        if (step + 1) % 50 == 0 or step < 5:
            seconds = time.monotonic() - began
            print(f"{step + 1} loss {np.mean(losses[-50:]):.4f} {seconds:.0f} s", flush=True)
        over = spent >= 1
        if (step + 1) % 300 == 0 or over or step + 1 == options.steps:
            torch.save(
                {
                    "model": model.state_dict(),
                    "teach": teach.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step + 1,
                },
                checkpoint,
            )
            save(model, options.out / "captioner", processor(words))
        if over:
            break


if __name__ == "__main__":
    main()
