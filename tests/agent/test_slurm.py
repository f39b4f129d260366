"""Whose joules: a real Slurm gives a job a GPU, which the job holds, uses and gives back, and the books follow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import ENERGY, STATE_ENERGY, machine
from tests.agent.slurm_server import SlurmServer, slurm
from tests.agent.test_e2e_workloads import WORKLOAD_ENERGY, Books, millijoules

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlurmServer]:
    with slurm(tmp_path_factory.mktemp("slurm")) as server:
        yield server


def whole(books: Books, page: Page) -> Page:
    """Hold a page to its laws: workloads sum to each state of a device, and the states to its energy."""
    books.see(page)
    assert page.has(ENERGY)
    for row in page.rows(ENERGY):
        states = page.total(STATE_ENERGY, uuid=row.labels["uuid"])
        assert millijoules(states) == millijoules(row.value)
    return page


def test_a_gpu_that_a_job_was_given_is_the_jobs_until_its_epilog(tmp_path: Path, cluster: SlurmServer) -> None:
    config = tmp_path / "wattledger.yml"
    config.write_text(f"workloads: {{slurm: {{job_map_dir: {cluster.map_dir}}}}}\n")
    books = Books()
    with (
        machine(tmp_path / "driver", "h100", "a100") as double,
        DaemonProcess(tmp_path / "state", "--config", str(config), env=double.env) as daemon,
    ):
        daemon.wait_ready()
        assert not daemon.page().has(WORKLOAD_ENERGY, kind="slurm")
        job = cluster.run_job()
        board = double.gpu(job.gpu)
        labels = {"kind": "slurm", "workload": job.id, "job": job.id, "uuid": board.uuid}

        daemon.wait_for(
            lambda page: page.total(WORKLOAD_ENERGY, state="allocated", method="allocated", **labels) > 0,
            "energy of a GPU that the job does not use",
        )
        page = whole(books, daemon.page())
        assert {row.labels["state"] for row in page.rows(WORKLOAD_ENERGY, **labels)} == {"allocated"}
        assert all(row.labels["uuid"] == board.uuid for row in page.rows(WORKLOAD_ENERGY, kind="slurm"))

        board.process(job.pid)
        exclusive = labels | {"method": "exclusive"}
        daemon.wait_for(lambda page: page.total(WORKLOAD_ENERGY, state="held", **exclusive) > 0, "held by the job")
        board.process(job.pid, gpu=90)
        board.utilisation(gpu=90)
        board.draw(500)
        daemon.wait_for(lambda page: page.total(WORKLOAD_ENERGY, state="active", **exclusive) > 0, "used by the job")
        before = whole(books, daemon.page())
        after = whole(books, daemon.wait_ticks(5))
        assert after.total(WORKLOAD_ENERGY, **exclusive) > before.total(WORKLOAD_ENERGY, **exclusive)
        unused = {"state": "allocated", **labels}
        assert after.total(WORKLOAD_ENERGY, **unused) == before.total(WORKLOAD_ENERGY, **unused)

        board.utilisation(gpu=0)
        board.end_process(job.pid)
        board.draw(80)
        cluster.finish(job)
        assert_nothing_more(daemon, books, board.uuid, job_id=job.id)


def assert_nothing_more(daemon: DaemonProcess, books: Books, uuid: str, *, job_id: str) -> None:
    """Wait until the board is parked and nobody's; from then on the job gets nothing while the board draws on."""
    nobody = {"kind": "unattributed", "state": "parked", "uuid": uuid}
    parked = daemon.page().total(WORKLOAD_ENERGY, **nobody)
    daemon.wait_for(lambda page: page.total(WORKLOAD_ENERGY, **nobody) > parked, "a board that is nobody's again")
    before = whole(books, daemon.page())
    after = whole(books, daemon.wait_ticks(10))
    assert after.total(WORKLOAD_ENERGY, workload=job_id) == before.total(WORKLOAD_ENERGY, workload=job_id) > 0
    assert after.total(WORKLOAD_ENERGY, **nobody) > before.total(WORKLOAD_ENERGY, **nobody)


def test_a_process_is_its_jobs_by_the_daemon_of_its_step_without_a_map(tmp_path: Path, cluster: SlurmServer) -> None:
    books = Books()
    job = cluster.run_job()
    with (
        machine(tmp_path / "driver", "h100", "a100") as double,
        DaemonProcess(tmp_path / "state", env=double.env) as daemon,
    ):
        board = double.gpu(job.gpu)
        daemon.wait_ready()
        page = whole(books, daemon.wait_ticks(3))
        assert not page.has(WORKLOAD_ENERGY, kind="slurm")
        board.process(job.pid)
        labels = {"kind": "slurm", "workload": job.id, "job": job.id, "uuid": board.uuid}
        daemon.wait_for(lambda page: page.total(WORKLOAD_ENERGY, state="held", **labels) > 0, "held by the job")
        whole(books, daemon.page())
        board.end_process(job.pid)
        cluster.finish(job)
        assert_nothing_more(daemon, books, board.uuid, job_id=job.id)
