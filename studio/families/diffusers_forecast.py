"""How much memory a diffusers pipeline will take beside its weights, before it is loaded.

The denoiser and the decoder are built from their configurations and called once, all on tensors
that have a shape and no data, while the sizes of those that are alive at the same time are added
up. What kernels take for themselves is not seen; `MARGIN` is for that, and a processor's
convolutions are counted by what they are known to take. Nor are text encoders seen, which in models
of real size take less than either.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import diffusers
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from studio.families import Order, Spec

#: A forecast is so many times what was added up.
MARGIN = 1.15
#: Allocators hand out multiples of so many bytes.
_GRAIN = 512
_CONVOLUTIONS = (torch.ops.aten.convolution.default,)
#: How many tokens of text the towers of these models make.
_CLIP_TOKENS, _T5_TOKENS = 77, 512


class Tally(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the tensors that are made while it lasts, for as long as each is alive."""

    def __init__(
        self, *modules: torch.nn.Module, device: str = "cpu", ordered: bool = False
    ) -> None:
        """Count what a call on `device` makes. The weights of `modules` do not count; with
        `ordered`, everything comes to the convolutions in the order that they want.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self._copies = device == "cpu" and not ordered
        self._alive = {
            one.untyped_storage()._cdata: 0
            for module in modules
            for one in (*module.parameters(), *module.buffers())
        }
        self._now = 0
        #: The most bytes that were alive at a time.
        self.peak = 0

    def __torch_dispatch__(
        self, call: Any, types: Any, given: Sequence[Any] = (), named: Any = None
    ) -> Any:
        """Make the call, and count what it made."""
        made = call(*given, **(named or {}))
        # oneDNN lays out what a convolution is given in an order of its own while it lasts.
        beside = given[0].nbytes if self._copies and call in _CONVOLUTIONS else 0
        for one in tree_leaves(made):
            if not isinstance(one, torch.Tensor):
                continue
            storage = one.untyped_storage()
            if storage._cdata not in self._alive:
                size = -(-storage.nbytes() // _GRAIN) * _GRAIN
                self._alive[storage._cdata] = size
                self._now += size
                self.peak = max(self.peak, self._now + beside)
                weakref.finalize(storage, self._free, storage._cdata)
        return made

    def _free(self, key: int) -> None:
        self._now -= self._alive.pop(key, 0)


def forecast(
    spec: Spec, batch: Sequence[Order], device: str, size: tuple[int, int], dtype: torch.dtype
) -> int | None:
    """Bytes that `batch`, drawn at once at `size` (width, height), takes beside the weights.

    None where the denoiser is of a kind that is not known here, or there is no such decoder.
    """
    index = json.loads((spec.folder / "model_index.json").read_text(encoding="utf-8"))
    kinds = {name: kind[1] for name, kind in index.items() if isinstance(kind, list)}
    denoiser = "unet" if kinds.get("unet") else "transformer"
    inputs = _DENOISERS.get(kinds.get(denoiser, ""))
    if inputs is None or kinds.get("vae") not in _DECODERS:
        return None
    before = torch.get_default_dtype()
    with FakeTensorMode(), torch.no_grad(), torch.device(device):
        try:
            torch.set_default_dtype(dtype)
            vae = _built(spec, "vae", kinds["vae"])
            model = _built(spec, denoiser, kinds[denoiser])
            # Some decoders overflow in half precision; the library decodes in full then.
            if dtype == torch.float16 and vae.config.force_upcast:
                vae.to(torch.float32)
            scale = 2 ** (len(vae.config.block_out_channels) - 1)
            shape = (size[1] // scale, size[0] // scale)
            with Tally(model, device=device) as denoising:
                model(**inputs(model.config, batch, shape))
            latents = torch.empty(len(batch), vae.config.latent_channels, *shape, dtype=vae.dtype)
            with Tally(vae, device=device) as decoding:
                vae.decode(latents)
            peaks = [denoising.peak, decoding.peak, _enlarging(spec, device, size)]
        finally:
            torch.set_default_dtype(before)
    return int(max(peaks) * MARGIN)


def _enlarging(spec: Spec, device: str, size: tuple[int, int]) -> int:
    """What the network that enlarges the pictures takes, if the model brings one: one by one."""
    if int(spec.options.get("upscale", 1)) == 1 or not (spec.folder / "upscaler").is_dir():
        return 0
    network = _built(spec, "upscaler", "AutoencoderTiny")
    picture = torch.empty(1, 3, size[1], size[0])
    with Tally(network, device=device, ordered=True) as enlarging:
        network.decode(network.encode(picture).latents)
    return int(enlarging.peak)


def _built(spec: Spec, part: str, kind: str) -> Any:
    """The part, of the class `kind`, from its configuration; its weights have no data."""
    known = getattr(diffusers, kind)
    return known.from_config(known.load_config(spec.folder / part, local_files_only=True)).eval()


def _for_unet(config: Any, batch: Sequence[Order], shape: tuple[int, int]) -> dict[str, Any]:
    # With guidance every picture is denoised twice, with the words and without them.
    count = len(batch) * (2 if float(batch[0].request.get("guidance") or 0) > 1 else 1)
    given: dict[str, Any] = {
        "sample": torch.empty(count, config.in_channels, *shape),
        "timestep": torch.tensor(1),
        "encoder_hidden_states": torch.empty(count, _CLIP_TOKENS, config.cross_attention_dim),
    }
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        given["added_cond_kwargs"] = {
            "text_embeds": torch.empty(count, pooled),
            "time_ids": torch.empty(count, 6),
        }
    return given


def _for_flux(config: Any, batch: Sequence[Order], shape: tuple[int, int]) -> dict[str, Any]:
    count, tokens = len(batch), (shape[0] // 2) * (shape[1] // 2)
    return {
        "hidden_states": torch.empty(count, tokens, config.in_channels),
        "timestep": torch.empty(count),
        "guidance": torch.empty(count) if config.guidance_embeds else None,
        "pooled_projections": torch.empty(count, config.pooled_projection_dim),
        "encoder_hidden_states": torch.empty(count, _T5_TOKENS, config.joint_attention_dim),
        "txt_ids": torch.empty(_T5_TOKENS, 3),
        "img_ids": torch.empty(tokens, 3),
    }


_Inputs = Callable[[Any, Sequence[Order], tuple[int, int]], dict[str, Any]]

#: What the denoisers that are known here are called with, and the decoders.
_DENOISERS: Mapping[str, _Inputs] = MappingProxyType(
    {"UNet2DConditionModel": _for_unet, "FluxTransformer2DModel": _for_flux}
)
_DECODERS = ("AutoencoderKL", "AutoencoderTiny")
