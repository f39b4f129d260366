"""The 24/7 score of an hour with the carbon-free share of the grid, which may change within the hour."""

from collections.abc import Sequence

from wattledger.rules.apportion import apportion
from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.supply.grid import GridScore, grid_mj, grid_score

from .model import SupplyUse
from .spread import parts


def score_with_grid(
    uses: Sequence[SupplyUse], load: Sequence[int], shares: Sequence[Resolved], times: Sequence[tuple[int, int]]
) -> GridScore:
    """Give the score by all *uses* of a load, which is told by the quarter, each drawn from and to its time.

    What came from the grid is spread over the quarters as the load is.
    """
    found = [
        part
        for energy_mj, time in zip(apportion(grid_mj(uses), load), times, strict=True)
        for part in parts(energy_mj, shares, time)
        if part[1]
    ]
    sources = dict.fromkeys(_words(span) for span, _ in found)
    return grid_score(uses, [(energy_mj, span.value) for span, energy_mj in found], " and ".join(sources))


def _words(span: Resolved) -> str:
    """Give whose share it is, as it stands in reports."""
    if span.series is None:
        return ""
    named = " ".join(filter(None, (span.series.provider, span.series.zone)))
    return ", ".join(filter(None, (named, span.kind, span.series.source)))
