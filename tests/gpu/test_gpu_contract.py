"""The contract of the NVML source on real boards, the same as on the test double."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.sources.nvml_contract import check_sample
from tests.gpu.boards import RawBoard, pause
from tests.gpu.conftest import Record
from wattledger.agent.clock import SystemClock
from wattledger.agent.sources.nvml_codes import SETTLED, gap_of
from wattledger.agent.sources.nvml_gpm import ACTIVITIES
from wattledger.agent.sources.nvml_source import NvmlSource
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import Reading

pytestmark = pytest.mark.gpu

_TICKS = 12


def test_samples_of_real_boards_keep_the_contract(source: NvmlSource, board: Reading, record: Record) -> None:
    samples = []
    for _ in range(_TICKS):
        samples.append(source.read(SystemClock().now()))
        check_sample(samples[-1])
        pause(1.0)
    first, last = samples[0], samples[-1]
    seconds = last.at.ns_since(first.at) / 1e9
    gpus = len(last.devices)
    reading = next(one for one in last.devices if one.identity.uuid == board.identity.uuid)
    missing = sorted(f"{quantity}: {gap}" for quantity, gap in reading.gaps.items())
    record(
        "What the source reads",
        ("item", "value"),
        [
            ("values", len(reading.values)),
            ("missing", "; ".join(missing) or "nothing"),
            ("energy scope", reading.identity.energy_scope),
            ("calls per GPU and second", (last.driver_calls - first.driver_calls) / gpus / seconds),
            (
                "ms in the driver per GPU and second",
                (last.driver_busy_ns - first.driver_busy_ns) / gpus / seconds / 1e6,
            ),
            ("ms per tick, median", sorted(sample.duration_ns for sample in samples)[_TICKS // 2] / 1e6),
        ],
    )


def test_energy_and_average_power_agree(source: NvmlSource, board: Reading, record: Record) -> None:
    if Quantity.ENERGY_MJ not in board.values or Quantity.POWER_AVERAGE_MW not in board.values:
        pytest.skip(f"{board.identity.name} has no counter or no averaged power")
    seen = []
    for _ in range(20):
        reading = next(
            one for one in source.read(SystemClock().now()).devices if one.identity.uuid == board.identity.uuid
        )
        seen.append(reading)
        pause(1.0)
    seconds = seen[-1].at.ns_since(seen[0].at) / 1e9
    counted_w = (seen[-1].values[Quantity.ENERGY_MJ] - seen[0].values[Quantity.ENERGY_MJ]) / seconds / 1000
    averaged_w = sum(one.values[Quantity.POWER_AVERAGE_MW] for one in seen[1:]) / (len(seen) - 1) / 1000
    record(
        "Counter against averaged power, 20 s",
        ("counter W", "field 185 W", "ratio"),
        [(counted_w, averaged_w, counted_w / averaged_w)],
    )
    assert 0.5 < counted_w / averaged_w < 2


def test_a_capture_of_a_few_seconds_can_be_made(board: Reading, tmp_path: Path) -> None:
    target = tmp_path / "capture.jsonl"
    command = [sys.executable, "-m", "wattledger.agent", "capture", "--source", "nvml", "--seconds", "4", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert len(target.read_text(encoding="utf-8").splitlines()) >= 3
    assert board.identity.uuid not in target.read_text(encoding="utf-8")


def test_unknown_field_ids_are_refused_one_by_one(source: NvmlSource, board: Reading, record: Record) -> None:
    raw = RawBoard(source._nvml, board.identity.uuid)
    codes = raw.codes(191, 185, 186, 308, 309, 400, 65_535)
    record(
        "Codes of new and unknown field ids",
        ("field", "NVML code", "gap"),
        [(field, code, "value" if code == 0 else gap_of(code)) for field, code in codes.items()],
    )
    assert codes[400] in SETTLED
    assert codes[65_535] in SETTLED


def test_uptime_and_activity_are_offered_to_this_user(board: Reading, source: NvmlSource, record: Record) -> None:
    pause(1.0)
    sample = source.read(SystemClock().now())
    reading = next(one for one in sample.devices if one.identity.uuid == board.identity.uuid)
    wanted = (Quantity.UPTIME_SECONDS, *ACTIVITIES)
    record(
        "GPU uptime and GPM as this user",
        ("quantity", "value or gap"),
        [(quantity, reading.values.get(quantity, reading.gaps.get(quantity))) for quantity in wanted],
    )
