"""How a diffusers pipeline is followed: its steps, its previews, and the place to stop it.

Pipelines of the library report their steps in one of two ways or not at all. Whichever it is,
`Cancelled` is raised from there: the library's own way to interrupt goes on to decode, returns
half a picture, and is ignored by some pipelines.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from studio.families import Progress
from studio.job import Preview

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

    def make_room(self) -> bool:
        """See `studio.families.Progress`."""
        return self._progress.make_room()

    @contextmanager
    def hooks(self, pipe: Any, takes: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Arguments that make `pipe` report its steps; a hook on its denoiser if it takes none."""
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
            calls = 0

            def forward(*_: Any) -> None:
                nonlocal calls
                self._made(min(calls / self.steps, 1.0), None)
                calls += 1

            denoiser = getattr(pipe, "unet", None) or pipe.transformer
            handle = denoiser.register_forward_pre_hook(forward)
            try:
                yield {}
            finally:
                handle.remove()

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
