"""Where a job runs that the configuration names: its GPUs, or the process that a file names; it knows no counters."""

from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.instant import Instant

from .base import GpuNames
from .files import Unusable, open_file, read_all
from .processes import Processes

_PID_FILE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Place:
    """What of this host a job uses. `process` is empty where none is known, `problem` where all was found."""

    pids: frozenset[int] = frozenset()
    devices: tuple[str, ...] = ()
    process: str = ""
    problem: str = ""


def find_place(
    gpus: tuple[str, ...], pid_file: Path | None, *, uuid_of: GpuNames, processes: Processes, now: Instant
) -> Place:
    """Look a job's place up. With GPUs the process tells only when counters begin anew."""
    known = {gpu: uuid_of(gpu) for gpu in gpus}
    missing = [gpu for gpu, uuid in known.items() if uuid is None]
    devices = tuple(dict.fromkeys(uuid for uuid in known.values() if uuid is not None))
    problem = f"this host has no GPU {', '.join(missing)}" if missing else ""
    if pid_file is None:
        return Place(devices=devices, problem=problem)
    pid = _number(pid_file)
    start = None if pid is None else processes.start(pid)
    if pid is None or start is None:
        problem = problem or f"{pid_file} names no process that lives"
        return Place(devices=devices, problem=problem)
    pids = frozenset() if gpus else processes.family((pid,), now)
    return Place(pids, devices, f"{pid}:{start}", problem)


def _number(pid_file: Path) -> int | None:
    try:
        with open_file(pid_file) as file:
            text = read_all(file, _PID_FILE_BYTES)
    except Unusable:
        return None
    word = text.strip()
    return int(word) if word.isdigit() and len(word) <= 10 else None
