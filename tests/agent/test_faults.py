"""What the daemon does when the driver hangs, crashes, loses a board, is reloaded, or is not there."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess, Page
from tests.nvml.double import NvmlDouble

POWER = "wattledger_gpu_power_watts"
ENERGY = "wattledger_gpu_energy_joules_total"
RESTARTS = "wattledger_source_restarts_total"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[NvmlDouble]:
    with NvmlDouble(tmp_path, gpus=["h100", "h100"], clock="real") as double:
        for slot in (0, 1):
            double.gpu(slot).draw(300)
        yield double


@pytest.fixture
def daemon(tmp_path: Path, double: NvmlDouble) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "state", env=double.env) as daemon:
        daemon.wait_ticks(3)
        yield daemon


def booked_equals_drawn(double: NvmlDouble, daemon: DaemonProcess, since: Page, slot: int = 0) -> None:
    """Nothing is lost: between two pages, as much was booked as the board's own counter says."""
    page = daemon.wait_ticks(3)
    name = "wattledger_sample_timestamp_seconds"
    seconds = page.value(name) - since.value(name)
    booked = page.value(ENERGY, gpu=str(slot)) - since.value(ENERGY, gpu=str(slot))
    # The board draws a constant 300 W; the counter steps every 100 ms at each end.
    assert booked == pytest.approx(300 * seconds, abs=300 * 0.35)


def scrape_is_quick(daemon: DaemonProcess) -> None:
    started = time.monotonic()
    status, _ = daemon.get("/metrics")
    assert status == 200
    assert time.monotonic() - started < 1


def test_a_call_that_never_returns_costs_the_values_not_the_page_and_no_joule(
    double: NvmlDouble, daemon: DaemonProcess
) -> None:
    before = daemon.page()
    double.gpu(0).hang()
    page = daemon.wait_for(lambda page: page if not page.has(POWER) else None, "values absent")
    scrape_is_quick(daemon)
    assert page.value("wattledger_source_success", source="nvml") == 0
    assert page.has("wattledger_gpu_absent_info", gpu="0", value="power_average_mw", reason="timeout")
    assert page.value("wattledger_gpu_up", gpu="0") == 0
    assert page.has(ENERGY, gpu="0"), "what was booked stays"
    status, body = daemon.get("/-/ready")
    assert (status, b"timeout" in body) == (503, True)
    assert daemon.get("/-/healthy")[0] == 200
    double.gpu(0).clear_faults()
    daemon.wait_for(lambda page: page.has(POWER, gpu="0"), "values again", seconds=60)
    booked_equals_drawn(double, daemon, before)
    assert daemon.page().value(RESTARTS, source="nvml") >= 1


@pytest.mark.parametrize("how", ["segv", "abort"])
def test_a_crash_inside_the_library_is_survived(double: NvmlDouble, daemon: DaemonProcess, how: str) -> None:
    before = daemon.page()
    double.crash("nvmlDeviceGetFieldValues", how="segv" if how == "segv" else "abort")
    daemon.wait_for(lambda page: not page.has(POWER), "values absent")
    scrape_is_quick(daemon)
    double.clear_faults()
    daemon.wait_for(lambda page: page.has(POWER, gpu="0"), "values again", seconds=60)
    booked_equals_drawn(double, daemon, before)
    assert ("SIGSEGV" if how == "segv" else "SIGABRT") in daemon.logged()


def test_a_lost_gpu_does_not_blank_the_others_and_comes_back(double: NvmlDouble, daemon: DaemonProcess) -> None:
    before = daemon.page()
    double.gpu(0).lose()
    page = daemon.wait_for(lambda page: page if not page.has(POWER, gpu="0") else None, "GPU 0 absent")
    assert page.has(POWER, gpu="1")
    assert page.value("wattledger_gpu_up", gpu="0") == 0
    assert page.has("wattledger_gpu_absent_info", gpu="0", reason="lost")
    assert daemon.get("/-/ready")[0] == 200, "the host is read; one board is not"
    double.gpu(0).clear_faults()
    daemon.wait_for(lambda page: page.has(POWER, gpu="0"), "GPU 0 again", seconds=60)
    booked_equals_drawn(double, daemon, before)
    assert daemon.page().value(RESTARTS, source="nvml") == 0


def test_reset_required_is_told_as_lost(double: NvmlDouble, daemon: DaemonProcess) -> None:
    double.gpu(1).fault(code=16)
    daemon.wait_for(lambda page: page.has("wattledger_gpu_absent_info", gpu="1", reason="lost"), "lost")


def test_a_driver_reload_is_a_stated_reset_and_what_the_new_counter_says_is_booked(
    double: NvmlDouble, daemon: DaemonProcess
) -> None:
    before = daemon.page()
    for slot in (0, 1):
        double.gpu(slot).reset_counter()
    name = "wattledger_gpu_energy_resets_total"
    page = daemon.wait_for(lambda page: page if page.value(name, gpu="0") == 1 else None, "reset stated")
    assert page.value(ENERGY, gpu="0") >= before.value(ENERGY, gpu="0")
    assert page.value("wattledger_gpu_energy_unknown_seconds_total", gpu="0") <= 5
    booked_equals_drawn(double, daemon, page)


@pytest.mark.parametrize(("state", "word"), [("unknown_error", "999"), ("mismatch", "18"), ("absent", "9")])
def test_a_driver_that_cannot_be_initialised_is_said_and_taken_again_when_it_can(
    double: NvmlDouble, tmp_path: Path, state: str, word: str
) -> None:
    match state:
        case "unknown_error":
            double.driver(state="unknown_error")
        case "mismatch":
            double.driver(state="mismatch")
        case _:
            double.driver(state="absent")
    with DaemonProcess(tmp_path / "state", env=double.env) as daemon:
        page = daemon.wait_for(
            lambda page: page if page.has("wattledger_source_failure_info", source="nvml") else None, "failure"
        )
        assert page.value("wattledger_source_success", source="nvml") == 0
        assert not page.has(POWER)
        status, body = daemon.get("/-/ready")
        assert status == 503
        assert word in body.decode(), body
        double.driver(state="loaded")
        daemon.wait_for(lambda page: page.has(POWER, gpu="0"), "values", seconds=60)
        daemon.wait_ready()


def test_the_number_and_order_of_gpus_may_change_while_running(double: NvmlDouble, daemon: DaemonProcess) -> None:
    first, second = double.gpu(0).uuid, double.gpu(1).uuid
    double.order([1])
    daemon.wait_for(
        lambda page: page.has(POWER, gpu="0", uuid=second) and not page.has(POWER, uuid=first), "one left", seconds=40
    )
    assert daemon.page().has(ENERGY, uuid=first), "what it drew stays on the page"
    double.order([1, 0])
    page = daemon.wait_for(
        lambda page: page if page.has(POWER, gpu="1", uuid=first) else None, "both, in the other order", seconds=40
    )
    assert page.value("wattledger_gpu_up", gpu="0", uuid=second) == 1


def test_an_xid_is_counted_with_its_time(double: NvmlDouble, daemon: DaemonProcess) -> None:
    double.gpu(1).xid(79)
    page = daemon.wait_for(
        lambda page: page if page.has("wattledger_gpu_xid_errors_total", gpu="1", xid="79") else None, "Xid 79"
    )
    assert page.value("wattledger_gpu_xid_errors_total", gpu="1", xid="79") == 1
    double.gpu(1).xid(79)
    daemon.wait_for(
        lambda page: page.value("wattledger_gpu_xid_errors_total", gpu="1", xid="79") == 2, "the same Xid again"
    )
