"""Stage 4: the text tower, taught to say what a caption says.

No picture is needed for that: the scene that a caption was written from is its meaning. The last
places of a padded caption, which attend to every word, learn to hold one answer each: the first
group of things, the second, the place, and so on. The denoiser's cross-attention then finds the
same question answered at the same place in every caption, whatever its wording, and a colour is
bound to its thing before the first picture is drawn.

The tower knows nothing of pictures, so it never judges any.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from chance import chance
from judge.scenes import setting_of
from loop import Loop
from recipe import TOKENS, Run
from supply import sayings
from torch import Tensor, nn
from torch.nn import functional
from world.colours import COLOURS
from world.objects import KINDS
from world.scene import (
    NATURAL,
    PLACES,
    POSITIONS,
    RELATIONS,
    SIZES,
    STYLES,
    TIMES,
    WEATHERS,
    Scene,
)

from stages import tokenizer as tokenizers

_GROUP = {
    "kind": ("", *KINDS),
    "colour": ("", *COLOURS),
    "count": ("0", "1", "2", "3", "4"),
    "size": SIZES,
}
_QUESTIONS: tuple[Mapping[str, Sequence[str]], ...] = (
    {f"first {name}": answers for name, answers in _GROUP.items()},
    {f"second {name}": answers for name, answers in _GROUP.items()},
    {"setting": ("", *COLOURS, *PLACES), "place colour": ("", *COLOURS)},
    {"style": STYLES, "time": ("", *TIMES), "weather": WEATHERS},
    {"relation": ("", *RELATIONS), "position": ("", *POSITIONS)},
)
"""What each of the last places is asked, with the possible answers."""

_POSSIBLE = {name: answers for place in _QUESTIONS for name, answers in place.items()}


def questions() -> tuple[str, ...]:
    """The names of all questions, in order."""
    return tuple(_POSSIBLE)


def answers(scene: Scene) -> tuple[str, ...]:
    """What a caption of the scene says, question by question; "" where it says nothing."""
    said = {
        "setting": setting_of(scene) if scene.place_said else "",
        "place colour": scene.place_colour,
        "style": scene.style,
        "time": scene.time,
        "weather": scene.weather,
        "relation": scene.relation,
        "position": scene.position,
        "second count": "0",
    }
    for place, group in zip(("first", "second"), scene.groups, strict=False):
        named = group.colour_said or group.kind in NATURAL
        said[f"{place} kind"] = group.kind
        said[f"{place} colour"] = group.colour if named else ""
        said[f"{place} count"] = str(group.count)
        said[f"{place} size"] = group.size
    return tuple(said.get(name, "") for name in _POSSIBLE)


class Reader(nn.Module):
    """A text tower and, only while it learns, one linear answer for every question."""

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower
        width = tower.config.hidden_size
        self.heads = nn.ModuleList(
            nn.Linear(width, sum(map(len, questions.values()))) for questions in _QUESTIONS
        )

    def forward(self, identifiers: Tensor) -> list[Tensor]:
        """Token numbers (n, tokens) → for every question, (n, answers) logits."""
        states = self.tower(identifiers)[0][:, -len(_QUESTIONS) :]
        return [
            part
            for number, questions in enumerate(_QUESTIONS)
            for part in self.heads[number](states[:, number]).split(
                [len(names) for names in questions.values()], dim=1
            )
        ]


def build(run: Run, tokens: int) -> Any:
    """An untrained text tower."""
    from transformers import CLIPTextConfig, CLIPTextModel

    shape = run.recipe.shape
    return CLIPTextModel(
        CLIPTextConfig(
            hidden_size=shape.text_width,
            intermediate_size=2 * shape.text_width,
            num_hidden_layers=shape.text_layers,
            num_attention_heads=max(1, shape.text_width // 32),
            projection_dim=shape.text_width,
            vocab_size=tokens,
            max_position_embeddings=TOKENS,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=1,
        )
    )


def identifiers(
    tokenizer: Any, captions: list[str], device: torch.device, length: int = TOKENS
) -> Tensor:
    """Token numbers (captions, length), int64, padded or cut to one length."""
    encoded = tokenizer(
        captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
    )
    numbers: Tensor = encoded.input_ids
    return numbers.to(device)


def load(run: Run) -> Any:
    """The trained tower of this run."""
    from transformers import CLIPTextModel

    tower = CLIPTextModel.from_pretrained(run.folder / "tower", dtype=torch.float32)
    return tower.to(run.device).eval()


def train(run: Run) -> float:
    """Train the tower; returns the share of captions of withheld pairs of which it gets everything
    right.
    """
    budget = run.recipe.text
    torch.manual_seed(run.seed)
    tokenizer = tokenizers.load(run)
    reader = Reader(build(run, len(tokenizer))).to(run.device).train()
    loop = Loop("text", run.folder / "text", budget, [reader], run.seed, weight_decay=0.05)

    def read(count: int, rng: random.Random, withheld: float = 0.0) -> tuple[list[Tensor], Tensor]:
        """For every question its (count, answers) logits; the right answers (count, questions)."""
        scenes, captions = sayings(count, rng, withheld=withheld)
        right = [
            [
                _POSSIBLE[name].index(said)
                for name, said in zip(_POSSIBLE, answers(scene), strict=True)
            ]
            for scene in scenes
        ]
        wanted = torch.tensor(right, device=run.device)
        return reader(identifiers(tokenizer, captions, run.device)), wanted

    def step(number: int) -> Tensor:
        guessed, wanted = read(budget.batch, chance(run.seed + 300, number))
        return torch.stack(
            [
                functional.cross_entropy(part, column)
                for part, column in zip(guessed, wanted.T, strict=True)
            ]
        ).sum()

    loop.run(step)
    reader.eval().tower.save_pretrained(run.folder / "tower")
    with torch.no_grad():
        guessed, wanted = read(1000, random.Random(run.seed + 902), withheld=1.0)
    found = torch.stack([part.argmax(dim=1) for part in guessed], dim=1)
    return float((found == wanted).all(dim=1).float().mean())
