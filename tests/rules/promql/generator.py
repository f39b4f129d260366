"""Series to ask about, of every shape that matters: gaps, ends, resets, late births, NaN and infinities.

Prometheus 2.42 includes the left edge of a window and 3 leaves it out: for `EITHER` samples lie 137 ms after a
second, evaluations half a second after one, and steps of subqueries a tenth of one off. For `THREE` all lie on edges.
"""

import itertools
import random
from dataclasses import dataclass

from wattledger.rules.promql.model import STALE, Labels, Sample, Series

# Worlds follow each other: a server takes no samples from before its last, nor from the future.
WORLD_MS = 61 * 60_000
FIRST_WORLD_MS = 1_699_920_000_000  # a midnight
STEP_MS = 15_000
SAMPLES = 44  # eleven minutes


@dataclass(frozen=True, slots=True)
class Dialect:
    """Which shapes of series and queries are drawn, and where samples and evaluations lie within their second."""

    sample_ms: int
    evaluation_ms: int
    gaps_in_counters: bool  # 2.42 weighs the zero point of a counter before the half distance, 3 after it
    huge: bool  # values whose sums overflow or cancel: 2.42 sums series without compensation
    pinned_predictions: bool  # predict_linear of a range with `@`, which 2.42 gives only the first step of a subquery
    filters_join: bool  # comparisons that filter, between vectors of which many may match one
    operators: tuple[str, ...]  # those of vectors that 2.42 has otherwise: its atan2 keeps the metric name

    @property
    def evaluated_after_ms(self) -> int:
        """Give the time of the evaluation after the first sample."""
        return SAMPLES * STEP_MS + self.evaluation_ms


EITHER = Dialect(
    137, 500, gaps_in_counters=False, huge=False, pinned_predictions=False, filters_join=False, operators=()
)
THREE = Dialect(
    0, 0, gaps_in_counters=True, huge=True, pinned_predictions=True, filters_join=True, operators=("atan2",)
)

_LABEL_VALUES = {"gpu": ["0", "1", "2"], "host": ["a", "b"], "le": ["0.5", "1", "2.5", "+Inf"], "mode": ["x", "y z"]}
_METRICS: dict[str, tuple[str, tuple[str, ...]]] = {
    "draw": ("gauge", ("gpu", "host")),
    "heat": ("gauge", ("gpu", "host", "mode")),
    "bare": ("gauge", ()),
    "energy_total": ("counter", ("gpu", "host")),
    "wait_bucket": ("counter", ("host", "le")),
}
_SPECIAL = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0]
_HUGE = [1.5e308, -1.5e308, 1e16, 1.0, -1e16]


def world(seed: int, dialect: Dialect) -> tuple[Series, ...]:
    """Give a few series of each metric from FIRST_WORLD_MS on; of a seed, for shrinking so many values is no use."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    found = []
    for metric, (kind, names) in _METRICS.items():
        combinations = list(itertools.product(*(_LABEL_VALUES[name] for name in names)))
        for values in chance.sample(combinations, min(len(combinations), chance.randint(1, 6))):
            labels = tuple(sorted([("__name__", metric), *zip(names, values, strict=True)]))
            make = _gauge if kind == "gauge" else _counter
            found.append(make(labels, chance, dialect))
    return tuple(found)


def _gauge(labels: Labels, chance: random.Random, dialect: Dialect) -> Series:
    strange = [*_SPECIAL, *_HUGE] if dialect.huge else _SPECIAL
    strangeness = chance.choice([0, 0, 0.05, 0.3])
    born, dead = chance.choice([(0, SAMPLES), (0, SAMPLES), (8, SAMPLES), (30, SAMPLES), (0, 39), (0, 12)])
    samples = []
    for index in range(born, dead):
        value = chance.choice(strange) if chance.random() < strangeness else chance.randint(-400, 4000) / 4
        kind = chance.choice("vvvvvvvvv_s")
        if kind != "_":
            samples.append(
                Sample(FIRST_WORLD_MS + index * STEP_MS + dialect.sample_ms, STALE if kind == "s" else value)
            )
    return Series.of(labels, samples)


def _counter(labels: Labels, chance: random.Random, dialect: Dialect) -> Series:
    # Where the zero point is weighed otherwise, a window may begin before a counter only if zero is far away.
    total = chance.choice([0.0, 3.5, 1e6]) if dialect.gaps_in_counters else 1e6
    born = chance.choice([0, 0, 20]) if dialect.gaps_in_counters else 0
    reset_every = chance.choice([10, 30, 1000])
    samples = []
    for index in range(born, SAMPLES):
        resets = chance.randrange(reset_every) == 0 and (index > 0 or dialect.gaps_in_counters)
        total = chance.choice([0.0, 2.0]) if resets else total + chance.randint(0, 60) / 4
        if not (dialect.gaps_in_counters and chance.random() < 0.15):
            samples.append(Sample(FIRST_WORLD_MS + index * STEP_MS + dialect.sample_ms, total))
    return Series.of(labels, samples)


def moved(series: Series, by_ms: int) -> Series:
    """Give *series* that much later."""
    return Series(series.labels, [moment + by_ms for moment in series.timestamps_ms], series.values)
