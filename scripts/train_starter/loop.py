"""The loop that every stage trains in: a budget of steps, a schedule, an average of the weights, a
log, checkpoints.

A stage that is interrupted goes on from its last checkpoint, and one that ended from its end when
its budget is raised. What is random in a step follows from its number, so neither sees anything
twice.

Under `torchrun` several processes learn one model: each on data of its own, their gradients
averaged after every step, so that all have the same weights. On a processor several processes of
one thread each get through more pictures than one of several threads does.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from chance import seed_of
from torch import Tensor, distributed, nn


@dataclass(frozen=True, slots=True)
class Budget:
    """How long and how fast a stage learns."""

    steps: int
    batch: int
    rate: float
    warm_up: int = 200
    decay_from: float = 0.4
    average: float = 0.999

    def rate_at(self, step: int) -> float:
        """A warm-up, a plateau, and a cosine down to a hundredth."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        progress = step / max(1, self.steps)
        if progress < self.decay_from:
            return self.rate
        share = (progress - self.decay_from) / (1 - self.decay_from)
        return self.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def rank() -> int:
    """Which of the processes that learn together this one is; the first one writes."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def _share(gradients: list[Tensor]) -> None:
    """Over all processes, as one message."""
    whole = torch.cat([one.reshape(-1) for one in gradients])
    distributed.all_reduce(whole)
    whole /= distributed.get_world_size()
    for one, part in zip(gradients, whole.split([one.numel() for one in gradients]), strict=True):
        one.copy_(part.view_as(one))


@dataclass(slots=True)
class Loop:
    """Trains `modules` by a function that returns the loss of one step."""

    name: str
    folder: Path
    budget: Budget
    modules: Sequence[nn.Module]
    seed: int = 0
    weight_decay: float = 0.01
    slow: Sequence[nn.Module] = ()
    checkpoint_every: int = 500
    log_every: int = 50
    at_checkpoint: Callable[[int], None] | None = None
    #: Whether all processes run this loop, on data of their own; else only one does.
    together: bool = False
    _average: list[Tensor] = field(default_factory=list)

    def _trained(self) -> list[nn.Parameter]:
        return [
            weight
            for module in (*self.modules, *self.slow)
            for weight in module.parameters()
            if weight.requires_grad
        ]

    def run(self, step_loss: Callable[[int], Tensor]) -> None:
        """Train to the end of the budget; afterwards the modules hold the averaged weights.

        `step_loss` is given the number of the step. Torch's random numbers in it follow from the
        loop's seed, from that number, and from which of several processes this one is.

        Raises:
            FloatingPointError: if the loss is no longer a number.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        slow = {id(weight) for module in self.slow for weight in module.parameters()}
        weights = self._trained()
        groups = [
            {"params": [weight for weight in weights if id(weight) not in slow], "factor": 1.0},
            {"params": [weight for weight in weights if id(weight) in slow], "factor": 0.3},
        ]
        optimizer = torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self.budget.rate,
            betas=(0.9, 0.98),
            weight_decay=self.weight_decay,
            fused=True,
        )
        self._average = [weight.detach().clone() for weight in weights]
        start = self._resume(weights, optimizer)
        began, losses = time.perf_counter(), []
        for step in range(start, self.budget.steps):
            last = step + 1 == self.budget.steps
            torch.manual_seed(seed_of(self.seed + rank(), step))
            for group in optimizer.param_groups:
                group["lr"] = self.budget.rate_at(step) * group["factor"]
            loss = step_loss(step)
            loss.backward()  # type: ignore[no-untyped-call]
            if self.together and distributed.is_initialized():
                _share([weight.grad for weight in weights if weight.grad is not None])
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            keep = min(self.budget.average, (1 + step) / (10 + step))
            torch._foreach_lerp_(self._average, [weight.detach() for weight in weights], 1 - keep)
            if rank() > 0:
                continue
            losses.append(loss.detach())
            if (step + 1) % self.log_every == 0 or last:
                self._log(step + 1, torch.stack(losses).mean().item(), time.perf_counter() - began)
                losses = []
            if (step + 1) % self.checkpoint_every == 0 or last:
                self._checkpoint(step + 1, weights, optimizer)
                if self.at_checkpoint is not None:
                    with self._averaged(weights):
                        self.at_checkpoint(step + 1)
        for weight, averaged in zip(weights, self._average, strict=True):
            weight.data.copy_(averaged)

    @contextmanager
    def _averaged(self, weights: Sequence[Tensor]) -> Iterator[None]:
        """The modules with their averaged weights, for as long as it takes to look at them."""
        current = [weight.detach().clone() for weight in weights]
        for weight, averaged in zip(weights, self._average, strict=True):
            weight.data.copy_(averaged)
        yield
        for weight, kept in zip(weights, current, strict=True):
            weight.data.copy_(kept)

    def _log(self, step: int, loss: float, seconds: float) -> None:
        if not math.isfinite(loss):
            raise FloatingPointError(f"{self.name}: the loss is {loss} at step {step}")
        line = {
            "stage": self.name,
            "step": step,
            "of": self.budget.steps,
            "loss": round(loss, 5),
            "seconds": round(seconds, 1),
        }
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")
        print(f"{self.name} {step}/{self.budget.steps} loss {loss:.4f} {seconds:.0f} s", flush=True)

    def _checkpoint(
        self, step: int, weights: Sequence[Tensor], optimizer: torch.optim.Optimizer
    ) -> None:
        state = {
            "step": step,
            "weights": [weight.detach() for weight in weights],
            "average": self._average,
            "buffers": [dict(module.named_buffers()) for module in (*self.modules, *self.slow)],
            "optimizer": optimizer.state_dict(),
        }
        fresh = self.folder / "checkpoint.new"
        torch.save(state, fresh)
        fresh.replace(self.folder / "checkpoint.pt")

    def _resume(self, weights: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> int:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return 0
        state = torch.load(path, weights_only=True, map_location=weights[0].device)
        for weight, saved in zip(weights, state["weights"], strict=True):
            weight.data.copy_(saved)
        self._average = list(state["average"])
        for module, buffers in zip((*self.modules, *self.slow), state["buffers"], strict=True):
            for name, buffer in module.named_buffers():
                buffer.copy_(buffers[name])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])
