"""Hosts for the doctor: folders as a GPU server has them, and its answers as data."""

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattledger.agent.doctor import Roots, run_doctor

HOST_PIDS = "pid:[4026531836]"
ALL_RIGHTS = "000001ffffffffff"
NO_NVML: Mapping[str, str] = {"LD_LIBRARY_PATH": "/nowhere"}


def write(path: Path, text: str = "") -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def server(top: Path, *, version: str = "580.105.08") -> Roots:
    """Lay out a bare-metal GPU server on which all is well."""
    write(top / "proc/driver/nvidia/version", f"NVRM version: NVIDIA UNIX x86_64 Kernel Module  {version}  Release\n")
    write(top / "proc/sys/kernel/random/boot_id", "boot-1\n")
    (top / "proc/self/ns").mkdir(parents=True)
    (top / "proc/self/ns/pid").symlink_to(HOST_PIDS)
    write(top / "proc/self/status", f"NSpid:\t812\nGid:\t0\t0\t0\t0\nGroups:\t0\nCapEff:\t{ALL_RIGHTS}\n")
    write(top / "proc/self/uid_map", "         0          0 4294967295\n")
    write(top / "proc/mounts", "proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0\n")
    write(top / "proc/1/stat", "1 (systemd) S 0 1 1 0\n")
    write(top / "proc/1/comm", "systemd\n")
    write(top / "sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
    write(top / "sys/class/powercap/intel-rapl:0/energy_uj", "1\n")
    write(top / "sys/class/powercap/intel-rapl:0/name", "package-0\n")
    for name in ("nvidiactl", "nvidia0", "nvidia-uvm", "ipmi0"):
        write(top / "dev" / name)
    (top / "run/systemd/system").mkdir(parents=True)
    write(top / "etc/slurm/slurm.conf")
    write(top / "var/lib/kubelet/pod-resources/kubelet.sock")
    return Roots.below(top)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the doctor said."""

    code: int
    findings: list[dict[str, Any]]

    def of(self, capability: str, subject: str = "") -> dict[str, Any]:
        """Give the one finding of a capability."""
        (found,) = [
            one for one in self.findings if one["capability"] == capability and one["subject"].startswith(subject)
        ]
        return found

    def status(self, capability: str) -> str:
        """Give its status."""
        return str(self.of(capability)["status"])


def environment(tmp_path: Path, *more: Mapping[str, str]) -> dict[str, str]:
    """Give an environment with a state directory and a free port of its own."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("WATTLEDGER_")}
    base |= {"WATTLEDGER_STATE_DIR": str(tmp_path / "state"), "WATTLEDGER_LISTEN": "127.0.0.1:0"}
    for variables in more:
        base |= variables
    return base


def diagnose(roots: Roots, variables: Mapping[str, str], **options: Any) -> Diagnosis:
    """Run the doctor as a program reads it."""
    out = io.StringIO()
    code = run_doctor(out, roots=roots, environment=variables, as_json=True, **options)
    body = json.loads(out.getvalue())
    assert body["ok"] == (code == 0)
    return Diagnosis(code, body["findings"])
