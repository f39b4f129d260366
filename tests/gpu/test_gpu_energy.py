"""What the energy counter integrates, and what reading it costs the board in watts."""

import random
import statistics
from collections.abc import Iterator

import pytest

from tests.gpu.boards import AVERAGE, INSTANT, RawBoard, pause
from tests.gpu.burner import Burner, NoLoadError
from tests.gpu.conftest import Record
from wattledger.agent.clock import SystemClock
from wattledger.agent.sources.nvml_source import NvmlSource
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import EnergyScope, Reading

pytestmark = pytest.mark.gpu

_WAVE_S = 10.0
_BLOCK_S = 20
_BLOCKS = 3


def _raw(source: NvmlSource, board: Reading) -> RawBoard:
    return RawBoard(source._nvml, board.identity.uuid, int(board.identity.energy_scope is EnergyScope.MODULE))


@pytest.fixture
def burner(idle_board: Reading) -> Iterator[Burner]:
    """A load on the board, or the reason why there is none."""
    try:
        made = Burner(idle_board.identity.pci_bus_id)
    except NoLoadError as reason:
        pytest.skip(f"no way to load {idle_board.identity.name}: {reason}")
    yield made
    made.close()


def _watts(raw: RawBoard, seconds: float) -> tuple[float, float, float]:
    """Give mean watts by the counter, by field 185 read each second, and by field 186 read each 10 ms."""
    begin = raw.counter_edge()
    averages: list[float] = []
    instants: list[float] = []
    end_ns = begin.at_ns + round(seconds * NS_PER_SECOND)
    step = 0
    now_ns = begin.at_ns
    while now_ns < end_ns:
        instant = raw.value(INSTANT)
        if instant is not None:
            instants.append(instant / 1000)
        if step % 100 == 99 and (average := raw.value(AVERAGE)) is not None:
            averages.append(average / 1000)
        step += 1
        pause(0.01)
        now_ns = SystemClock().now().mono_ns
    end = raw.counter_edge()
    counted = (end.value - begin.value) / 1000 / ((end.at_ns - begin.at_ns) / NS_PER_SECOND)
    nan = float("nan")
    return (
        counted,
        statistics.fmean(averages) if averages else nan,
        statistics.fmean(instants) if instants else nan,
    )


def test_whether_the_counter_sees_all_of_the_time(
    source: NvmlSource, idle_board: Reading, burner: Burner, record: Record
) -> None:
    """Waves locked to the 100 ms of publication tell a counter that integrates all from one that samples.

    One that samples gives another energy at each phase; the wave of 37 ms meets all phases and is the reference.
    """
    if Quantity.ENERGY_MJ not in idle_board.values:
        pytest.skip(f"{idle_board.identity.name} has no energy counter")
    raw = _raw(source, idle_board)
    rows: list[tuple[object, ...]] = []
    for period_ms in (37, 25, 101, 100, 100, 100, 100):
        pause(random.uniform(0, 0.1))  # noqa: S311 - a phase, no secret
        with burner.square_wave(period_ms / 1000, 0.5):
            pause(2.0)  # past the rise
            rows.append((period_ms, *_watts(raw, _WAVE_S)))
    locked = [float(str(row[1])) for row in rows if row[0] == 100]
    spread = (max(locked) - min(locked)) / statistics.fmean(locked)
    rows.append(("spread at 100 ms", spread, "", ""))
    record(
        "Square waves, half of the time at work",
        ("period ms", "counter W", "185 W", "186 W, 10 ms polls"),
        rows,
    )
    assert all(watts > 0 for watts in locked)


def test_the_counter_agrees_with_steady_load(
    source: NvmlSource, idle_board: Reading, burner: Burner, record: Record
) -> None:
    if Quantity.ENERGY_MJ not in idle_board.values:
        pytest.skip(f"{idle_board.identity.name} has no energy counter")
    raw = _raw(source, idle_board)
    pause(2.0)
    context = _watts(raw, 5)
    with burner.square_wave(1.0, 1.0):
        pause(3.0)
        loaded = _watts(raw, 5)
    record(
        "Steady draw",
        ("state", "counter W", "185 W", "186 W"),
        [("context, idle", *context), ("full load", *loaded)],
    )
    assert loaded[0] > context[0]


def test_reading_each_second_does_not_raise_idle_power(
    source: NvmlSource, idle_board: Reading, record: Record
) -> None:
    if Quantity.ENERGY_MJ not in idle_board.values:
        pytest.skip(f"{idle_board.identity.name} has no energy counter")
    raw = _raw(source, idle_board)
    rows: list[tuple[object, ...]] = []
    seen: dict[str, list[float]] = {"silent": [], "reading": []}
    pause(5.0)  # let what the tests before did die down
    for block in range(2 * _BLOCKS):
        kind = ("silent", "reading")[block % 2]
        begin = raw.counter_edge()
        for _ in range(_BLOCK_S):
            if kind == "reading":
                source.read(SystemClock().now())
            pause(1.0)
        end = raw.counter_edge()
        watts = (end.value - begin.value) / 1000 / ((end.at_ns - begin.at_ns) / NS_PER_SECOND)
        seen[kind].append(watts)
        rows.append((block, kind, watts))
    silent, reading = statistics.fmean(seen["silent"]), statistics.fmean(seen["reading"])
    rows.append(("mean", "reading - silent", reading - silent))
    record(f"Idle power with and without reading, blocks of {_BLOCK_S} s", ("block", "kind", "W"), rows)
    assert reading - silent < max(1.0, 0.01 * silent)
