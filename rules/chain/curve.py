"""Efficiency over load: from what comes out to what goes in, and back; of what device it is, it knows nothing."""

from dataclasses import dataclass
from itertools import pairwise

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The efficiency at one load, both in millionths: the load of the rating, the efficiency of what goes in."""

    load_ppm: int
    efficiency_ppm: int


@dataclass(frozen=True, slots=True)
class Curve:
    """Efficiency at some loads; in between it is linear in the load.

    Below the lowest point the lost power follows the straight line through the two lowest ones, down to no load,
    where it is at least 0 and at most what it is at the lowest point. Above the highest point its efficiency holds.
    A single point is an efficiency at any load. `assumed`: no public table stands behind it.
    Raises ValueError for points that are out of order, or with which more output would take less input.
    """

    name: str
    points: tuple[CurvePoint, ...]
    source: str = ""
    assumed: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be inverted."""
        if not self.points:
            raise ValueError(f"curve {self.name}: has no points")
        for point in self.points:
            if point.load_ppm <= 0 or not 0 < point.efficiency_ppm <= PPM:
                raise ValueError(f"curve {self.name}: load above 0 and efficiency above 0, at most 1: not {point}")
        for before, after in pairwise(self.points):
            width = after.load_ppm - before.load_ppm
            rise = after.efficiency_ppm - before.efficiency_ppm
            # Input is output / (a + b load): it grows with the output where a, the value at no load, is above 0.
            if width <= 0 or before.efficiency_ppm * width <= rise * before.load_ppm:
                raise ValueError(f"curve {self.name}: too steep or out of order between {before} and {after}")

    @classmethod
    def constant(cls, name: str, efficiency_ppm: int, *, source: str = "", assumed: bool = False) -> "Curve":
        """Give the curve of an efficiency that does not depend on the load."""
        return cls(name, (CurvePoint(PPM, efficiency_ppm),), source, assumed)

    def input(self, output: int, rated: int) -> int:
        """Give what goes in for *output*, both in the unit of *rated*, rounded; it never falls with the output.

        Raises ValueError for an output below 0 or a rating that is not above 0.
        """
        if output < 0 or rated <= 0:
            raise ValueError(f"curve {self.name}: output {output} of a rating of {rated}")
        lowest, highest = self.points[0], self.points[-1]
        scaled = output * PPM
        if len(self.points) == 1 or scaled >= highest.load_ppm * rated:
            return _divided(scaled, highest.efficiency_ppm)
        if scaled < lowest.load_ppm * rated:
            return output + self._loss_below(output, rated)
        before, after = next(pair for pair in pairwise(self.points) if scaled < pair[1].load_ppm * rated)
        width = (after.load_ppm - before.load_ppm) * rated
        rise = (after.efficiency_ppm - before.efficiency_ppm) * (scaled - before.load_ppm * rated)
        return _divided(scaled * width, before.efficiency_ppm * width + rise)

    def output(self, given: int, rated: int) -> int:
        """Give the largest output for which no more than *given* goes in; 0 where all of it is lost."""
        low, high = 0, given + 1  # what comes out is never more than what goes in
        taken_low, taken_high = self.input(low, rated), self.input(high, rated)
        if taken_low > given:
            return 0
        halve = False
        while high - low > 1:
            # Curves are nearly straight, so a straight line is nearly right; halving makes it end where it is not.
            step = (high - low) // 2 if halve else (given - taken_low) * (high - low) // (taken_high - taken_low)
            middle = min(max(low + step, low + 1), high - 1)
            taken = self.input(middle, rated)
            if taken <= given:
                low, taken_low = middle, taken
            else:
                high, taken_high = middle, taken
            halve = not halve
        return low

    def _loss_below(self, output: int, rated: int) -> int:
        """Give the loss below the lowest point: on the line through the two lowest, between none and the lowest's."""
        first, second = self.points[:2]
        lost, lost_of = first.load_ppm * (PPM - first.efficiency_ppm), first.efficiency_ppm
        lost_next, lost_next_of = second.load_ppm * (PPM - second.efficiency_ppm), second.efficiency_ppm
        slope = lost_next * lost_of - lost * lost_next_of
        slope_of = lost_of * lost_next_of * (second.load_ppm - first.load_ppm)
        if slope <= 0:
            return _divided(rated * lost, lost_of * PPM)
        if slope * lost_of * first.load_ppm >= lost * slope_of:
            return _divided(output * lost, lost_of * first.load_ppm)
        under = first.load_ppm * rated - output * PPM
        return _divided(rated * lost * slope_of - slope * lost_of * under, lost_of * slope_of * PPM)


def _divided(number: int, divisor: int) -> int:
    """Divide, rounded to the nearest, halves up."""
    return (2 * number + divisor) // (2 * divisor)
