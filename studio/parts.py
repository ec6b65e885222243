"""Parts: what is made and heard part by part until it is whole: a speech, or a piece's stems.

The whole is put together from the drafts, not from the sealed parts: each of those carries a mark
of its own, and these would outshout the mark of the whole. A part's draft is put here before the
part is sealed and stays until its job has its outcome, so that whatever is published is here too,
also after a restart.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from studio.draft import Draft, pieces
from studio.job import Job
from studio.score import Score


class Parts:
    """The drafts of all parts of one home's unfinished wholes; called from any thread."""

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
        """The parts of a job as the output that follows the last of them.

        Stems sound together, and their scores are one; anything else comes one after the other,
        and its `cues`, if the parts have any, count from its own beginning. The samples lie beside
        the parts, and go with them.
        """
        folder, count = self._folder / job.id, job.request["count"]
        drafts = [Draft.unspool(folder / f"{index:05d}") for index in range(count)]
        sounds = [draft.arrays["samples"] for draft in drafts]
        together = bool(job.request.get("stems"))
        length = len(sounds[0]) if together else sum(map(len, sounds))
        place = folder / "whole"
        with place.open("wb") as file:
            # Piece by piece: a long speech has tens of millions of bytes.
            if together:
                for layers in zip(*map(pieces, sounds), strict=True):
                    file.write(np.sum(layers, axis=0, dtype=np.float32).data)
            else:
                for piece in chain.from_iterable(map(pieces, sounds)):
                    file.write(np.ascontiguousarray(piece).data)
        samples = np.memmap(place, np.float32, "r", shape=(length, sounds[0].shape[1]))
        facts = _about_stems(drafts) if together else _about_sequence(drafts)
        return Draft("audio", count, job.request["seed"], {"samples": samples}, facts)

    def discard(self, job: str) -> None:
        """Delete the parts of a job that has its outcome; nothing happens if there are none."""
        shutil.rmtree(self._folder / job, ignore_errors=True)


def _about_stems(drafts: Sequence[Draft]) -> dict[str, Any]:
    facts = {name: fact for name, fact in drafts[0].facts.items() if name not in ("stem", "score")}
    scores = [Score.from_record(one.facts["score"]) for one in drafts if "score" in one.facts]
    return facts | ({"score": Score.together(scores).record()} if scores else {})


def _about_sequence(drafts: Sequence[Draft]) -> dict[str, Any]:
    first, rate = drafts[0].facts, drafts[0].facts["rate"]
    cues: list[dict[str, Any]] = []
    heard = 0
    for draft in drafts:
        cues += [
            cue | {edge: round(cue[edge] + heard / rate, 3) for edge in ("start", "end")}
            for cue in draft.facts.get("cues", ())
        ]
        heard += len(draft.arrays["samples"])
    facts = {name: first[name] for name in ("rate", "language", "made with") if name in first}
    return facts | ({"cues": cues} if cues else {})
