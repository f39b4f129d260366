"""A real daemon on a dcgm-exporter: the books against what the boards drew, over restarts, outages and resets."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.agent.books import books
from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.dcgm_exporter import Burst, DcgmExporter, FakeBoard, Fault
from tests.agent.e2e_daemon import ENERGY, Counters, environment, poll

EVERY_S = 0.5  # between two collections
SUCCESS = "wattledger_source_success"
RESETS = "wattledger_gpu_energy_resets_total"
REJECTED = "wattledger_gpu_energy_rejected_segments_total"


class Ledger:
    """What the daemons with this folder booked, against an exporter's boards."""

    def __init__(self, folder: Path, exporter: DcgmExporter) -> None:
        self.folder = folder
        self._exporter = exporter
        self._first = {uuid: len(counters) - 1 for uuid, counters in exporter.history.items()}

    def daemon(self, *arguments: str) -> DaemonProcess:
        return DaemonProcess(self.folder, *arguments, source=f"dcgm:{self._exporter.url}")

    def settle(self, daemon: DaemonProcess) -> Page:
        """Stop collecting, and give the page that has all of it."""
        self._exporter.freeze()
        boards = {board.uuid for board in self._exporter.boards}
        seen: list[dict[str, float]] = []

        def stands_still(page: Page) -> bool:
            here = {row.labels["uuid"]: row.value for row in page.rows(ENERGY) if row.labels["uuid"] in boards}
            seen.append(here)
            return len(seen) > 20 and all(one == here for one in seen[-20:])

        daemon.wait_for(lambda page: page if stands_still(page) else None, "energy that stands still")
        return daemon.page()

    def check(self) -> None:
        """Fail unless all that was drawn since the first collection that a daemon saw is booked, and no more."""
        booked = books(self.folder)
        assert booked.keys() == {board.uuid for board in self._exporter.boards}
        for board in self._exporter.boards:
            energy_mj, counter_mj = booked[board.uuid]
            assert counter_mj == self._exporter.shown_mj(board)
            counters = self._exporter.history[board.uuid]
            begun_mj = counter_mj - energy_mj
            # The daemon needs a moment to start, and one collection to tell the next from it.
            assert begun_mj in counters, "the books begin at a collection"
            assert counters.index(begun_mj) - self._first[board.uuid] <= 30
            assert energy_mj > 0


def drawn(daemon: DaemonProcess, joules: float) -> None:
    """Wait until each board has drawn so much in the books."""
    daemon.wait_for(
        lambda page: page.has(ENERGY) and all(row.value > joules for row in page.rows(ENERGY)), f"{joules} J"
    )


def boards() -> list[FakeBoard]:
    return [
        FakeBoard(0, utilization=80, burst=Burst(310_123, 95_457, 370_000_001, 150_000_007)),
        FakeBoard(1, model="NVIDIA A30", instances={3: "2g.12gb", 5: "2g.12gb"}, activity={5: 0.6}),
    ]


@pytest.mark.parametrize(
    "current", [pytest.param(False, id="legacy"), pytest.param(True, id="current", marks=pytest.mark.nightly)]
)
def test_the_books_have_what_the_boards_drew(tmp_path: Path, current: bool) -> None:
    with DcgmExporter(*boards(), current=current, every_s=EVERY_S) as exporter:
        ledger = Ledger(tmp_path / "state", exporter)
        counters = Counters()
        with ledger.daemon() as daemon:
            drawn(daemon, 300)
            for _ in range(20):
                counters.see(daemon.page())
                threading.Event().wait(0.05)  # the laws hold on each page
            page = counters.see_whole(ledger.settle(daemon))
            assert page.value("wattledger_source_info", source="dcgm") == 1
            assert page.value("wattledger_driver_info", driver_version="580.105.08") == 1
            whole, cut = exporter.boards
            assert page.value("wattledger_gpu_state", uuid=whole.uuid, state="active") == 1
            assert page.value("wattledger_gpu_state", uuid=cut.uuid, state="active") == 1
            assert page.has("wattledger_gpu_absent_info", uuid=whole.uuid, value="processes", reason="unsupported")
            methods = page.rows("wattledger_gpu_energy_method_joules_total")
            assert {row.labels["method"] for row in methods if row.value} == {"counter"}
            instances = page.rows("wattledger_mig_info", uuid=cut.uuid)
            assert [(row.labels["gpu_instance"], row.labels["compute_instance"]) for row in instances] == [
                ("3", ""),
                ("5", ""),
            ]
            assert page.value("wattledger_source_restarts_total") == 0
        ledger.check()


@pytest.mark.parametrize(
    "kill", [pytest.param(True, id="killed"), pytest.param(False, id="stopped", marks=pytest.mark.nightly)]
)
def test_a_restart_of_the_daemon_loses_nothing(tmp_path: Path, kill: bool) -> None:
    with DcgmExporter(*boards(), every_s=EVERY_S) as exporter:
        ledger = Ledger(tmp_path / "state", exporter)
        first = ledger.daemon()
        drawn(first, 30)
        if kill:
            first.kill()
        else:
            assert first.stop() == 0
        collections = len(exporter.history[exporter.boards[0].uuid])
        poll(lambda: len(exporter.history[exporter.boards[0].uuid]) >= collections + 3, "collections nobody saw")
        with ledger.daemon() as second:
            drawn(second, 400)
            page = ledger.settle(second)
            assert page.total("wattledger_gpu_state_energy_joules_total", state="unobserved") > 0
            assert {row.value for row in page.rows(REJECTED)} == {0}
            assert {row.value for row in page.rows(RESETS)} == {0}
        ledger.check()


def test_an_exporter_that_is_down_is_said_and_loses_nothing(tmp_path: Path) -> None:
    with DcgmExporter(*boards(), every_s=EVERY_S) as exporter:
        ledger = Ledger(tmp_path / "state", exporter)
        counters = Counters()
        with ledger.daemon() as daemon:
            drawn(daemon, 30)
            exporter.down()
            page = daemon.wait_for(lambda page: page if page.total(SUCCESS) == 0 else None, "a failure")
            counters.see(page)
            assert page.value("wattledger_source_failure_info", source="dcgm", reason="failed") == 1
            assert not page.has("wattledger_gpu_power_watts")
            assert "start dcgm-exporter, or correct the address" in daemon.logged()
            exporter.up()
            daemon.wait_for(lambda page: page.has("wattledger_gpu_power_watts"), "power again")
            exporter.fault = Fault.STATUS
            daemon.wait_for(lambda page: page.total(SUCCESS) == 0, "another failure")
            exporter.fault = Fault.NONE
            daemon.wait_for(lambda page: page.has("wattledger_gpu_power_watts"), "power once more")
            page = counters.see(ledger.settle(daemon))
            assert {row.value for row in page.rows(REJECTED)} == {0}
        ledger.check()


@pytest.mark.nightly
def test_a_board_that_is_lost_and_found_loses_nothing(tmp_path: Path) -> None:
    with DcgmExporter(*boards(), every_s=EVERY_S) as exporter:
        ledger = Ledger(tmp_path / "state", exporter)
        lost = exporter.boards[0]
        with ledger.daemon() as daemon:
            drawn(daemon, 30)
            exporter.lose(lost)
            daemon.wait_for(lambda page: page.total("wattledger_gpu_up", uuid=lost.uuid) == 0, "its loss")
            exporter.find(lost)
            daemon.wait_for(lambda page: page.has("wattledger_gpu_power_watts", uuid=lost.uuid), "its power")
            ledger.settle(daemon)
        ledger.check()


@pytest.mark.nightly
def test_a_counter_that_begins_anew_is_counted_from_there(tmp_path: Path) -> None:
    board = boards()[0]
    with DcgmExporter(board, every_s=EVERY_S) as exporter:
        ledger = Ledger(tmp_path / "state", exporter)
        with ledger.daemon() as daemon:
            drawn(daemon, 30)
            exporter.reset(board)
            before = [mj for mj in exporter.history[board.uuid] if mj > 1_000_000]
            daemon.wait_for(lambda page: page.total(RESETS) == 1, "the reset")
            page = ledger.settle(daemon)
            # How much of that time the new counter covers is not known.
            assert page.value("wattledger_gpu_energy_unknown_seconds_total", uuid=board.uuid) > EVERY_S
        energy_mj, counter_mj = books(ledger.folder)[board.uuid]
        assert counter_mj == board.counter_mj < 1_000_000
        spans = {last - first for last in before[-3:] for first in before}
        assert energy_mj - counter_mj in spans, "what was drawn before it, up to the last collection, and the new one"


def test_states_are_what_utilisation_and_clocks_can_tell(tmp_path: Path) -> None:
    idle = [
        FakeBoard(0, utilization=50),
        FakeBoard(1),
        FakeBoard(2, max_sm_clock_mhz=1980, sm_clock_mhz=345),
        FakeBoard(3, max_sm_clock_mhz=1980, sm_clock_mhz=345),
        FakeBoard(4, max_sm_clock_mhz=1980),
        FakeBoard(5, instances={1: "1g.10gb"}),
    ]
    config = tmp_path / "wattledger.yaml"
    with DcgmExporter(*idle, every_s=EVERY_S) as exporter:
        config.write_text(f"owners: [{{gpus: [3], owner: alice}}]\nsource: 'dcgm:{exporter.url}'\n")
        with Ledger(tmp_path / "state", exporter).daemon("--config", str(config)) as daemon:
            page = daemon.wait_for(
                lambda page: page if len(page.rows("wattledger_gpu_power_watts")) == len(idle) else None, "power"
            )
            states = {
                row.labels["gpu"]: row.labels["state"] for row in page.rows("wattledger_gpu_state") if row.value
            }
            assert states == {
                "0": "active",
                "1": "unknown",  # who could hold it is not told: neither processes nor the highest clock
                "2": "parked",
                "3": "allocated",
                "4": "held",
                "5": "unknown",
            }
            drawn(daemon, 10)
            page = daemon.page()
            assert page.total("wattledger_workload_energy_joules_total", gpu="3", workload="alice") > 0


def test_once_waits_for_a_collection(tmp_path: Path) -> None:
    with DcgmExporter(FakeBoard(0), every_s=1.5) as exporter:
        done = subprocess.run(
            [sys.executable, "-m", "wattledger.agent", "once", "--source", f"dcgm:{exporter.url}"],
            capture_output=True,
            text=True,
            env=environment({}),
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    page = Page(done.stdout)
    assert page.value("wattledger_gpu_power_watts", reading="instant") in (300, 100)
    assert page.value("wattledger_source_info", source="dcgm") == 1
