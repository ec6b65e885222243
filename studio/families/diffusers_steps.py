"""How a diffusers pipeline is followed: its steps, its previews, and the place to stop it.

Pipelines of the library report their steps in one of two ways or not at all. Whichever it is,
`Cancelled` is raised from there: the library's own way to interrupt goes on to decode, returns
half a picture, and is ignored by some pipelines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import torch

from studio.families import Progress
from studio.job import Preview

#: The longest side of a preview in pixels.
PREVIEW_SIDE = 128
#: The least seconds between two previews.
PREVIEW_SECONDS = 0.3
#: The most that previews may take of the time.
PREVIEW_SHARE = 0.05

Look = Callable[[torch.Tensor], Sequence[Preview] | None]


class Follower:
    """Follows one call of a pipeline, which may be one of several that make up a batch."""

    def __init__(
        self,
        progress: Progress,
        *,
        steps: int,
        done: int,
        total: int,
        before: int,
        after: int,
        look: Look | None,
    ) -> None:
        """`steps` of this call, `done` of the batch's `total` before it; orders likewise.

        `look` makes a preview of each latent; without it there are none.
        """
        self.steps = steps
        self._progress = progress
        self._done, self._total = done, total
        self._before, self._after = before, after
        self._look = look
        self._next_look = time.monotonic() + PREVIEW_SECONDS

    def then(self, steps: int) -> Follower:
        """One for a further call, of so many steps, for the same orders; without previews."""
        return Follower(
            self._progress,
            steps=steps,
            done=self._done + self.steps,
            total=self._total,
            before=self._before,
            after=self._after,
            look=None,
        )

    def make_room(self) -> bool:
        """See `studio.families.Progress`."""
        return self._progress.make_room()

    @contextmanager
    def hooks(self, pipe: Any, takes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Arguments that make `pipe` report its steps; one on its scheduler if it takes none."""
        self._progress.step(self._done, self._total)
        if "callback_on_step_end" in takes:

            def step_end(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
                # Some schedulers run more inner steps than were asked for; on a given picture
                # only the last of them are made.
                inner = getattr(pipe, "num_timesteps", None) or len(pipe.scheduler.timesteps)
                self._made((step + 1) / inner, tensors.get("latents"))
                return tensors

            yield {"callback_on_step_end": step_end}
        elif "callback" in takes:

            def callback(step: int, _: Any, latents: torch.Tensor) -> None:
                self._made((step + 1) / self.steps, latents)

            yield {"callback": callback, "callback_steps": 1}
        else:
            # Once for each step, however often the denoiser is asked in it.
            plain, calls = pipe.scheduler.step, count(1)

            def step(*given: Any, **named: Any) -> Any:
                made = plain(*given, **named)
                self._made(next(calls) / len(pipe.scheduler.timesteps), None)
                return made

            pipe.scheduler.step = step
            try:
                yield {}
            finally:
                # The library's own method, which this one had hidden.
                del pipe.scheduler.step

    def _made(self, share: float, latents: torch.Tensor | None) -> None:
        """This `share` of the call's steps is made; `Cancelled` passes through."""
        done = self._done + round(share * self.steps)
        self._progress.step(done, self._total, self._previews(latents))

    def _previews(self, latents: torch.Tensor | None) -> Sequence[Preview | None]:
        began = time.monotonic()
        if self._look is None or latents is None or began < self._next_look:
            return ()
        try:
            shown = self._look(latents)
        except (AttributeError, MemoryError, RuntimeError, TypeError, ValueError):
            # A decoder of a kind not known here, or no memory for it: no reason to lose the
            # picture itself.
            shown = None
        if shown is None:
            self._look = None
            return ()
        now = time.monotonic()
        self._next_look = now + max(PREVIEW_SECONDS, (now - began) / PREVIEW_SHARE)
        return [*[None] * self._before, *shown, *[None] * self._after]


def small_pictures(pipe: Any, latents: torch.Tensor) -> list[Preview]:
    """A small picture of each latent (n, channels, height, width)."""
    vae = pipe.vae
    # Shrunk before decoding: that costs a fraction, and averages some of the noise away.
    shrink = max(latents.shape[-2:]) * pipe.vae_scale_factor / PREVIEW_SIDE
    if shrink > 1:
        latents = torch.nn.functional.interpolate(latents, scale_factor=1 / shrink, mode="area")
    shift = getattr(vae.config, "shift_factor", None) or 0.0
    stored = vae.dtype
    # Some decoders overflow in half precision; the library decodes those in full, too.
    overflows = stored == torch.float16 and getattr(vae.config, "force_upcast", False)
    dtype = torch.float32 if overflows else stored
    try:
        vae.to(dtype=dtype)
        with torch.no_grad():
            scaled = latents.to(dtype) / vae.config.scaling_factor + shift
            # The class's own: no other model is evicted for the sake of a preview.
            decoded = type(vae).decode(vae, scaled, return_dict=False)[0]
    finally:
        vae.to(dtype=stored)
    colours = ((decoded.float() / 2 + 0.5).nan_to_num(0.5).clamp(0, 1) * 255).round()
    pixels = colours.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    pixels = pixels[:, :PREVIEW_SIDE, :PREVIEW_SIDE]
    return [Preview(one.shape[1], one.shape[0], one.tobytes()) for one in pixels]
