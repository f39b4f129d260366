"""Layers of power on top of one another over time, as steps; what the layers are is the caller's matter."""

from collections.abc import Sequence
from dataclasses import dataclass

from .buckets import Buckets
from .svg import Panel, Values, area, line, places


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the class of its shape, and its value for each column; None where nothing is known at all."""

    kind: str
    values: Values


def totals(layers: Sequence[Layer], columns: int) -> list[float | None]:
    """Give the sum of the layers by column; None where no layer has a value."""
    found: list[float | None] = [None] * columns
    for layer in layers:
        for column, value in enumerate(layer.values):
            if value is not None:
                found[column] = (found[column] or 0.0) + value
    return found


def stacked(buckets: Buckets, layers: Sequence[Layer], panel: Panel, most: float) -> str:
    """Give the shapes, the first layer at the bottom; *most* is the value at the top of the panel."""
    edges = places(buckets)
    known = [total is not None for total in totals(layers, len(buckets))]

    def heights(values: Values) -> Values:
        return [
            panel.height * (1 - (value or 0.0) / most) if there else None
            for value, there in zip(values, known, strict=True)
        ]

    below: list[float] = [0.0] * len(buckets)
    parts = []
    for layer in layers:
        above = [base + (value or 0.0) for base, value in zip(below, layer.values, strict=True)]
        if above != below:
            parts.append(f'<path class="{layer.kind}" d="{area(edges, heights(above), heights(below))}"/>')
        below = above
    return "".join((*parts, f'<path class="top" d="{line(edges, heights(below))}"/>'))
