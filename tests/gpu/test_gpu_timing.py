"""How often a real board publishes, and what each question to it costs."""

import statistics
import time
from collections.abc import Callable

import pytest

from tests.gpu.boards import AVERAGE, ENERGY, INSTANT, RawBoard, quantile, spacings_ms
from tests.gpu.conftest import Record
from wattledger.agent.sources.nvml_processes import ProcessLists
from wattledger.agent.sources.nvml_quantities import CALLS, FIELDS
from wattledger.agent.sources.nvml_query import Query
from wattledger.agent.sources.nvml_source import NvmlSource
from wattledger.rules.reading import EnergyScope, Reading

pytestmark = pytest.mark.gpu

_SPIN_S = 5.0
_REPEATS = 200


def _raw(source: NvmlSource, board: Reading) -> RawBoard:
    return RawBoard(source._nvml, board.identity.uuid, int(board.identity.energy_scope is EnergyScope.MODULE))


def test_published_values_change_at_their_own_pace(source: NvmlSource, board: Reading, record: Record) -> None:
    raw = _raw(source, board)
    looks: dict[str, Callable[[], float | None]] = {
        "energy (191)": lambda: raw.value(ENERGY),
        "average (185)": lambda: raw.value(AVERAGE),
        "instant (186)": lambda: raw.value(INSTANT),
        "temperature (308)": lambda: raw.value(308),
        "memory temperature (82)": lambda: raw.value(82),
    }
    rows: list[tuple[object, ...]] = []
    for name, look in looks.items():
        gaps_ms = spacings_ms(raw.edges(look, _SPIN_S))
        if gaps_ms:
            spread = [quantile(gaps_ms, share) for share in (0.1, 0.5, 0.9)]
            rows.append((name, len(gaps_ms), *spread, max(gaps_ms)))
            if name.startswith("energy"):
                assert spread[1] < 1000, "the counter steps less than once a second"
        else:
            rows.append((name, 0, "-", "-", "-", "-"))
    record(
        f"Time between changes, {_SPIN_S:.0f} s of looking without pause",
        ("value", "changes", "p10 ms", "median ms", "p90 ms", "max ms"),
        rows,
    )


def test_the_steps_of_the_energy_counter_have_a_histogram(source: NvmlSource, board: Reading, record: Record) -> None:
    raw = _raw(source, board)
    gaps_ms = spacings_ms(raw.edges(lambda: raw.value(ENERGY), _SPIN_S))
    if not gaps_ms:
        pytest.skip(f"{board.identity.name} has no energy counter that moves")
    bins: dict[int, int] = {}
    for gap_ms in gaps_ms:
        bins[int(gap_ms // 5) * 5] = bins.get(int(gap_ms // 5) * 5, 0) + 1
    rows = [(f"{low}-{low + 5}", count) for low, count in sorted(bins.items())]
    record("Energy counter: time between steps", ("ms", "steps"), rows)


def test_every_call_has_a_price(source: NvmlSource, board: Reading, record: Record) -> None:
    raw = _raw(source, board)
    lists = ProcessLists(raw.nvml, raw.handle)
    asks: dict[str, Callable[[], object]] = {
        "tick batch": raw.array(*(field.field_id for field in FIELDS if field.cadence == 0)).ask,
        "all fields": raw.array(*(field.field_id for field in FIELDS)).ask,
        "energy alone": raw.array(ENERGY).ask,
        "process lists": lists.read,
    }
    for call in CALLS:
        name = f"{call.signature.name.removeprefix('nvmlDevice')}{call.signature.arguments or ''}"
        query = Query(raw.nvml, raw.handle, call.signature)
        if query.ask() == 0:
            asks[name] = query.ask
    rows: list[tuple[object, ...]] = []
    for name, ask in asks.items():
        taken_us = []
        for _ in range(_REPEATS if name != "process lists" else 20):
            before = time.perf_counter_ns()
            ask()
            taken_us.append((time.perf_counter_ns() - before) / 1000)
        rows.append((name, statistics.median(taken_us), quantile(taken_us, 0.99), max(taken_us)))
    rows.sort(key=lambda row: -float(str(row[1])))
    record("Cost of a call", ("call", "median us", "p99 us", "max us"), rows)


def test_each_field_tells_its_latency(source: NvmlSource, board: Reading, record: Record) -> None:
    raw = _raw(source, board)
    fields = list(dict.fromkeys(field.field_id for field in FIELDS))
    latencies: dict[int, list[int]] = {field: [] for field in fields}
    codes: dict[int, int] = {}
    array = raw.array(*fields)
    for _ in range(20):
        if array.ask() != 0:
            pytest.skip("the batch of all fields fails as a whole")
        for field, _, _, latency_us, _, code, _ in array.entries():
            latencies[field].append(latency_us)
            codes[field] = code
    rows = [(field, codes[field], statistics.median(latencies[field]), max(latencies[field])) for field in fields]
    record("Fields: code and latencyUsec inside NVML", ("field", "code", "median us", "max us"), rows)
