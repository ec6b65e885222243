"""Parts: what a speech is made of while it is made and heard part by part, until it is whole.

The whole is put together from the drafts, not from the sealed parts: each of those carries a mark
of its own, and these would outshout the mark of the whole. A part's draft is put here before the
part is sealed and stays until its job has its outcome, so that whatever is published is here too,
also after a restart.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from studio.draft import Draft, pieces
from studio.job import Job


class Parts:
    """The drafts of all parts of one home's unfinished speeches; called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, job: str, place: Path) -> Path:
        """Take the draft at `place` over, instead of an earlier one of the same part.

        Returns where it lies now.
        """
        kept = self._folder / job / place.name
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        return place.rename(kept)

    def whole(self, job: Job) -> Draft:
        """The parts of a job one after the other, as the output that follows the last of them.

        Its samples lie in a file that has no name, and its `cues`, if the parts have any, count
        from its own beginning.
        """
        folder, count = self._folder / job.id, job.request["count"]
        drafts = [Draft.unspool(folder / f"{index:05d}") for index in range(count)]
        sounds = [draft.arrays["samples"] for draft in drafts]
        first, rate = drafts[0].facts, drafts[0].facts["rate"]
        length, channels = sum(map(len, sounds)), sounds[0].shape[1]
        with tempfile.TemporaryFile(dir=self._folder) as file:
            samples = np.memmap(file, np.float32, "w+", shape=(length, channels))
        cues: list[dict[str, Any]] = []
        heard = 0
        for draft, sound in zip(drafts, sounds, strict=True):
            cues += [
                cue | {edge: round(cue[edge] + heard / rate, 3) for edge in ("start", "end")}
                for cue in draft.facts.get("cues", ())
            ]
            for piece in pieces(sound):
                samples[heard : heard + len(piece)] = piece
                heard += len(piece)
        facts = {name: first[name] for name in ("rate", "language", "made with") if name in first}
        if cues:
            facts["cues"] = cues
        return Draft("audio", count, job.request["seed"], {"samples": samples}, facts)

    def discard(self, job: str) -> None:
        """Delete the parts of a job that has its outcome; nothing happens if there are none."""
        shutil.rmtree(self._folder / job, ignore_errors=True)
