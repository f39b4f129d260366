"""What the doctor says of GPUs, through the real binding on the test double, and of drivers that fail or hang."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.agent.doctor.hosts import diagnose, environment, server, write
from tests.nvml.double import NvmlDouble
from wattledger.agent.doctor import run_doctor

REPOSITORY = Path(__file__).resolve().parents[3]


def test_a_healthy_host_exits_zero(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"] * 4) as double:
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, double.env))
    assert seen.code == 0, [one for one in seen.findings if one["status"] == "missing"]
    assert "driver 580.105.08" in seen.of("NVML")["why"]
    values = seen.of("values")
    assert values["subject"] == "GPU 0-3"  # boards of which the same is true share a line
    assert "NVIDIA H100 80GB HBM3" in values["why"]
    assert "unsupported: fan_speed_ratio" in values["why"]
    assert "hardware counter" in seen.of("energy")["why"]
    assert seen.status("activity (GPM)") == "present"
    assert seen.status("XID events") == "present"
    assert seen.status("process list") == "present"
    assert seen.of("MIG")["why"] == "off"
    assert seen.status("runtime power (RTD3)") == "present"


def test_boards_that_differ_have_lines_of_their_own(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100", "a100", "pascal", "gh200"]) as double:
        double.gpu(1).mig(["3g.40gb", "1g.10gb"])
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, double.env))
    assert seen.of("activity (GPM)", "GPU 1")["subject"] == "GPU 1-2"
    assert seen.of("energy", "GPU 2")["status"] == "limited"
    assert "power of the moment is summed up" in seen.of("energy", "GPU 2")["why"]
    assert "whole module" in seen.of("energy", "GPU 3")["why"]
    assert "2 instances" in seen.of("MIG", "GPU 1")["why"]
    assert seen.of("MIG", "GPU 2")["status"] == "missing"
    assert seen.code == 0


def test_a_board_without_energy_and_power_is_essential(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["rtx3090"]) as double:
        for field in (83, 185, 186, 191):
            double.gpu(0).field_error(field, 3)
        for name in ("nvmlDeviceGetPowerUsage", "nvmlDeviceGetTotalEnergyConsumption"):
            double.gpu(0).fault(name, 3)
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, double.env))
    assert (seen.status("energy"), seen.code) == ("missing", 1)


def test_persistence_mode_off_runtime_power_and_denied_lists_are_limits_with_cures(tmp_path: Path) -> None:
    roots = server(tmp_path / "host")
    with NvmlDouble(tmp_path / "double", ["rtx4090"]) as double:
        double.gpu(0).shared.persistence = 0
        double.gpu(0).fault("nvmlDeviceGetComputeRunningProcesses_v3", 4)
        write(roots.sys / "bus/pci/devices" / double.gpu(0).bdf / "power/control", "auto\n")
        write(roots.sys / "bus/pci/devices" / double.gpu(0).bdf / "power/runtime_status", "active\n")
        seen = diagnose(roots, environment(tmp_path, double.env))
    assert seen.status("persistence mode") == "limited"
    assert "nvidia-smi -pm 1" in seen.of("persistence mode")["cure"]
    assert seen.status("runtime power (RTD3)") == "limited"
    assert "no_permission" in seen.of("process list")["why"]
    assert "root" in seen.of("process list")["cure"]
    assert seen.code == 0


def test_a_lost_board_is_essential_and_the_others_are_told(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100", "h100"]) as double:
        double.gpu(1).fault("nvmlDeviceGetFieldValues", 15)
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, double.env))
    assert seen.code == 1
    assert "does not answer: lost" in seen.of("values", "GPU 1")["why"]
    assert seen.of("values", "GPU 0")["status"] == "present"


@pytest.mark.parametrize(
    ("state", "words"),
    [("absent", "modprobe nvidia"), ("mismatch", "reboot"), ("unknown_error", "restart the container")],
)
def test_a_driver_that_does_not_start_is_told_with_its_cure(tmp_path: Path, state: str, words: str) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double:
        double.driver(state=state)  # type: ignore[arg-type]  # the parametrised text is one of the literals
        seen = diagnose(server(tmp_path / "host", version="570.86.10"), environment(tmp_path, double.env))
    assert seen.code == 1
    assert words in seen.of("NVML")["cure"]
    assert seen.status("kernel driver") == ("missing" if state == "mismatch" else "present")
    assert "570.86.10" in seen.of("kernel driver")["why"]


def test_a_library_of_another_version_than_the_module_is_told(tmp_path: Path) -> None:
    roots = server(tmp_path / "host", version="570.86.10")
    folder = roots.libraries / "usr/lib/x86_64-linux-gnu"
    write(folder / "libnvidia-ml.so.580.95.05")
    (folder / "libnvidia-ml.so.1").symlink_to("libnvidia-ml.so.580.95.05")
    seen = diagnose(roots, environment(tmp_path, {"LD_LIBRARY_PATH": ""}))
    assert seen.of("kernel driver")["why"] == "version 570.86.10 is loaded, the library is 580.95.05"
    assert "reboot" in seen.of("kernel driver")["cure"]


def test_a_driver_that_hangs_does_not_hang_the_doctor(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double:
        double.gpu(0).hang("nvmlDeviceGetFieldValues")
        before = time.monotonic()
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, double.env), limit_s=2.0)
        assert time.monotonic() - before < 8
    assert seen.code == 1
    assert "no answer within 2 s" in seen.of("NVML")["why"]


def test_a_driver_that_crashes_does_not_crash_the_doctor(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double:
        double.gpu(0).crash("nvmlDeviceGetFieldValues")
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, double.env))
    assert seen.code == 1
    assert "ended with -11" in seen.of("NVML")["why"]


def test_a_driver_without_boards_is_essential(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double:
        double.order([])
        seen = diagnose(server(tmp_path / "host"), environment(tmp_path, double.env))
    assert (seen.status("GPUs"), seen.code) == ("missing", 1)


def test_the_table_of_a_host_full_of_boards_fits(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100", "l40s", "pascal", "gb10", "gh200"]) as double:
        out = io.StringIO()
        code = run_doctor(out, roots=server(tmp_path / "host"), environment=environment(tmp_path, double.env))
    lines = out.getvalue().splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 100
    assert lines[-1].startswith("Nothing essential is missing")


def test_the_wrong_python_package_is_named_with_the_cure(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write(site / "pynvml/__init__.py")
    write(site / "pynvml-11.4.1.dist-info/METADATA", "Metadata-Version: 2.1\nName: pynvml\nVersion: 11.4.1\n")
    write(site / "pynvml-11.4.1.dist-info/RECORD", "pynvml/__init__.py,,\n")
    paths = os.pathsep.join([str(site), str(REPOSITORY / ".importroot")])
    done = subprocess.run(
        [sys.executable, "-m", "wattledger.agent", "doctor", "--json"],
        env=environment(tmp_path, {"PYTHONPATH": paths, "LD_LIBRARY_PATH": "/nowhere"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    (found,) = [one for one in json.loads(done.stdout)["findings"] if one["capability"] == "Python binding"]
    assert "pynvml 11.4.1" in found["why"]
    assert found["cure"].startswith("pip uninstall -y pynvml && pip install")
