"""What a kWh of GPUs came to over a stretch of the last hours, for ratios that are over the same stretch."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR

from .hour import PricedHour
from .model import SLOT_NS, Boundary, Priced

# As of token counts (tokens.md 7): with less of the energy covered a ratio would be of something else.
LEAST_COVERAGE = Fraction(9, 10)


@dataclass(frozen=True, slots=True)
class MeanRate:
    """Products by millijoule of GPU energy: micrograms, or millionths of the currency, per kWh. None: not known."""

    grams: Mapping[Accounting, Fraction] = field(default_factory=dict)
    cost: Fraction | None = None


def rate_over(hours: Iterable[PricedHour], start_wall_ns: int, end_wall_ns: int) -> dict[Boundary, MeanRate]:
    """Give the rate of each boundary over `[start, end)`: the mean of its quarter hours, by their time in it.

    A wider boundary's rate is higher by what it draws beside the GPUs. What is covered to less than 9/10 is left out.
    """
    weighed: dict[Boundary, list[tuple[int, int, Priced]]] = {}
    for hour in hours:
        begin = hour.row.hour * NS_PER_HOUR
        if begin >= end_wall_ns or begin + NS_PER_HOUR <= start_wall_ns:
            continue
        for boundary, quarters in hour.quarters.items():
            gpus = hour.quarters[Boundary.GPU]
            for number, quarter in enumerate(quarters):
                slot_begin = begin + number * SLOT_NS
                overlap_ns = min(slot_begin + SLOT_NS, end_wall_ns) - max(slot_begin, start_wall_ns)
                if overlap_ns > 0 and gpus[number].energy_mj:
                    weighed.setdefault(boundary, []).append((overlap_ns, gpus[number].energy_mj, quarter))
    return {boundary: _mean(parts) for boundary, parts in weighed.items()}


def _mean(parts: list[tuple[int, int, Priced]]) -> MeanRate:
    def mean(products: list[int], covered: list[int]) -> Fraction | None:
        time_ns = sum(overlap_ns for overlap_ns, _, _ in parts)
        rate = known = Fraction(0)
        for (overlap_ns, gpu_mj, quarter), product, covered_mj in zip(parts, products, covered, strict=True):
            rate += Fraction(product, gpu_mj) * overlap_ns
            known += Fraction(covered_mj, quarter.energy_mj) * overlap_ns if quarter.energy_mj else 0
        return rate / time_ns if known >= LEAST_COVERAGE * time_ns else None

    quarters = [quarter for _, _, quarter in parts]
    grams = {
        Accounting.LOCATION: mean([q.location for q in quarters], [q.location_covered_mj for q in quarters]),
        Accounting.MARKET: mean([q.market for q in quarters], [q.market_covered_mj for q in quarters]),
    }
    return MeanRate(
        {accounting: rate for accounting, rate in grams.items() if rate is not None},
        mean([q.cost - q.credit for q in quarters], [q.priced_mj for q in quarters]),
    )
