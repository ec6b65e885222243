"""The family of the diffusers library's objects: Shap-E, from words or from a picture.

The model draws latents of a field that is positive inside of a thing; the library's marching cubes
cut a surface from it, and the same field colours its corners. A card has no options for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any

import numpy as np
import torch

from studio.draft import Array, Draft
from studio.errors import InvalidRequest
from studio.families import Order, Progress, Spec
from studio.families.diffusers_folder import calling, give_back, no_numbers, open_folder
from studio.families.diffusers_inputs import picture_of
from studio.families.diffusers_memory import memory_errors, place

#: Points of the field that are looked at in one call, and calls that count as a step.
_POINTS, _CALLS = 4096, 32
#: The argument of a call that makes its pipeline one for the task.
_TAKES: Mapping[str, str] = {"text-to-3d": "prompt", "image-to-3d": "image"}


class DiffusersObjects:
    """Loads the Shap-E pipelines of the diffusers library."""

    def load(self, spec: Spec, device: str, placement: str) -> Objects:
        """The pipeline in `spec.folder`; see `studio.families.Family.load`."""
        with memory_errors(spec.name):
            pipe = open_folder(spec, device, placement)
            pipe.set_progress_bar_config(disable=True)
            place(pipe, device, placement)
        return Objects(pipe, spec)


class Objects:
    """One pipeline in memory; see `studio.families.Model`."""

    def __init__(self, pipe: Any, spec: Spec) -> None:
        """`pipe` draws latents, and holds the field that they stand for."""
        self._pipe = pipe
        self._spec = spec

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """One mesh draft per order: `vertices` in [-1, 1], y up, `faces`, and linear `colours`.

        Raises:
            InvalidRequest: if the task is not the pipeline's, or what it made has no surface.
            Unavailable: if the model computes no numbers.
        """
        steps = [self._steps(order) for order in batch]
        done, total = 0, sum(sum(parts) for parts in steps)
        for order, parts in zip(batch, steps, strict=True):
            progress.step(done, total)

            def tell(made: int, before: int = done) -> None:
                progress.step(before + made, total)

            arrays = self._sculpt(order, parts, tell)
            done += sum(parts)
            progress.step(done, total)
            yield Draft("mesh", order.index, order.seed, arrays)

    def unload(self) -> None:
        """Free the weights and give the memory back to the system."""
        self._pipe.remove_all_hooks()
        del self._pipe
        give_back()

    def _steps(self, order: Order) -> tuple[int, int]:
        """How often the denoiser is called for an order, and how many steps the surface takes."""
        if _TAKES[order.task] not in inspect.signature(self._pipe.__call__).parameters:
            raise InvalidRequest(
                f"{self._spec.name} cannot do {order.task}.", hint="Choose another model for it."
            )
        # Heun's method looks twice at each step but the last.
        self._pipe.scheduler.set_timesteps(int(order.request["steps"]))
        calls = -(-(int(order.request["detail"]) ** 3) // _POINTS)
        return len(self._pipe.scheduler.timesteps), -(-calls // _CALLS)

    def _sculpt(
        self, order: Order, steps: tuple[int, int], tell: Callable[[int], None]
    ) -> dict[str, Array]:
        pipe, request = self._pipe, order.request
        given = {"prompt": request["prompt"]} if "prompt" in request else {}
        if order.task == "image-to-3d":
            given = {"image": picture_of(order)}
        drawn, cut = steps
        renderer = pipe.shap_e_renderer
        with ExitStack() as hooks, calling(pipe, self._spec), torch.no_grad():
            hooks.enter_context(_counted(pipe.prior, lambda calls: tell(min(calls, drawn))))
            latents = pipe(
                **given,
                num_inference_steps=int(request["steps"]),
                guidance_scale=float(request["guidance"]),
                generator=torch.Generator("cpu").manual_seed(order.seed),
                output_type="latent",
            ).images
            if not latents.isfinite().all():
                raise no_numbers(self._spec.name)
            hooks.enter_context(
                _counted(renderer.mlp, lambda calls: tell(drawn + min(calls // _CALLS, cut)))
            )
            # What it would stumble over without a word: a field that is positive nowhere.
            checked = renderer.mesh_decoder.register_forward_pre_hook(self._check)
            hooks.callback(checked.remove)
            mesh = renderer.decode_to_mesh(
                latents[:1], latents.device, int(request["detail"]), _POINTS
            )
        return _arrays(mesh)

    def _check(self, _: Any, given: tuple[torch.Tensor, ...]) -> None:
        if not given[0].isfinite().all():
            raise no_numbers(self._spec.name)
        if not (given[0] > 0).any():
            raise InvalidRequest(
                f"{self._spec.name} made nothing that has a surface.",
                hint="Try another seed or other words.",
            )


@contextmanager
def _counted(module: torch.nn.Module, tell: Callable[[int], None]) -> Iterator[None]:
    """While this lasts, `tell` is told before every call of `module` how many there have been."""
    calls = count()
    handle = module.register_forward_pre_hook(lambda *_: tell(next(calls)))
    try:
        yield
    finally:
        handle.remove()


def _arrays(mesh: Any) -> dict[str, Array]:
    """The library's mesh as a draft's arrays; its z is up, and ours is y, as in glTF."""
    x, y, z = mesh.verts.float().cpu().unbind(1)
    # A colour may be no number where the field is steep; its corner is black then.
    channels = torch.stack([mesh.vertex_channels[name] for name in "RGB"], dim=1).float().cpu()
    colours = (channels.nan_to_num(0).clamp(0, 1) * 255).round().to(torch.uint8)
    return {
        "vertices": torch.stack([x, z, -y], dim=1).numpy(),
        "faces": mesh.faces.cpu().numpy().astype(np.int32),
        "colours": colours.numpy(),
    }
