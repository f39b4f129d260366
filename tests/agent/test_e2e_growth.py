"""What grows while the daemon runs, and must not: memory of both processes, open files, processes."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess
from tests.agent.e2e_daemon import (
    MISSED,
    POWER,
    RELOADED_AT,
    SAMPLE_TIME,
    Truth,
    let_pass,
    machine,
    poll,
    process_state,
)

TICKS = 2000
LOOKED_AT = "wattledger_rule_group_last_evaluation_timestamp_seconds"
WARM_TICKS = 300  # the ledger's page cache is full, the log has been folded once, every cadence has come round
TICK_S = 0.2
MIB = 1024 * 1024


def own_bytes(pid: int) -> int:
    """Give the resident memory that is the process's own; pages of files come and go with the machine."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("proc(5): no RssAnon")


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@pytest.mark.nightly  # 2300 ticks of 0.2 s
def test_two_thousand_ticks_grow_neither_process_by_two_megabytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with machine(tmp_path, *["h100"] * 8) as double:
        for number, gpu in enumerate(double.gpus):
            gpu.process(4000 + number)
            gpu.burst(high_w=400, low_w=90, period_s=0.37, duty=0.4)
        with DaemonProcess(tmp_path / "state", env=double.env) as daemon:
            daemon.wait_ready()
            (sampler,) = daemon.sampler_pids()

            def scraped(seconds: float) -> float:
                end = time.monotonic() + seconds
                while time.monotonic() < end:
                    page = daemon.page()
                    let_pass(1)
                return page.value(SAMPLE_TIME)

            begun = scraped(WARM_TICKS * TICK_S)
            files = open_files(daemon.process.pid), open_files(sampler)
            before = own_bytes(daemon.process.pid), own_bytes(sampler)
            ended = scraped(TICKS * TICK_S)
            after = own_bytes(daemon.process.pid), own_bytes(sampler)
            assert daemon.sampler_pids() == [sampler]
            assert (ended - begun) / TICK_S > TICKS * 0.98
            assert daemon.page().value(MISSED, source="nvml") < TICKS * 0.02
            poll(lambda: (open_files(daemon.process.pid), open_files(sampler)) == files, "as many open files")
    grown = [(now - then) / MIB for then, now in zip(before, after, strict=True)]
    with capsys.disabled():
        print(f"\n{TICKS} ticks of 8 GPUs: daemon {grown[0]:+.2f} MiB, sampler {grown[1]:+.2f} MiB")
    assert max(grown) < 2


def replaced(daemon: DaemonProcess, config: Path, number: int) -> None:
    """Kill the sampler and wait for the values of the next."""
    (pid,) = daemon.sampler_pids()
    os.kill(pid, signal.SIGKILL)
    poll(lambda: process_state(pid) == "" and not daemon.sampler_pids(), "reaped")
    reloaded = daemon.page().value(RELOADED_AT)
    # Other settings: the next is started at once and not after the back-off.
    config.write_text(f"gpus: {{exclude: ['GPU-00000000-0000-0000-0000-{number:012d}']}}\n")
    daemon.signal(signal.SIGHUP)
    daemon.wait_for(
        lambda page: page.has(POWER, gpu="0") and page.value(RELOADED_AT) > reloaded, "values of the next"
    )
    assert len(daemon.sampler_pids()) == 1


@pytest.mark.nightly
def test_twenty_replaced_samplers_leave_no_open_file_and_no_process(tmp_path: Path) -> None:
    config = tmp_path / "wattledger.yaml"
    config.write_text("{}\n")
    with machine(tmp_path) as double:
        truth = Truth(double)
        with DaemonProcess(tmp_path / "state", "--config", str(config), env=double.env) as daemon:
            daemon.wait_ticks(2)
            truth.load(daemon)
            daemon.wait_ticks(2)
            # Rules have read the ledger's history by then; SQLite keeps that descriptor, and uses it again.
            daemon.wait_for(lambda page: page.has(LOOKED_AT, group="wattledger-idle"), "the first look of the rules")
            files = open_files(daemon.process.pid)
            for number in range(20):
                replaced(daemon, config, number)
                poll(lambda: open_files(daemon.process.pid) == files, f"{files} open files again")
            truth.check(daemon)
