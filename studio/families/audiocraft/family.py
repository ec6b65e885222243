"""The family `audiocraft`: AudioGen and MAGNeT, in a process of another Python."""

from __future__ import annotations

import json
import math
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from studio import mastering
from studio.draft import Draft
from studio.errors import Broken, InvalidRequest, OutOfMemory, StudioError, Unavailable
from studio.families import Model, Order, Progress, Spec

#: The Python that has audiocraft in it; the host sets it from the setting `audiocraft_python`.
PYTHON = "STUDIO_AUDIOCRAFT_PYTHON"
_WORKER = Path(__file__).with_name("worker.py")
#: Seconds that a loop's end and beginning share, if it is long enough for that.
_OVERLAP = 1.0


class Audiocraft:
    """Loads AudioGen and MAGNeT, translated by `worker.py convert`.

    Card option: `arguments`, for the library's `set_generation_params`.
    """

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The model in `spec.folder`, in a process of its own; every placement is `full`.

        Raises:
            Unavailable: if there is no Python with audiocraft, or it cannot load the weights.
            OutOfMemory: if the device could not hold it.
        """
        if PYTHON not in os.environ:
            raise Unavailable(
                "audiocraft is not set up on this machine.",
                hint="Run scripts/install_audiocraft; it says what to put into the settings.",
            )
        if not (spec.folder / "model.safetensors").is_file():
            raise Unavailable(
                f"The weights of {spec.name} have not been translated from their pickles.",
                hint="docs/audiocraft.md says how; it is done once.",
            )
        return Remote(spec, device)


class Remote:
    """A model in another process."""

    def __init__(self, spec: Spec, device: str) -> None:
        self._spec = spec
        self._device = device
        self._start()

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts of the asked length, float32 (samples, channels), one by one.

        One step is one of the library's own. A loop's end is faded into its beginning.

        Raises:
            InvalidRequest: if a sound is to be longer than the model's window.
            Unavailable: if the weights compute what is no number, or the library refuses.
            Cancelled: as `progress` raised it.
            OutOfMemory: if the device could not hold it.
            Broken: if the process ended.
        """
        if self._process.poll() is not None:
            self.unload()
            self._start()
        lengths = [self._seconds(order.request) for order in batch]
        steps = [self._steps or math.ceil(seconds * self._frames) for seconds, _ in lengths]
        before, total = 0, sum(steps)
        for order, (seconds, overlap), count in zip(batch, lengths, steps, strict=True):
            run = {
                "prompt": order.request["prompt"],
                # Half a frame more, as the library leaves out what is not whole.
                "seconds": min(
                    self._window, (math.ceil(seconds * self._frames) + 0.5) / self._frames
                ),
                "seed": order.seed,
                "options": self._spec.options.get("arguments", {}),
            }
            samples = self._made(run, progress, before, count, total)
            samples = samples[: round(seconds * self._rate)]
            if overlap:
                samples = mastering.loop(samples, self._rate, overlap)
            before += count
            progress.step(before, total)
            facts = {"rate": self._rate, "loop": bool(overlap)}
            yield Draft("audio", order.index, order.seed, {"samples": samples}, facts)

    def unload(self) -> None:
        """End the process."""
        # What could not be said any more may still be in the pipe.
        with suppress(BrokenPipeError), self._process:
            self._process.kill()

    def _start(self) -> None:
        script, folder = str(_WORKER), str(self._spec.folder)
        command = [os.environ[PYTHON], "-I", script, "serve", folder, self._device]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the operator named it
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise Unavailable(
                f"{command[0]} cannot be started: {error.strerror}.",
                hint="Set audiocraft_python to what scripts/install_audiocraft names.",
            ) from None
        try:
            ready = self._hear()
        except StudioError:
            self.unload()
            raise
        self._rate: int = ready["rate"]
        #: Frames of the codec in a second, and steps where they are the same for every length.
        self._frames: float = ready["frames"]
        self._steps: int = ready["steps"]
        self._window: float = ready["seconds"]

    def _seconds(self, request: Mapping[str, Any]) -> tuple[float, float]:
        """How many to make, and how many of them are there to close a loop."""
        asked: float = request["duration"]
        overlap = min(_OVERLAP, asked / 4) if request["loopable"] else 0.0
        if asked + overlap > self._window:
            raise InvalidRequest(
                f"duration: this model makes at most {self._window - overlap:g} seconds of this.",
                hint="Ask for a shorter sound.",
            )
        return asked + overlap, overlap

    def _made(
        self, run: Mapping[str, Any], progress: Progress, before: int, count: int, total: int
    ) -> mastering.Samples:
        """The samples that answer `run`, float32 (samples, channels)."""
        self._say(json.dumps(run))
        told = 0
        while (message := self._hear())["kind"] == "step":
            told = max(told, min(message["done"], count))
            try:
                progress.step(before + told, total)
            except BaseException:
                self._say("stop")
                self._hear()
                raise
            self._say("go")
        assert self._process.stdout is not None  # noqa: S101 - for mypy
        content = self._process.stdout.read(message["bytes"])
        samples = np.frombuffer(content, "<f4").reshape(-1, message["channels"])
        if not np.isfinite(samples).all():
            raise Unavailable(
                f"{self._spec.name} computed values that are no numbers.",
                hint="Fetch and translate its weights again.",
            )
        return np.asarray(samples.clip(-1, 1), np.float32)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None  # noqa: S101
        with suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            self.unload()
            raise Broken("audiocraft's process ended.")
        message: dict[str, Any] = json.loads(line)
        if message["kind"] == "failed":
            if message["memory"]:
                raise OutOfMemory(f"{self._spec.name} did not fit into memory.")
            raise Unavailable(
                f"{self._spec.name} could not go on: {message['error']}",
                hint="`studio doctor` looks at audiocraft; docs/audiocraft.md says more.",
            )
        return message
