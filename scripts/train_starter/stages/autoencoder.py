"""Stage 3: the autoencoder. Its encoder is computed, not trained; its decoder is trained.

The encoder is the exact principal-component projection of 8 × 8 patches, written into the
convolutions of diffusers' `AutoencoderTiny`: the latents are fixed from the first minute, so that
the denoiser learns on them while the decoder is still learning, and nothing ever drifts. The
decoder is trained on disturbed latents, because a denoiser's are disturbed.
"""

from __future__ import annotations

from typing import Any

import torch
from loop import Loop
from recipe import LATENTS, SIZE, Run
from supply import Order, Supply, make
from torch import Tensor, nn
from torch.nn import functional

from stages.judging import Measures, fresh, verdicts
from stages.judging import load as load_judge

_PATCH_COMPONENTS = 24  # of the 48 numbers in a 4 × 4 patch: what is left out is below a bit
_WIDTH = 4 * _PATCH_COMPONENTS
_WHITENING = 0.45  # 0: latents keep their natural deviations; 1: all alike


def _components(rows: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, leading directions (count, width) and their deviations."""
    mean = rows.mean(dim=0)
    values, vectors = torch.linalg.eigh(torch.cov((rows - mean).T))
    order = values.argsort(descending=True)[:count]
    return mean, vectors[:, order].T, values[order].clamp_min(1e-10).sqrt()


def _gather(pictures: Tensor) -> Tensor:
    """(n, c, h, w) → (n, 4c, h/2, w/2): each 2 × 2 neighbourhood in one cell, ordered (row, column,
    channel).
    """
    number, channels, height, width = pictures.shape
    cells = pictures.reshape(number, channels, height // 2, 2, width // 2, 2)
    return cells.permute(0, 3, 5, 1, 2, 4).reshape(number, 4 * channels, height // 2, width // 2)


def _rows(cells: Tensor) -> Tensor:
    return cells.permute(0, 2, 3, 1).reshape(-1, cells.shape[1])


def _write_gather(convolution: nn.Conv2d, channels: int, matrix: Tensor | None = None) -> None:
    """Make a strided convolution gather 2 × 2 neighbourhoods, through a matrix if one is given."""
    if matrix is None:
        matrix = torch.eye(4 * channels)
    for row in (0, 1):
        for column in (0, 1):
            first = (2 * row + column) * channels
            convolution.weight[: len(matrix), :channels, 1 + row, 1 + column] = matrix[
                :, first : first + channels
            ]


@torch.no_grad()
def compute_encoder(vae: Any, pictures: Tensor) -> None:
    """Write the projection that these pictures (n, 3, h, w; 0 to 1) call for into the encoder."""
    layers = [layer for layer in vae.encoder.layers if isinstance(layer, nn.Conv2d)]
    for layer in layers:
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    small = _gather(_gather(pictures))
    _, directions, _ = _components(_rows(small), _PATCH_COMPONENTS)
    # No bias in the strided convolutions, so the mean is left in and taken out at the end.
    projected = torch.einsum("nchw,kc->nkhw", small, directions)
    large = _rows(_gather(projected))
    mean, axes, deviations = _components(large, LATENTS)
    gain = (deviations / deviations[0]) ** (1 - _WHITENING) / deviations
    gain = gain / ((gain * deviations) ** 2).mean().sqrt()
    final = axes * gain[:, None]
    for channel in range(3):
        layers[0].weight[channel, channel, 1, 1] = 1
    _write_gather(layers[1], 3)
    _write_gather(layers[2], 12, directions)
    _write_gather(layers[3], _PATCH_COMPONENTS)
    layers[4].weight[:, :, 1, 1] = final
    layers[4].bias.copy_(-final @ mean)


def build(run: Run) -> Any:
    """The untrained autoencoder with its computed encoder."""
    from diffusers import AutoencoderTiny

    shape = run.recipe.shape
    vae = AutoencoderTiny(
        encoder_block_out_channels=(_WIDTH,) * 4,
        decoder_block_out_channels=(shape.decoder_width,) * 4,
        num_encoder_blocks=(0, 0, 0, 0),
        num_decoder_blocks=shape.decoder_blocks,
        latent_channels=LATENTS,
        scaling_factor=1.0,
    )
    _, _, pictures = make(Order(SIZE, run.seed + 200), min(1500, 20 * run.recipe.gate_pictures))
    compute_encoder(vae, torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)
    for name, weight in vae.decoder.named_parameters():
        if name.endswith(("conv.4.weight", "conv.4.bias")):
            nn.init.zeros_(weight)  # residual blocks begin as the identity
    vae.encoder.requires_grad_(False)
    return vae


def load(run: Run) -> Any:
    """The trained autoencoder of this run."""
    from diffusers import AutoencoderTiny

    vae = AutoencoderTiny.from_pretrained(run.pipeline / "vae", dtype=torch.float32)
    vae.register_to_config(_name_or_path="")  # the folder of a training is nobody's business
    return vae.to(run.device).eval()


def as_values(pictures: Tensor) -> Tensor:
    """Bytes (n, h, w, 3) → values (n, 3, h, w) from -1 to 1."""
    return pictures.permute(0, 3, 1, 2).float() / 127.5 - 1


def as_bytes(values: Tensor) -> Tensor:
    """The way back."""
    return ((values.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


class Encoder:
    """The encoder as what it is: one matrix for every patch of 8 × 8 pixels."""

    _SIDE = 8

    @torch.no_grad()
    def __init__(self, vae: Any, device: torch.device) -> None:
        inputs = 3 * self._SIDE**2
        patches = torch.cat([torch.zeros(1, inputs), torch.eye(inputs)]).to(device)
        made = vae.encode(patches.view(-1, 3, self._SIDE, self._SIDE)).latents.flatten(1)
        self._shift, self._matrix = made[0], made[1:] - made[0]

    def __call__(self, values: Tensor) -> Tensor:
        """Values (n, 3, h, w) from -1 to 1 → latents (n, LATENTS, h/8, w/8)."""
        number, _, height, width = values.shape
        rows = functional.pixel_unshuffle(values, self._SIDE).flatten(2).transpose(1, 2)
        latents = torch.addmm(self._shift, rows.flatten(0, 1), self._matrix)
        return latents.view(number, height // 8, width // 8, -1).permute(0, 3, 1, 2)


def reconstruction_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Values and edges: a flat world is mostly edges."""
    difference = made - wanted
    across = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    down = (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
    return difference.abs().mean() + 0.5 * (across + down) + difference.pow(2).mean()


def decoding_loss(vae: Any, latents: Tensor, wanted: Tensor, disturbance: float) -> Tensor:
    """How far what the decoder makes of latents (n, c, h, w) is from the values (n, 3, 8h, 8w) that
    are wanted, when each has noise of a deviation of up to `disturbance`.
    """
    noise = disturbance * torch.rand(len(latents), 1, 1, 1, device=latents.device)
    disturbed = latents + noise * torch.randn_like(latents)
    made = vae.decode(disturbed.contiguous(memory_format=torch.channels_last)).sample
    return reconstruction_loss(made.float(), wanted)


def train(run: Run, data: Supply) -> None:
    """Train the decoder."""
    budget = run.recipe.autoencoder
    torch.manual_seed(run.seed)
    vae = build(run).to(run.device, memory_format=torch.channels_last)
    encode = Encoder(vae, run.device)
    place = run.folder / "autoencoder"
    loop = Loop("autoencoder", place, budget, [vae], run.seed, weight_decay=0.0)

    def step(number: int) -> Tensor:
        wanted = as_values(torch.from_numpy(data.draw(budget.batch, number)[2]).to(run.device))
        latents = encode(wanted)
        with torch.autocast(run.device.type, torch.bfloat16, enabled=run.recipe.bfloat16):
            return decoding_loss(vae, latents, wanted, 0.15)

    loop.run(step)
    vae.save_pretrained(run.pipeline / "vae")


def measure(run: Run) -> Measures:
    """What the judge of this run reads in fresh renders after a round trip, of which the gate asks
    for a part.
    """
    scenes, pictures = fresh(run.recipe.gate_pictures, run.seed + 901)
    return verdicts(load_judge(run), scenes, round_trip(load(run), pictures, run.device))


@torch.no_grad()
def round_trip(vae: Any, pictures: Tensor, device: torch.device) -> Tensor:
    """Bytes (n, h, w, 3), encoded and decoded again."""
    parts = []
    for start in range(0, len(pictures), 50):
        values = as_values(pictures[start : start + 50].to(device))
        parts.append(as_bytes(vae.decode(vae.encode(values).latents).sample).cpu())
    return torch.cat(parts)
