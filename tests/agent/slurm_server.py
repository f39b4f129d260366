"""A real Slurm of one node on loopback, with GPUs that are mere device nodes and a prolog that keeps the job map."""

import os
import shlex
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.agent.e2e_daemon import poll
from tests.servers import need

_NVIDIA_MAJOR = 195  # Linux' devices.txt; nothing opens the nodes
_START_SECONDS = 30.0
_CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
GresTypes=gpu
Prolog={folder}/prolog.sh
Epilog={folder}/epilog.sh
PrologFlags=Alloc
ReturnToService=2
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=200 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=test Nodes={host} Default=YES MaxTime=10 State=UP
"""
_SCRIPTS = Path(__file__).resolve().parents[2] / "deploy/slurm"
# slurmd gives scripts nothing of its own environment; the folder they keep here is not that of this machine.
_CALL = "#!/bin/sh\nWATTLEDGER_JOB_MAP_DIR={map_dir} exec {script}\n"
# The shell of the step becomes the program, which holds a device's file until the pipe is opened and closed again.
_JOB = 'exec 8<{folder}/held/nvidia0; echo "$$ $SLURM_JOB_GPUS" >{told}.new; mv {told}.new {told}; exec cat {end}'


@dataclass(frozen=True, slots=True)
class SlurmJob:
    """A job that runs. *pid* is the process of its step that has a file named as a device open; *gpu* its GPU."""

    id: str
    pid: int
    gpu: int
    end: Path


class SlurmServer:
    """Controller and node that run; `map_dir` is what prolog and epilog keep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs = 0
        self.map_dir = folder / "map"

    def run_job(self) -> SlurmJob:
        """Submit a job of one GPU and wait until its process runs; it runs until `finish`."""
        self._jobs += 1
        told, end = self._folder / f"told-{self._jobs}", self._folder / f"end-{self._jobs}"
        os.mkfifo(end)
        script = _JOB.format(folder=self._folder, told=told, end=end)
        number = self._call("sbatch", "--parsable", "--gres=gpu:1", "--output=/dev/null", "--wrap", script).strip()
        poll(told.exists, f"job {number} runs; {self.logged()}", _START_SECONDS)
        pid, gpu = told.read_text().split()
        return SlurmJob(number, int(pid), int(gpu), end)

    def finish(self, job: SlurmJob) -> None:
        """Let a job end by itself, and wait until its epilog has run."""
        job.end.open("wb").close()
        poll(lambda: not (self.map_dir / str(job.gpu)).exists(), f"the epilog of job {job.id}; {self.logged()}")

    def cancel_all(self) -> None:
        """End what a test that failed left behind, for a step outlives its node's daemon."""
        self._call("scancel", "--user=root", "--full")
        poll(lambda: not self._call("squeue", "--noheader"), f"no job is left; {self.logged()}", _START_SECONDS)

    def is_idle(self) -> bool:
        """Tell whether the node is there and takes jobs."""
        command = [need("sinfo", "slurm-client"), "--noheader", "--format=%T"]
        done = subprocess.run(command, env=self._env(), capture_output=True, check=False)
        return done.stdout.strip() == b"idle"

    def logged(self) -> str:
        """Give the ends of both logs."""
        return "\n".join(file.read_text(errors="replace")[-1500:] for file in self._folder.glob("*.log"))

    def start(self, program: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start one of the two daemons."""
        with (self._folder / f"{Path(program[0]).name}.log").open("ab") as log:
            return subprocess.Popen(program, stdout=log, stderr=log, env=self._env())

    def _call(self, program: str, *arguments: str) -> str:
        command = [need(program, "slurm-client"), *arguments]
        done = subprocess.run(
            command, env=self._env(), capture_output=True, text=True, timeout=_START_SECONDS, check=False
        )
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stderr}\n{self.logged()}"
        return done.stdout

    def _env(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("SLURM", "SBATCH"))}
        return ours | {"SLURM_CONF": str(self._folder / "slurm.conf")}


@contextmanager
def slurm(folder: Path, gpus: int = 2) -> Iterator[SlurmServer]:
    """Give a Slurm whose files are all in *folder*; skip where it cannot run."""
    controller, node = need("slurmctld", "slurmctld"), need("slurmd", "slurmd")
    host = socket.gethostname().partition(".")[0]
    _write(folder, host, gpus)
    server = SlurmServer(folder)
    running = [server.start([controller, "-D"]), server.start([node, "-D", "-N", host])]
    try:
        poll(lambda: server.is_idle() or any(one.poll() is not None for one in running), "a node", _START_SECONDS)
        assert all(one.poll() is None for one in running), f"a daemon of Slurm ended\n{server.logged()}"
        listening = {place.laddr.ip for one in running for place in psutil.Process(one.pid).net_connections("inet")}
        assert listening == {"127.0.0.1"}
        try:
            yield server
        finally:
            server.cancel_all()
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(_START_SECONDS)


def _write(folder: Path, host: str, gpus: int) -> None:
    for name in ("state", "spool", "held"):
        (folder / name).mkdir()
    (folder / "held" / "nvidia0").touch()
    devices = [folder / f"nvidia{number}" for number in range(gpus)]
    for number, device in enumerate(devices):
        _make_node(device, number)
    lines = [f"NodeName={host} Name=gpu File={device}\n" for device in devices]
    (folder / "gres.conf").write_text("".join(lines))
    controller_port, node_port = _free_ports()
    settings = _CONFIG.format(
        folder=folder, host=host, gpus=gpus, controller_port=controller_port, node_port=node_port
    )
    (folder / "slurm.conf").write_text(settings)
    for name in ("prolog.sh", "epilog.sh"):
        script = folder / name
        script.write_text(_CALL.format(map_dir=folder / "map", script=_SCRIPTS / name))
        script.chmod(0o755)


def _make_node(path: Path, minor: int) -> None:
    # Slurm refuses plain files as GPUs, and then says nothing of GPUs to the prolog.
    try:
        os.mknod(path, 0o020600, os.makedev(_NVIDIA_MAJOR, minor))
    except PermissionError as error:
        reason = f"no device node can be made here: {error.strerror}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
