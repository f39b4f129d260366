"""The counter held against power: when it is suspect, and that no window holds a reset or a gap."""

import pytest

from tests.rules.gpu_model import GpuModel
from tests.rules.meter_bench import MeterBench
from wattledger.rules.divergence import DivergenceWatch
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap, Quantity

SECOND = NS_PER_SECOND


def minutes(watch: DivergenceWatch, *ratios: float) -> list[bool]:
    """Add a minute for each ratio; give the verdict after each."""
    verdicts = []
    for ratio in ratios:
        for _ in range(60):
            watch.add(round(100_000 * ratio), 100_000, SECOND)
        verdicts.append(watch.suspect)
    return verdicts


def test_three_minutes_apart_are_needed_for_a_verdict_and_three_for_the_other() -> None:
    watch = DivergenceWatch()
    assert minutes(watch, 0.9, 0.9, 0.9, 0.9) == [False, False, True, True]
    assert minutes(watch, 1, 1, 1, 1) == [True, True, False, False]
    assert minutes(DivergenceWatch(), 0.9, 0.9, 0.9, 1, 1, 1) == [False, False, True, True, True, False]


def test_a_minute_of_agreement_begins_the_count_anew() -> None:
    assert not any(minutes(DivergenceWatch(), 0.9, 0.9, 1, 0.9, 0.9, 1))


@pytest.mark.parametrize(("ratio", "suspect"), [(0.949, True), (0.951, False), (1.049, False), (1.051, True)])
def test_five_percent_is_the_tolerance(ratio: float, suspect: bool) -> None:
    assert minutes(DivergenceWatch(), ratio, ratio, ratio)[-1] is suspect


def test_the_ratio_is_that_of_the_last_full_minute() -> None:
    watch = DivergenceWatch()
    ratios = []
    for second in range(180):
        watch.add(50 if second < 60 else 75, 100, SECOND)
        ratios.append(watch.ratio)
    assert ratios == [None] * 59 + [0.5] * 60 + [0.75] * 61


def test_what_power_did_not_see_and_a_board_that_draws_nothing_give_no_ratio() -> None:
    watch = DivergenceWatch()
    for _ in range(600):
        watch.add(50, None, SECOND)
        watch.add(50, 0, SECOND)
    assert watch.ratio is None
    minutes(watch, 1)
    assert watch.ratio == 1


def drift(bench: MeterBench, seconds: int) -> None:
    """Let the counter see half of what is drawn."""
    for _ in range(seconds):
        bench.gpu.advance(1)
        bench.gpu.counter_from_mw_ns += bench.gpu.power_mw * SECOND // 2
        bench.read()


@pytest.mark.parametrize("event", ["reset", "reset seen late", "leap", "counter gone", "none"])
def test_a_window_with_a_reset_or_a_gap_in_it_is_dropped(event: str) -> None:
    bench = MeterBench(GpuModel(has_uptime=event != "reset seen late"))
    bench.gpu.advance(1000)
    bench.read()
    drift(bench, 30)
    if "reset" in event:
        bench.gpu.reset()
    elif event == "leap":
        bench.gpu.counter_from_mw_ns -= 2**40 * SECOND
    elif event == "counter gone":
        bench.gpu.gaps = {Quantity.ENERGY_MJ: Gap.UNSUPPORTED}
    bench.run(3)
    bench.gpu.gaps = {}
    bench.run(70)
    assert bench.meter.divergence.ratio == pytest.approx(1 if event != "none" else 0.75)
