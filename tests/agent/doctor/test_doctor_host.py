"""What the doctor says of a host without a look at its GPUs: folders, port, namespaces, other sources of watts."""

import fcntl
import io
import os
import socket
from pathlib import Path

import pytest

from tests.agent.doctor.hosts import NO_NVML, diagnose, environment, server, write
from wattledger.agent.doctor import run_doctor


def test_a_server_where_all_is_well_has_all_but_the_driver(tmp_path: Path) -> None:
    seen = diagnose(server(tmp_path / "host"), environment(tmp_path, NO_NVML))
    for capability in (
        "configuration",
        "Python binding",
        "kernel driver",
        "device nodes",
        "MPS view",
        "process ids",
        "processes of others",
        "sockets of others",
        "cgroups",
        "state directory",
        "ledger lock",
        "port",
        "systemd",
        "CPU energy (RAPL)",
        "node power (IPMI)",
        "Kubernetes",
        "Slurm",
    ):
        assert seen.status(capability) == "present", seen.of(capability)
    assert seen.status("driver library") == "missing"
    assert seen.code == 1


def test_an_empty_host_names_every_gap_and_a_cure_for_what_is_essential(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    seen = diagnose(server(tmp_path / "full").below(tmp_path / "empty"), environment(tmp_path, NO_NVML))
    for capability in ("driver library", "kernel driver", "device nodes", "NVML"):
        found = seen.of(capability)
        assert (found["status"], found["essential"]) == ("missing", True)
        assert found["cure"]
    for capability in ("systemd", "CPU energy (RAPL)", "node power (IPMI)", "Kubernetes", "Slurm", "cgroups"):
        found = seen.of(capability)
        assert (found["status"], found["essential"]) == ("missing", False)


def test_what_this_user_may_not_read_is_limited_or_missing(tmp_path: Path) -> None:
    roots = server(tmp_path / "host")
    closed = {roots.sys / "class/powercap/intel-rapl:0/energy_uj", roots.dev / "ipmi0", roots.dev / "nvidia0"}
    seen = diagnose(
        roots,
        environment(tmp_path, NO_NVML),
        access=lambda path, mode: path not in closed and os.access(path, mode),
    )
    assert seen.status("CPU energy (RAPL)") == "limited"
    assert "CAP_DAC_READ_SEARCH" in seen.of("CPU energy (RAPL)")["cure"]
    assert seen.status("node power (IPMI)") == "limited"
    assert seen.of("device nodes")["why"] == "no access to nvidia0"


def test_a_state_directory_that_cannot_be_written_is_essential(tmp_path: Path) -> None:
    blocked = write(tmp_path / "a-file")
    variables = environment(tmp_path, NO_NVML, {"WATTLEDGER_STATE_DIR": str(blocked / "state")})
    found = diagnose(server(tmp_path / "host"), variables).of("state directory")
    assert (found["status"], found["essential"]) == ("missing", True)
    assert str(blocked) in found["why"]


@pytest.mark.parametrize("name", ["ledger.sqlite3", "lock"])
def test_books_that_another_user_has_made_are_essential(tmp_path: Path, name: str) -> None:
    closed = write(tmp_path / "state" / name)
    seen = diagnose(
        server(tmp_path / "host"),
        environment(tmp_path, NO_NVML),
        access=lambda path, mode: path != closed and os.access(path, mode),
    )
    found = seen.of("state directory")
    assert (found["status"], found["essential"]) == ("missing", True)
    assert f"may not write {name}," in found["why"]
    assert f"chown -R USER {tmp_path / 'state'}" in found["cure"]


def test_counters_that_a_container_runtime_hides_are_not_taken_for_a_driver_that_is_not_loaded(
    tmp_path: Path,
) -> None:
    roots = server(tmp_path / "host")
    folder = roots.sys / "class/powercap"
    for file in (folder / "intel-rapl:0").iterdir():
        file.unlink()
    (folder / "intel-rapl:0").rmdir()
    assert "modprobe" in diagnose(roots, environment(tmp_path, NO_NVML)).of("CPU energy (RAPL)")["cure"]
    (folder / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/intel-rapl/intel-rapl:0")
    found = diagnose(roots, environment(tmp_path, NO_NVML)).of("CPU energy (RAPL)")
    assert found["status"] == "limited"
    assert "hidden by the container runtime" in found["why"]
    assert "modprobe" not in found["cure"]


def test_a_sensor_of_the_node_is_told(tmp_path: Path) -> None:
    roots = server(tmp_path / "host")
    assert diagnose(roots, environment(tmp_path, NO_NVML)).status("node power (hwmon)") == "missing"
    write(roots.sys / "class/hwmon/hwmon3/name", "power_meter\n")
    write(roots.sys / "class/hwmon/hwmon3/device/power1_average", "742000000\n")
    found = diagnose(roots, environment(tmp_path, NO_NVML)).of("node power (hwmon)")
    assert (found["status"], found["why"]) == ("present", "node")


def test_a_lock_that_is_held_names_its_holder_and_leaves_the_lock_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    lock = write(state / "lock", "4711\n")
    with lock.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, NO_NVML))
        assert "pid 4711" in seen.of("ledger lock")["why"]
    assert diagnose(server(tmp_path / "other"), environment(tmp_path, NO_NVML)).of("ledger lock")["why"] == "free"
    assert lock.read_text() == "4711\n"


def test_a_doctors_visit_leaves_no_state_behind(tmp_path: Path) -> None:
    diagnose(server(tmp_path / "host"), environment(tmp_path, NO_NVML))
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("agent_runs", [False, True])
def test_a_port_in_use_is_essential_unless_the_agent_has_it(tmp_path: Path, *, agent_runs: bool) -> None:
    lock = write(tmp_path / "state/lock", "12\n")
    with socket.create_server(("127.0.0.1", 0)) as taken, lock.open("r+") as held:
        if agent_runs:
            fcntl.flock(held, fcntl.LOCK_EX)
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        variables = environment(tmp_path, NO_NVML, {"WATTLEDGER_LISTEN": address})
        found = diagnose(server(tmp_path / "host"), variables).of("port")
    assert found["status"] == ("present" if agent_runs else "missing")
    assert address in found["why"]


def test_a_variable_that_hides_devices_is_named(tmp_path: Path) -> None:
    variables = environment(tmp_path, NO_NVML, {"NVML_MPS_DEVICE_ENUMERATION": "1"})
    assert diagnose(server(tmp_path / "host"), variables).status("MPS view") == "limited"


def test_a_configuration_that_is_refused_is_told_with_its_place(tmp_path: Path) -> None:
    roots = server(tmp_path / "host")
    write(roots.etc / "wattledger/wattledger.yaml", "lissten: 127.0.0.1:9\n")
    found = diagnose(roots, environment(tmp_path, NO_NVML)).of("configuration")
    assert found["status"] == "missing"
    assert "lissten" in found["why"]


def test_the_configuration_names_state_and_port(tmp_path: Path) -> None:
    roots = server(tmp_path / "host")
    write(roots.etc / "wattledger/wattledger.yaml", f"state_dir: {tmp_path}/books\nlisten: 127.0.0.1:0\n")
    variables = {
        name: value for name, value in environment(tmp_path, NO_NVML).items() if not name.startswith("WATTLEDGER_")
    }
    assert f"{tmp_path}/books" in diagnose(roots, variables).of("state directory")["why"]


def test_the_table_fits_one_hundred_columns_and_sums_up(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    out = io.StringIO()
    code = run_doctor(
        out, roots=server(tmp_path / "full").below(tmp_path / "empty"), environment=environment(tmp_path, NO_NVML)
    )
    lines = out.getvalue().splitlines()
    assert code == 1
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("MISSING  driver library") for line in lines)  # capitals: essential
    assert any(line.startswith("missing  Slurm") for line in lines)
    assert lines[-1] == "Essential and missing: driver library, kernel driver, device nodes, NVML."
