"""What the history says that it takes, against what Python says."""

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from tests.rules.history.shelf import NOW_MS, history, labels
from wattledger.rules.history import History
from wattledger.rules.promql.model import Labels

_STEP_MS = 15_000


def _workloads(count: int) -> Iterator[Labels]:
    """Give series as a page of workloads has them; pairs are shared as its reader shares them."""
    shared: dict[tuple[str, str], tuple[str, str]] = {}
    for number in range(count):
        gpu = number % 16
        own = labels(
            "wattledger_workload_energy_joules_total",
            gpu=str(gpu),
            uuid=f"GPU-{gpu:08d}-aaaa-bbbb-cccc-0123456789ab",
            kind="pod",
            workload=f"pod-{number // 4:032x}",
            state=("active", "held", "allocated", "parked")[number % 4],
            namespace=f"team-{number % 7}",
            pod=f"train-{number // 4:08d}",
        )
        yield tuple(shared.setdefault(pair, pair) for pair in own)


def _filled(series: int, scrapes: int) -> History:
    storage = history("rate(wattledger_workload_energy_joules_total[2h])")
    page = list(_workloads(series))
    for number in range(scrapes):
        storage.scrape([(one, float(number)) for one in page], NOW_MS + number * _STEP_MS)
    return storage


@pytest.mark.parametrize(("series", "scrapes"), [(2000, 1), (2000, 20), (50, 400)])
def test_the_memory_it_tells_is_the_memory_it_takes(series: int, scrapes: int) -> None:
    _filled(1, 1)  # so that what is loaded once does not count
    gc.collect()
    tracemalloc.start()
    try:
        storage = _filled(series, scrapes)
        gc.collect()
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    told = storage.stats().memory_bytes
    print(f"{series} series of {scrapes} samples: told {told}, taken {taken}, {taken / series:.0f} a series")
    assert 0.75 * taken < told < 1.3 * taken


def test_memory_comes_down_when_samples_go() -> None:
    storage = _filled(100, 400)
    before = storage.stats().memory_bytes
    storage.forget(NOW_MS + 7_500_000 + 400 * _STEP_MS)
    assert storage.stats().memory_bytes < before / 2
