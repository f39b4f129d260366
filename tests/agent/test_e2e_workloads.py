"""Who used it: a daemon on the C double, real processes in real control groups, and every joule in one of them."""

from pathlib import Path

from tests.agent.control_groups import process_in
from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import STATE_ENERGY, machine

WORKLOAD_ENERGY = "wattledger_workload_energy_joules_total"
CONTAINER = "3f" * 32
OTHER = "a1" * 32


def millijoules(joules: float) -> int:
    return round(joules * 1000)


class Books:
    """Every page shown to it: no counter falls, and in each state the workloads of a device sum to it."""

    def __init__(self) -> None:
        self.last: dict[tuple[tuple[str, str], ...], float] = {}

    def see(self, page: Page) -> Page:
        for sample in page.rows(WORKLOAD_ENERGY):
            key = tuple(sorted(sample.labels.items()))
            assert sample.value >= self.last.get(key, 0.0), key
            self.last[key] = sample.value
        for row in page.rows(STATE_ENERGY):
            labels = {"uuid": row.labels["uuid"], "state": row.labels["state"]}
            shared = sum(millijoules(sample.value) for sample in page.rows(WORKLOAD_ENERGY, **labels))
            assert shared == millijoules(row.value), labels
        return page


def test_workloads_are_named_and_sum_to_their_devices_over_a_kill(tmp_path: Path) -> None:
    books = Books()
    with (
        machine(tmp_path / "driver", "a100", "h100") as double,
        process_in(f"docker/{CONTAINER}") as first,
        process_in("system.slice/llm.service") as second,
    ):
        shared, alone = double.gpus
        shared.process(first.pid, gpu=60)
        shared.process(second.pid, gpu=20)
        shared.utilisation(gpu=80)
        shared.burst(high_w=380, low_w=180, period_s=0.7, duty=0.5)
        alone.process(first.pid)
        with_container = {"kind": "container", "workload": CONTAINER[:12]}
        with_unit = {"kind": "unit", "workload": "llm.service"}

        daemon = DaemonProcess(tmp_path / "state", env=double.env)
        daemon.wait_for(
            lambda page: page.total(WORKLOAD_ENERGY, uuid=shared.uuid, method="sm_share", **with_unit) > 100,
            "the unit's part of the shared board",
        )
        page = books.see(daemon.page())
        assert page.total(WORKLOAD_ENERGY, uuid=alone.uuid, state="held", method="exclusive", **with_container) > 0
        assert not page.has(WORKLOAD_ENERGY, uuid=alone.uuid, **with_unit)
        dynamic = page.total(WORKLOAD_ENERGY, uuid=shared.uuid, method="sm_share", **with_container)
        assert dynamic > page.total(WORKLOAD_ENERGY, uuid=shared.uuid, method="sm_share", **with_unit)
        assert page.value("wattledger_gpu_holding_processes") == 2
        daemon.kill()

        with DaemonProcess(tmp_path / "state", env=double.env) as again:
            again.wait_ready()
            page = books.see(again.wait_ticks(3))
            lost = page.total(WORKLOAD_ENERGY, kind="unattributed", state="unobserved")
            assert lost > 0  # nobody looked, so nobody is blamed
            alone.end_process(first.pid)
            again.wait_for(
                lambda page: page.total(WORKLOAD_ENERGY, uuid=alone.uuid, kind="unattributed", state="parked") > 0,
                "the board that nobody holds any more",
            )
            page = books.see(again.page())
            assert page.total(WORKLOAD_ENERGY, uuid=alone.uuid, **with_container) > 0


def test_a_container_within_a_slurm_job_is_the_container_and_keeps_the_job(tmp_path: Path) -> None:
    with (
        machine(tmp_path / "driver", "h100") as double,
        process_in(f"slurm/uid_1000/job_4711/step_0/docker/{OTHER}") as process,
    ):
        double.gpu(0).process(process.pid)
        with DaemonProcess(tmp_path / "state", env=double.env) as daemon:
            daemon.wait_for(lambda page: page.total(WORKLOAD_ENERGY, kind="container", job="4711") > 0, "its energy")


def test_an_owner_has_the_energy_of_a_board_that_nobody_uses(tmp_path: Path) -> None:
    config = tmp_path / "wattledger.yml"
    config.write_text("owners: [{gpus: [0], owner: alice}]\n")
    with (
        machine(tmp_path / "driver", "h100") as double,
        DaemonProcess(tmp_path / "state", "--config", str(config), env=double.env) as daemon,
    ):
        labels = {"kind": "owner", "workload": "alice", "state": "allocated", "method": "allocated"}
        daemon.wait_for(lambda page: page.total(WORKLOAD_ENERGY, **labels) > 0, "energy of the owner")
