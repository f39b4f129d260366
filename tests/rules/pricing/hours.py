"""Hours with stepped intensities and prices, and what they come to by another way of computing: with fractions."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from hypothesis import strategies as st

from wattledger.rules.feeds.fallback import Resolved
from wattledger.rules.feeds.model import Caliber, Measure, PointKind, Series
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.hour import Cover, HourFacts
from wattledger.rules.pricing.model import SLOT_NS, Boundary
from wattledger.rules.tariff.prices import PricePoint

HOUR = 490_000
START = HOUR * NS_PER_HOUR
DE = Series(Measure.INTENSITY, "test", "DE", Caliber())
FR = Series(Measure.INTENSITY, "test", "FR", Caliber())
MINUTE_NS = 60 * NS_PER_SECOND

Steps = Sequence[tuple[int, int | None]]
"""Minutes that a value holds for, and the value."""


def spans(steps: Steps, series: Series = DE, *, start: int = START) -> list[Resolved]:
    """Give intensities one after another; None is a stretch without one."""
    found = []
    for minutes, value in steps:
        end = start + minutes * MINUTE_NS
        known = value is not None
        found.append(
            Resolved(start, end, value, PointKind.ACTUAL if known else None, 0, series if known else None, held=False)
        )
        start = end
    return found


def prices(steps: Steps, *, start: int = START) -> list[PricePoint]:
    """Give prices one after another."""
    found = []
    for minutes, value in steps:
        end = start + minutes * MINUTE_NS
        found.append(PricePoint(start, end, value))
        start = end
    return found


def facts(
    gpu: Sequence[int],
    location: Sequence[Resolved] = (),
    *,
    facility: Sequence[int] | None = None,
    residual: Sequence[Resolved] | None = None,
    price: Sequence[PricePoint] = (),
    cover: Cover | None = None,
    currency: str = "",
) -> HourFacts:
    """Give an hour with energies by quarter."""
    energies = {Boundary.GPU: tuple(gpu)} | ({} if facility is None else {Boundary.FACILITY: tuple(facility)})
    return HourFacts(HOUR, energies, location, residual, price, cover, currency, "DE")


def exact(gpu: Sequence[int], values: Sequence[Resolved] | Sequence[PricePoint]) -> Fraction:
    """Give energy times value for energy spread evenly over each quarter, as a fraction."""
    total = Fraction(0)
    for number, energy_mj in enumerate(gpu):
        begin = START + number * SLOT_NS
        for span in values:
            overlap = min(span.end_wall_ns, begin + SLOT_NS) - max(span.start_wall_ns, begin)
            if overlap > 0 and span.value is not None:
                total += Fraction(energy_mj * overlap * span.value, SLOT_NS)
    return total


def steps_of_an_hour(values: st.SearchStrategy[int | None]) -> st.SearchStrategy[list[tuple[int, int | None]]]:
    """Give steps that tile an hour."""

    def tiled(cuts: set[int], held: list[int | None]) -> list[tuple[int, int | None]]:
        edges = [0, *sorted(cuts), 60]
        return [
            (later - earlier, held[number % len(held)]) for number, (earlier, later) in enumerate(pairwise(edges))
        ]

    return st.builds(tiled, st.sets(st.integers(1, 59), max_size=6), st.lists(values, min_size=1, max_size=7))


ENERGIES = st.lists(st.integers(0, 3_000_000_000), min_size=4, max_size=4)
INTENSITIES = steps_of_an_hour(st.none() | st.integers(1, 1_500_000_000))
PRICES = steps_of_an_hour(st.none() | st.integers(-500_000, 3_000_000))
