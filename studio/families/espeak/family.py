"""The family `espeak`: speech in over a hundred languages, at once, on any processor."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.draft import Draft
from studio.errors import Broken, InvalidRequest, Unavailable
from studio.families import Model, Order, Progress, Spec
from studio.families.espeak.sentences import Sentence, parts, sentences

Samples = NDArray[np.float32]

#: Words in a minute at speed 1.
_WORDS = 165
#: Seconds over which a sentence begins and ends, so that joins do not click.
_EDGE = 0.005


class Espeak:
    """Loads the voice of espeak-ng; its card has no options."""

    def load(self, spec: Spec, device: str, placement: str) -> Model:
        """The voice whose data lie in `spec.folder`; it computes on the processor in any placement.

        Raises:
            Unavailable: if the data are not there.
        """
        data = spec.folder / "espeak-ng-data"
        if not data.is_dir():
            raise Unavailable(
                "The voice's data are missing.", hint="Install the extra `speech` again."
            )
        return Speaker(data)


class Speaker:
    """The voice, in a process of its own, which is started when it is needed."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None

    def generate(self, batch: Sequence[Order], progress: Progress) -> Iterator[Draft]:
        """Audio drafts float32 (samples, 1) at 22,050 Hz; output n of a job is part n of its text.

        The facts hold `rate` in Hz, the `language`, and `cues`: what is said from when to when, in
        seconds. One step is one sentence.

        Raises:
            InvalidRequest: if there is no such language or voice, or too little text for the count.
            Cancelled: as `progress` raised it.
            Broken: if the voice's process ended.
        """
        texts = [self._part(order) for order in batch]
        total, done = sum(map(len, texts)), 0
        for order, part in zip(batch, texts, strict=True):
            spoken: list[Samples] = []
            cues: list[dict[str, Any]] = []
            rate = heard = 0
            for one in part:
                samples, rate = self._say(one.text, order)
                if one.text:
                    span = {"start": round(heard / rate, 3)}
                    heard += len(samples)
                    cues.append(span | {"end": round(heard / rate, 3), "text": one.text})
                silence = np.zeros(round(one.pause * rate), np.float32)
                heard += len(silence)
                spoken += [samples, silence]
                done += 1
                progress.step(done, total)
            facts = {"rate": rate, "cues": cues, "language": order.request["language"]}
            sound = np.concatenate(spoken)[:, None]
            yield Draft("audio", order.index, order.seed, {"samples": sound}, facts)

    def unload(self) -> None:
        """End the process."""
        if self._process is not None:
            # What could not be said any more may still be in the pipe.
            with suppress(BrokenPipeError), self._process:
                self._process.kill()
            self._process = None

    @cached_property
    def languages(self) -> dict[str, str]:
        """Every language by its tag, in small letters: the file that holds its rules."""
        folder = self._data / "lang"
        found: dict[str, tuple[int, str]] = {}
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            for line in path.read_text(encoding="utf-8").splitlines():
                match line.split():
                    case ["language", tag, *claim]:
                        # Several files may claim a tag; the lowest number wins.
                        rank = (int(claim[0]) if claim else 5, str(path.relative_to(folder)))
                        found[tag.lower()] = min(rank, found.get(tag.lower(), rank))
        return {tag: file for tag, (_, file) in sorted(found.items())}

    @cached_property
    def voices(self) -> dict[str, str]:
        """Every manner of speaking by its name, in small letters."""
        return {path.name.lower(): path.name for path in (self._data / "voices" / "!v").iterdir()}

    def _part(self, order: Order) -> list[Sentence]:
        """The sentences that this output says."""
        for field, known in (("language", self.languages), ("voice", self.voices)):
            value = order.request[field]
            if value is not None and value.lower() not in known:
                raise InvalidRequest(
                    f"{field}: this voice knows no {value!r}.",
                    hint=f"It knows {', '.join(sorted(known))}.",
                )
        whole = sentences(order.request["text"], order.request["speed"])
        return parts(whole, order.request["count"])[order.index]

    def _say(self, text: str, order: Order) -> tuple[Samples, int]:
        """A sentence without the silence around it, float32 (samples,), and its rate in Hz."""
        asked = order.request
        voice = self.languages[asked["language"].lower()]
        if asked["voice"] is not None:
            voice += f"+{self.voices[asked['voice'].lower()]}"
        line = {
            "text": text,
            "voice": voice,
            "rate": round(_WORDS * asked["speed"]),
            "pitch": round(50 + 50 * math.log2(asked["pitch"])),
        }
        process = self._running()
        said, heard = process.stdin, process.stdout
        assert said is not None  # noqa: S101 - for mypy
        assert heard is not None  # noqa: S101
        head: dict[str, Any] = {}
        with suppress(BrokenPipeError):
            said.write(json.dumps(line).encode() + b"\n")
            said.flush()
            head = json.loads(heard.readline() or b"{}")
        content = heard.read(head.get("bytes", 0))
        if head.get("error"):
            raise InvalidRequest(
                f"voice: there is no {voice!r}.", hint="Leave the voice out to get the usual one."
            )
        if not head:
            self.unload()
            raise Broken("The voice's process ended while it spoke.")
        spoken: Samples = np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768)
        audible = np.flatnonzero(np.abs(spoken) > 1e-3)
        if not len(audible):
            return np.zeros(0, np.float32), head["rate"]
        spoken = spoken[audible[0] : audible[-1] + 1]
        edge = min(len(spoken) // 2, round(_EDGE * head["rate"]))
        rising = np.linspace(0, 1, edge, dtype=np.float32)
        spoken[:edge] *= rising
        spoken[len(spoken) - edge :] *= rising[::-1]
        return spoken, head["rate"]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            # By its path: as a module of the studio it would begin with importing the studio.
            command = [sys.executable, "-P", str(Path(__file__).with_name("voice.py"))]
            self.unload()
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process
