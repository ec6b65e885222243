"""What a tool was given in a field that takes a list."""

from __future__ import annotations

from collections.abc import Mapping

from studio.draft import Draft


def several(inputs: Mapping[str, Draft], field: str) -> dict[int, Draft]:
    """The inputs of a field that takes a list, by their place in it, in its order.

    See `studio.families.Order.inputs`; a place that was left empty is missing.
    """
    numbers = [name.removeprefix(f"{field}.") for name in inputs if name.startswith(f"{field}.")]
    return {number: inputs[f"{field}.{number}"] for number in sorted(map(int, numbers))}
