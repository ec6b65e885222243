"""Train the starter film model: one UNet that draws all frames of a film at once.

    python scripts/train_starter/film.py --out training/film

A film is one latent picture whose channels are the channels of its sixteen frames, and frames that
are given are held while the others are drawn, so that one model starts films, sets pictures in
motion, goes on, and leads from one picture to another (masked conditional video diffusion, Voleti
et al. 2022). A film then costs what a picture costs, which a processor can learn. It learns films
themselves, not noise: a film's many channels hold little that is new, and a narrow network has no
room to carry their noise through. The latents are the shipped picture model's, whose decoder draws
them; the text tower begins as the picture model's. Budgets are in steps: an interrupted training
goes on from its last checkpoint, one whose `--steps` are raised from its end.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch
import vocabulary
from chance import chance
from continue_first import tokens
from evaluate import MODEL, load
from loop import Budget, Loop
from stages.autoencoder import Encoder, as_values
from stages.denoiser import signal_left
from torch import Tensor, nn
from world import motion

FRAMES = 16
SIZE = 128
CHANNELS = (96, 112, 112)
#: The frames of a film agree in most that they say, so that noise hides less of a film than of one
#: picture: it takes about sixteen times as much, which triples the betas.
BETAS = (0.0025, 0.036)
#: No noise level counts more than this many times as much as pure noise.
_MOST_WEIGHT = 10.0
#: What moves is a thirtieth of a film's variance, and most of what is asked of it.
_MOVING_COUNTS = 8.0
_UNCONDITIONAL = 0.1
#: How often a caption names no motion: somebody's picture is to move, and how is left open.
_UNSAID = 0.08
#: Which frames are given, and how often: none, the first, first and last, the first four, the last.
_GIVEN: tuple[tuple[float, tuple[int, ...]], ...] = (
    (0.40, ()),
    (0.38, (0,)),
    (0.08, (0, FRAMES - 1)),
    (0.09, (0, 1, 2, 3)),
    (0.05, (FRAMES - 1,)),
)


def scheduler() -> Any:
    """Zero terminal signal, few steps, and the film itself as what is guessed."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=BETAS[0],
        beta_end=BETAS[1],
        prediction_type="sample",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def build(pipeline: Any) -> Any:
    """An untrained UNet over that pipeline's latents, whose residual branches begin at zero."""
    from diffusers import UNet2DConditionModel

    pictures = pipeline.unet.config
    unet = UNet2DConditionModel(
        sample_size=pictures.sample_size,
        in_channels=FRAMES * pictures.in_channels,
        out_channels=FRAMES * pictures.in_channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=CHANNELS,
        layers_per_block=1,
        cross_attention_dim=pictures.cross_attention_dim,
        attention_head_dim=4,
        norm_num_groups=16,
    )
    for name, weight in unet.named_parameters():
        if ".conv2." in name or ".proj_out." in name:
            nn.init.zeros_(weight)
    return unet


class Reel:
    """A ring of films: latents (channels, side, side) in half precision, and token numbers."""

    def __init__(self, pipeline: Any, capacity: int, seed: int) -> None:
        pictures = pipeline.unet.config
        side = pictures.sample_size
        self._latents = torch.empty(
            capacity, FRAMES * pictures.in_channels, side, side, dtype=torch.float16
        )
        self._tokens: list[Tensor] = [torch.empty(0)] * capacity
        self._encode, self._pipeline = Encoder(pipeline.vae, torch.device("cpu")), pipeline
        self._seed = seed
        self._made = 0

    def shoot(self, count: int, number: int) -> None:
        """Films over the oldest ones, which follow from the reel's seed and from `number`; as many
        as there is room for while there are none.
        """
        rng = chance(self._seed, number)
        films = [motion.sample(rng) for _ in range(count if self._made else len(self._tokens))]
        said = [film.subject if rng.random() < _UNSAID else film.caption for film in films]
        numbers = tokens(self._pipeline, said)
        for film, words in zip(films, numbers, strict=True):
            place = self._made % len(self._tokens)
            frames = torch.from_numpy(film.render(FRAMES, SIZE))
            self._latents[place] = self._encode(as_values(frames)).flatten(0, 1).half()
            self._tokens[place] = words
            self._made += 1

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Random films: float latents (count, frames × channels, side, side), and token numbers
        (count, length).
        """
        filled = min(self._made, len(self._tokens))
        chosen = torch.randint(filled, (count,)).tolist()
        return self._latents[chosen].float(), torch.stack([self._tokens[one] for one in chosen])


def given_frames(count: int, channels: int) -> Tensor:
    """Which channels of each film are given: booleans (count, frames × channels, 1, 1)."""
    shares = torch.tensor([share for share, _ in _GIVEN])
    given = torch.zeros(count, FRAMES, dtype=torch.bool)
    for film, which in zip(given, torch.multinomial(shares, count, True).tolist(), strict=True):
        film[list(_GIVEN[which][1])] = True
    return given.repeat_interleave(channels, dim=1)[:, :, None, None]


def train(folder: Path, budget: Budget, seed: int, capacity: int, fresh: int) -> None:
    """Train to the end of the budget, then write the model below `folder`."""
    torch.manual_seed(seed)
    pipeline = load(MODEL)
    unet = build(pipeline).to(memory_format=torch.channels_last).train()
    tower = pipeline.text_encoder.train()
    signal = signal_left(scheduler())
    weights = (1 / (1 - signal)).clamp(max=_MOST_WEIGHT)
    empty = tokens(pipeline, [""])[0]
    reel = Reel(pipeline, capacity, seed)
    channels = pipeline.unet.config.in_channels

    def step(number: int) -> Tensor:
        reel.shoot(fresh, number)
        latents, numbers = reel.draw(budget.batch)
        numbers[torch.rand(len(numbers)) < _UNCONDITIONAL] = empty
        when = torch.randint(len(signal), (len(latents),))
        kept = signal[when].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * latents + (1 - kept).sqrt() * torch.randn_like(latents)
        given = given_frames(len(latents), channels)
        noisy = torch.where(given, latents, noisy).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):  # twice as fast, also on a processor
            guessed: Tensor = unet(noisy, when, tower(numbers)[0]).sample
        wrong = (guessed.float() - latents).masked_fill(given, 0)
        wrong = wrong.view(len(wrong), FRAMES, channels, *wrong.shape[2:])
        still = wrong.mean(dim=1, keepdim=True)
        missed = still.pow(2).mean(dim=(1, 2, 3, 4))
        missed = missed + _MOVING_COUNTS * (wrong - still).pow(2).mean(dim=(1, 2, 3, 4))
        loss: Tensor = (weights[when] * missed).mean()
        return loss

    def keep(_: int) -> None:
        unet.eval(), tower.eval()
        write(folder / "film", pipeline, unet)
        unet.train(), tower.train()

    Loop(
        "film", folder, budget, [unet], seed, slow=[tower], checkpoint_every=250, at_checkpoint=keep
    ).run(step)
    keep(budget.steps)


def write(folder: Path, pipeline: Any, unet: Any) -> None:
    """UNet, text tower, scheduler and vocabulary, halved; the picture model has the rest."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextModel

    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    # Copies: halving in place would halve what is still learning.
    parts = {
        "unet": UNet2DConditionModel.from_config(unet.config),
        "text_encoder": CLIPTextModel(pipeline.text_encoder.config),
    }
    for (name, copy), learned in zip(parts.items(), (unet, pipeline.text_encoder), strict=True):
        copy.load_state_dict(learned.state_dict())
        copy.half().save_pretrained(new / name)
    scheduler().save_pretrained(new / "scheduler")
    known = vocabulary.document(motion.vocabulary())
    (new / "vocabulary.json").write_text(known, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=11_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--films", type=int, default=6_000, help="how many are kept at a time")
    parser.add_argument("--fresh", type=int, default=12, help="new films per step")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    budget = Budget(options.steps, options.batch, options.rate, 100, decay_from=0.5, average=0.998)
    train(options.out, budget, options.seed, options.films, options.fresh)


if __name__ == "__main__":
    main()
