"""The 24/7 score in which what came from the grid counts by its carbon-free share; what the share is it is told."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from .model import MILLION, Layer

_OVER_THE_GRID = frozenset({Layer.GRID, Layer.CERTIFICATES})  # unless a certificate carries the hour


class Use(Protocol):
    """What a source, or the grid, covered of the load of an hour."""

    @property
    def layer(self) -> Layer: ...
    @property
    def energy_mj(self) -> int: ...
    @property
    def is_green(self) -> bool: ...
    @property
    def is_matched(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class GridScore:
    """What counts in the 24/7 score with the grid, of the load of hours whose carbon-free share of the grid is known.

    An hour in which nothing came from the grid needs no share. `source` is whose share it is, in words.
    """

    energy_mj: int = 0
    covered_mj: int = 0
    source: str = ""

    def __add__(self, other: "GridScore") -> "GridScore":
        """Give the sum; of sources that differ the first is named."""
        return GridScore(
            self.energy_mj + other.energy_mj, self.covered_mj + other.covered_mj, self.source or other.source
        )

    @property
    def ratio(self) -> float | None:
        """Give the score; None where no load is covered. At most 1, and not below the one without the grid."""
        return self.energy_mj / self.covered_mj if self.covered_mj else None


def grid_mj(uses: Iterable[Use]) -> int:
    """Give what of the load came from the grid without carbon-free supply of its hour.

    What was generated here or bought by contract and is not carbon-free did not: it has no part of the grid's share.
    """
    return sum(use.energy_mj for use in uses if use.layer in _OVER_THE_GRID and not use.is_matched)


def grid_score(uses: Iterable[Use], shares: Iterable[tuple[int, int | None]], source: str = "") -> GridScore:
    """Give the score of one hour by all *uses* of its load.

    CFE = min(load, supply) + what came from the grid x carbon-free share of the grid (Google, 24/7 Carbon-Free
    Energy: Methodologies and Metrics, 2021). *shares* are parts of what came from the grid, each with the share in
    its time in millionths, None where that is not known. Then the whole hour is not covered: its rest alone would
    score too high.
    """
    uses, shares = tuple(uses), tuple(shares)
    known = [(energy_mj, ppm) for energy_mj, ppm in shares if ppm is not None]
    if sum(energy_mj for energy_mj, _ in known) < grid_mj(uses):
        return GridScore()
    matched_mj = sum(use.energy_mj for use in uses if use.is_matched)
    free_mj = sum(energy_mj * ppm for energy_mj, ppm in known) // MILLION
    return GridScore(matched_mj + free_mj, sum(use.energy_mj for use in uses), source)
