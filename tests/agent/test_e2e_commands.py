"""`once`, `capture` and a replayed capture, from another folder, on the driver double and without a driver."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.agent.daemon_process import Page
from tests.agent.e2e_daemon import (
    ENERGY,
    POWER,
    SAMPLE_TIME,
    STATE_ENERGY,
    DaemonThrough,
    Witness,
    environment,
    machine,
    poll,
)
from wattledger.agent.capture.format import CaptureReader
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import Sample

STATE = "wattledger_gpu_state"


def wattledger(*arguments: str, env: Mapping[str, str], cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end in *cwd*."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "wattledger.agent", *arguments],
        env=environment(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "else where"
    folder.mkdir()
    return folder


def test_once_prints_one_page_of_measured_values_and_leaves_nothing_behind(tmp_path: Path, elsewhere: Path) -> None:
    with machine(tmp_path) as double:
        double.gpu(0).draw(300)
        done = wattledger("once", "--source", "nvml", "--interval", "200ms", env=double.env, cwd=elsewhere)
        assert (done.returncode, done.stderr) == (0, "")
        page = Page(done.stdout)
        assert page.value("wattledger_source_success", source="nvml") == 1
        assert page.value(POWER, gpu="0", reading="instant") > 0
        assert page.value(ENERGY, gpu="0") > 0, "two samples make an interval"
        assert double.calls()["nvmlShutdown"] == 1
        assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    ("state", "said"),
    [("absent", "nvml: no_driver: "), ("mismatch", "18"), ("unknown_error", "999")],
)
def test_once_without_a_driver_exits_1_with_the_reason_on_stderr_and_a_page_that_says_it_too(
    tmp_path: Path, elsewhere: Path, state: str, said: str
) -> None:
    with machine(tmp_path) as double:
        match state:
            case "absent":
                double.driver(state="absent")
            case "mismatch":
                double.driver(state="mismatch")
            case _:
                double.driver(state="unknown_error")
        done = wattledger("once", "--source", "nvml", env=double.env, cwd=elsewhere)
    assert done.returncode == 1
    assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    page = Page(done.stdout)
    assert page.value("wattledger_source_success", source="nvml") == 0
    assert page.has("wattledger_source_failure_info", source="nvml")
    assert not page.has(POWER)


def test_once_without_any_driver_library_exits_1_and_names_the_library(elsewhere: Path) -> None:
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this host has a driver")
    done = wattledger("once", "--source", "nvml", env={"LD_LIBRARY_PATH": ""}, cwd=elsewhere)
    assert done.returncode == 1
    assert "libnvidia-ml" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert Page(done.stdout).value("wattledger_source_success", source="nvml") == 0


def test_once_into_a_pipe_that_closes_is_no_error(tmp_path: Path, elsewhere: Path) -> None:
    with machine(tmp_path) as double:
        done = subprocess.run(
            [
                "sh",
                "-c",
                '("$1" -P -m wattledger.agent once --source nvml --interval 200ms; echo $? >code) | head -n 1',
                "sh",
                sys.executable,
            ],
            env=environment(double.env),
            cwd=elsewhere,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    assert done.stdout.startswith("# HELP wattledger_")
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert (elsewhere / "code").read_text() == "0\n"


def test_a_capture_replays_in_the_daemon_with_the_values_that_were_recorded(tmp_path: Path, elsewhere: Path) -> None:
    with machine(tmp_path) as double:
        double.gpu(0).draw(300)
        start_ns = double.gpu(1).draw(120)
        double.gpu(0).utilisation(gpu=70)
        poll(lambda: double.now_ns > start_ns + 1_500_000_000, "published power is that of the draw")
        taken = wattledger(
            *("capture", "--source", "nvml", "--interval", "200ms", "--seconds", "2", "a capture.jsonl.gz"),
            env=double.env,
            cwd=elsewhere,
        )
        assert taken.returncode == 0, taken.stderr
        assert "--source replay:" in taken.stdout
        assert double.gpu(0).uuid not in (elsewhere / "a capture.jsonl.gz").read_bytes().decode("latin-1")
    # No driver from here on, and a path that is relative to where the daemon was started.
    with (
        DaemonThrough(tmp_path / "state", source="replay:a capture.jsonl.gz", cwd=elsewhere) as daemon,
        Witness(daemon),
    ):
        daemon.wait_ready()
        page = daemon.wait_for(
            lambda page: page if page.has(STATE, gpu="0", state="active") else None, "a replayed state"
        )
        assert page.value("wattledger_source_info", source="replay") == 1
        assert page.value(POWER, gpu="0", reading="instant") == pytest.approx(300, rel=0.01)
        assert page.value(POWER, gpu="1", reading="instant") == pytest.approx(120, rel=0.01)
        assert page.value("wattledger_gpu_utilization_ratio", gpu="0") == pytest.approx(0.7)
        assert page.value(STATE, gpu="0", state="active") == 1
        first = page.value(SAMPLE_TIME)
        # It goes round: the energy of each round is booked, and never taken back.
        page = daemon.wait_for(lambda page: page if page.value(SAMPLE_TIME) > first + 3 else None, "the next round")
        assert page.value(ENERGY, gpu="0") == pytest.approx(page.total(STATE_ENERGY, gpu="0"), abs=0.0005)
        assert not page.has(ENERGY, uuid=double.gpu(0).uuid)
    assert not list((tmp_path / "state").glob("*/ledger*")), "what is played twice was drawn once"


def test_once_on_a_capture_reads_it_to_its_end(tmp_path: Path, elsewhere: Path) -> None:
    with machine(tmp_path) as double:
        start_ns = double.gpu(0).draw(250)
        poll(lambda: double.now_ns > start_ns + 1_500_000_000, "published power is that of the draw")
        wattledger(
            *("capture", "--source", "nvml", "--interval", "200ms", "--seconds", "2", "--identify", "c.jsonl"),
            env=double.env,
            cwd=elsewhere,
        )
        uuid = double.gpu(0).uuid
    began = time.monotonic()
    done = wattledger("once", "--source", "replay:c.jsonl", env={}, cwd=elsewhere)
    assert time.monotonic() - began < 15, "at its end it is done"
    assert (done.returncode, done.stderr) == (0, "")
    with CaptureReader(elsewhere / "c.jsonl") as capture:
        samples = [frame for frame in capture.frames() if isinstance(frame, Sample)]
    assert len(samples) > 4, "ten are asked for, of which a busy machine misses some"
    counter_mj = [
        int(device.values[Quantity.ENERGY_MJ])
        for sample in samples
        for device in sample.devices
        if device.identity.uuid == uuid
    ]
    assert Page(done.stdout).value(ENERGY, uuid=uuid) == (counter_mj[-1] - counter_mj[0]) / 1000
    # The counter steps every 20 ms at each end, and is read within the tick, not at its beginning.
    seconds = (samples[-1].at.mono_ns - samples[0].at.mono_ns) / 1e9
    assert counter_mj[-1] - counter_mj[0] == pytest.approx(250_000 * seconds, abs=250_000 * 0.25)


@pytest.mark.nightly
def test_a_capture_that_is_interrupted_can_be_replayed(tmp_path: Path, elsewhere: Path) -> None:
    with machine(tmp_path) as double:
        command = [sys.executable, "-m", "wattledger.agent", "capture", "--source", "nvml", "--interval", "200ms"]
        with subprocess.Popen(
            [*command, "c.jsonl"],
            env=environment(double.env),
            cwd=elsewhere,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            poll(lambda: double.calls().get("nvmlDeviceGetFieldValues", 0) > 6, "some samples")
            os.kill(process.pid, signal.SIGINT)
            said, complaints = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Traceback" not in complaints
        assert "c.jsonl" in said
    with DaemonThrough(tmp_path / "state", source="replay:c.jsonl", cwd=elsewhere) as daemon:
        daemon.wait_for(lambda page: page.has(POWER, gpu="1"), "a replayed value")


def test_the_sampler_logs_in_the_form_and_from_the_level_that_the_configuration_names(
    tmp_path: Path, elsewhere: Path
) -> None:
    config = tmp_path / "wattledger.yaml"
    with machine(tmp_path) as double:
        config.write_text("log: {format: json}\n")
        with DaemonThrough(tmp_path / "json", "--config", str(config), env=double.env, cwd=elsewhere) as daemon:
            daemon.wait_ticks(2)
        lines = [json.loads(line) for line in daemon.logged().splitlines()]
        assert {"agent.commands.run", "agent.sources.nvml_source"} <= {line["part"] for line in lines}
        config.write_text("log: {level: warning}\n")
        with DaemonThrough(tmp_path / "quiet", "--config", str(config), env=double.env, cwd=elsewhere) as daemon:
            daemon.wait_ticks(2)
        assert daemon.logged() == ""
