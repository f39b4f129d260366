"""The daemon as a user runs it, on the driver double through the real pynvml."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.agent.books import books
from tests.agent.daemon_process import DaemonProcess, Page
from tests.exporter.http import certificates
from tests.nvml.double import NvmlDouble

MILLIJOULE = 0.001


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


def energy(page: Page, gpu: int = 0) -> float:
    return page.value("wattledger_gpu_energy_joules_total", gpu=str(gpu))


def test_the_page_shows_what_the_driver_says(tmp_path: Path, state_dir: Path) -> None:
    with NvmlDouble(tmp_path, gpus=["h100", "l40s"], clock="real") as double:
        double.gpu(0).process(4242, memory_bytes=40 << 30)
        double.gpu(0).utilisation(gpu=80)
        with DaemonProcess(state_dir, env=double.env) as daemon:
            page = daemon.wait_ticks(3)
            assert page.value("wattledger_source_info", source="nvml") == 1
            uuid = double.gpu(0).uuid
            assert page.value("wattledger_gpu_up", gpu="0", uuid=uuid) == 1
            assert page.value("wattledger_gpu_utilization_ratio", gpu="0", uuid=uuid) == 0.8
            assert page.value("wattledger_gpu_processes", gpu="0") == 1
            assert page.value("wattledger_gpu_state", gpu="0", state="active") == 1
            assert page.value("wattledger_gpu_state", gpu="1", state="parked") == 1
            assert energy(page) == pytest.approx(
                page.total("wattledger_gpu_state_energy_joules_total", gpu="0"), abs=MILLIJOULE / 2
            )


def test_ten_kill_9_restarts_under_load_lose_no_joule(
    tmp_path: Path, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with NvmlDouble(tmp_path, gpus=["h100", "a100"], clock="real") as double:
        for slot in (0, 1):
            double.gpu(slot).process(4242)
            double.gpu(slot).burst(high_w=400, low_w=90, period_s=0.37, duty=0.4)
        begun_mj: dict[str, int] = {}
        last: dict[str, float] = {}
        for _ in range(10):
            daemon = DaemonProcess(state_dir, env=double.env)
            page = daemon.wait_ticks(3)
            for row in page.samples:
                if row.name.startswith("wattledger_gpu_") and row.name.endswith(("_joules_total", "_seconds_total")):
                    key = f"{row.name}{sorted(row.labels.items())}"
                    assert row.value >= last.get(key, 0.0), f"{key} fell"
                    last[key] = row.value
            daemon.kill()
            for uuid, (booked_mj, counter_mj) in books(state_dir).items():
                begun_mj.setdefault(uuid, counter_mj - booked_mj)
        with DaemonProcess(state_dir, env=double.env) as daemon:
            page = daemon.wait_ticks(3)
        lost_j = {
            uuid: (counter_mj - begun_mj[uuid] - booked_mj) / 1000
            for uuid, (booked_mj, counter_mj) in books(state_dir).items()
        }
        with capsys.disabled():
            print(f"\n10 kill -9 restarts under load: joules lost per GPU: {lost_j}")
        assert list(lost_j.values()) == [0.0, 0.0]
        assert page.value("wattledger_gpu_energy_resets_total", gpu="0") == 0


def test_sigterm_commits_lets_go_of_the_driver_and_exits_0(tmp_path: Path, state_dir: Path) -> None:
    with NvmlDouble(tmp_path, gpus=["h100"], clock="real") as double:
        daemon = DaemonProcess(state_dir, env=double.env)
        page = daemon.wait_ticks(3)
        samplers = daemon.sampler_pids()
        assert daemon.stop() == 0
        assert double.calls()["nvmlShutdown"] == 1
        assert not any(Path(f"/proc/{pid}").exists() for pid in samplers)
        booked_mj, _ = books(state_dir)[double.gpu(0).uuid]
        assert booked_mj / 1000 >= energy(page)


def test_a_second_agent_on_the_same_books_is_refused_and_the_first_goes_on(tmp_path: Path, state_dir: Path) -> None:
    with NvmlDouble(tmp_path, gpus=["h100"], clock="real") as double, DaemonProcess(state_dir, env=double.env) as one:
        one.wait_ready()
        command = [sys.executable, "-m", "wattledger.agent", "run", "--source", "nvml", "--listen", "127.0.0.1:0"]
        second = subprocess.run(
            [*command, "--state-dir", str(state_dir)],
            env=os.environ | double.env | {"PYTHONPATH": ".importroot"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert second.returncode == 1
        assert str(one.process.pid) in second.stderr
        assert "--state-dir" in second.stderr
        one.wait_ticks(1)


def test_systemd_is_told_when_ready_what_goes_on_and_that_the_tick_lives(tmp_path: Path, state_dir: Path) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        listener.settimeout(20)
        with (
            NvmlDouble(tmp_path, gpus=["h100"], clock="real") as double,
            DaemonProcess(state_dir, env=double.env | {"NOTIFY_SOCKET": str(address)}) as daemon,
        ):
            seen: set[str] = set()
            wanted = {"READY=1", "WATCHDOG=1", "STATUS=nvml: 1 of 1 GPUs read"}
            while not wanted <= seen:
                seen.update(listener.recv(4096).decode().splitlines())
            daemon.signal(signal.SIGHUP)
            while not any(line.startswith("RELOADING=1") for line in seen):
                seen.update(listener.recv(4096).decode().splitlines())
            daemon.signal(signal.SIGTERM)
            while "STOPPING=1" not in seen:
                seen.update(listener.recv(4096).decode().splitlines())


def test_sighup_takes_a_good_file_and_keeps_the_old_one_when_the_new_is_bad(tmp_path: Path, state_dir: Path) -> None:
    config = tmp_path / "wattledger.yaml"
    config.write_text("states: {dwell: 1s}\n")
    with (
        NvmlDouble(tmp_path, gpus=["h100"], clock="real") as double,
        DaemonProcess(state_dir, "--config", str(config), env=double.env) as daemon,
    ):
        daemon.wait_for(lambda page: page.has("wattledger_gpu_state", gpu="0", state="parked"), "parked")
        config.write_text("owners: [{gpus: [0], owner: alice}]\n")
        daemon.signal(signal.SIGHUP)
        daemon.wait_for(
            lambda page: (
                page.rows("wattledger_gpu_state", gpu="0", state="allocated")
                and page.value("wattledger_gpu_state", gpu="0", state="allocated") == 1
            ),
            "allocated",
        )
        before = daemon.page()
        config.write_text("ownrs: [{gpus: [0], owner: alice}]\n")
        daemon.signal(signal.SIGHUP)
        page = daemon.wait_for(
            lambda page: page if page.value("wattledger_config_last_reload_successful") == 0 else None, "bad reload"
        )
        assert page.value("wattledger_gpu_state", gpu="0", state="allocated") == 1
        assert f"{config}:1" in daemon.logged()
        assert "owners" in daemon.logged()
        name = "wattledger_config_last_reload_success_timestamp_seconds"
        assert page.value(name) == before.value(name)


def test_a_web_config_that_goes_wrong_under_way_shows_on_the_page_until_it_is_mended(
    tmp_path: Path, state_dir: Path
) -> None:
    web = tmp_path / "web.yml"
    web.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    name = "wattledger_web_config_last_reload_successful"
    with DaemonProcess(state_dir, "--web-config", str(web), source="sim") as daemon:
        daemon.wait_for(lambda page: page.has(name) and page.value(name) == 1, "in force")
        web.write_text("basic_auth_users: {prom: in-the-clear}\n")
        daemon.wait_for(lambda page: page.value(name) == 0, "not in force")
        web.write_text("{}\n")
        daemon.wait_for(lambda page: page.value(name) == 1, "in force again")
    with DaemonProcess(state_dir, source="sim") as daemon:
        assert not daemon.wait_ticks(1).has(name)


@pytest.mark.parametrize("tls", [False, True])
def test_what_is_printed_for_prometheus_says_whether_it_is_to_speak_tls(
    tmp_path: Path, state_dir: Path, *, tls: bool
) -> None:
    web = tmp_path / "web.yml"
    web.write_text("{}\n")
    if tls:
        own = certificates.server(tmp_path, "server", certificates.authority(tmp_path, "ca"))
        web.write_text(f"tls_server_config: {{cert_file: {own.cert_file}, key_file: {own.key_file}}}\n")
    with DaemonProcess(state_dir, "--web-config", str(web), source="sim") as daemon:
        assert daemon.process.stdout is not None
        assert "paste" in daemon.process.stdout.readline()
        (job,) = yaml.safe_load("".join(daemon.process.stdout.readline() for _ in range(4 + tls)))
    host = daemon.url.partition("//")[2]
    assert job["static_configs"] == [{"targets": [host]}]
    assert job.get("scheme") == ("https" if tls else None)


def test_simulated_joules_have_books_of_their_own_and_the_page_says_so(tmp_path: Path, state_dir: Path) -> None:
    with DaemonProcess(state_dir, source="sim") as daemon:
        page = daemon.wait_ticks(2)
        assert page.value("wattledger_source_info", source="sim") == 1
        status, landing = daemon.get("/")
        assert status == 200
        assert b"imulated" in landing
        assert "SIMULATED" in daemon.logged()
    assert (state_dir / "sim").is_dir()
    assert not list(state_dir.glob("ledger*"))
