"""What the steps of a row pass on: what their references stand for, once it is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import anyio

from studio.errors import InvalidRequest
from studio.fields import Value
from studio.protocol import Client
from studio.recipes.references import Reference
from studio.recipes.run import Line, Made


async def standing_for(
    client: Client, needed: Iterable[Reference], line: Line, made: Mapping[str, Made]
) -> dict[Reference, Value]:
    """What each reference stands for; None for an input that was not given.

    Raises:
        InvalidRequest: if it is an output that there is not, or the text of one that is none.
    """
    values: dict[Reference, Value] = {}
    for reference in needed:
        source = made.get(reference.name)
        if source is None:
            values[reference] = line.values.get(reference.name)
        elif not source.artifacts:
            values[reference] = None
        elif reference.index >= len(source.artifacts):
            raise InvalidRequest(
                f"The step {reference.name} has made {len(source.artifacts)} outputs, and number "
                f"{reference.index} is asked for; they count from 0.",
                hint="Name one that there is, or raise the step's count.",
            )
        elif reference.property == "seed":
            values[reference] = (source.seed or 0) + reference.index
        elif reference.property == "text":
            path = await client.fetch(source.artifacts[reference.index])
            values[reference] = await anyio.to_thread.run_sync(_text, path)
        else:
            values[reference] = source.artifacts[reference.index]
    return values


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise InvalidRequest(
            f"{path.name} is no text.", hint="Refer to .text of steps that write text only."
        ) from None
