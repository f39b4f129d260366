"""Opens NVML, in a process of its own: a driver that hangs, hangs only this one.

As a program it prints one NvmlReport as JSON; `look_in_child` starts it and gives up after a while.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from wattledger.agent.clock import SystemClock
from wattledger.agent.sources.base import SourceError
from wattledger.agent.sources.nvml import Handle, Nvml
from wattledger.agent.sources.nvml_codes import SUCCESS, NvmlError
from wattledger.agent.sources.nvml_source import NvmlSource

from .report import BoardExtras, NvmlReport

LIMIT_S = 10.0
_GPM_PAIR_NS = 300_000_000  # GPM tells nothing within 100 ms
_XID = 0x8  # nvmlEventTypeXidCriticalError


def look_in_child(
    environment: Mapping[str, str], *, proc: Path, sys_root: Path, limit_s: float = LIMIT_S
) -> NvmlReport:
    """Give what a child finds out within *limit_s*. One that hangs is killed, or left to its fate in the driver."""
    paths = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    child = subprocess.Popen(  # noqa: S603  (ourselves)
        [sys.executable, "-P", "-m", __name__, str(proc), str(sys_root)],
        env={**environment, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, errors = child.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        _abandon(child)
        return NvmlReport(failure=f"no answer within {limit_s:g} s", hung=True)
    if child.returncode != 0 or not output:
        words = errors.decode(errors="replace").strip().splitlines()
        return NvmlReport(failure=f"the look at NVML ended with {child.returncode}: {' '.join(words[-1:])}")
    return msgspec.json.decode(output, type=NvmlReport)


def _abandon(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    for pipe in (child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):  # in state D: not even a kill ends it
        child.wait(timeout=1)


def look(proc: Path, sys_root: Path) -> NvmlReport:
    """Open NVML in this process, read twice and close it."""
    clock = SystemClock()
    source = NvmlSource(clock, proc_root=proc, sys_root=sys_root)
    try:
        source.open()
        source.read(clock.now())
        clock.wait_until(clock.now().mono_ns + _GPM_PAIR_NS, threading.Event())
        sample = source.read(clock.now())
        boards = tuple(_extras(device.identity.uuid) for device in sample.devices if device.up)
    except SourceError as failed:
        return NvmlReport(failure=failed.detail, code=failed.code)
    finally:
        source.close()
    return NvmlReport(sample=sample, boards=boards)


def _extras(uuid: str) -> BoardExtras:
    nvml = Nvml()
    nvml.open()
    try:
        handle = nvml.handle_by_uuid(uuid)
    except NvmlError:
        return BoardExtras(uuid)
    else:
        mode = _number(nvml, "nvmlDeviceGetPersistenceMode", handle)
        events = _number(nvml, "nvmlDeviceGetSupportedEventTypes", handle)
        return BoardExtras(
            uuid,
            persistent=None if mode is None else bool(mode & 0xFFFFFFFF),
            events=None if events is None else bool(events & _XID),
        )
    finally:
        nvml.close()


def _number(nvml: Nvml, name: str, handle: Handle) -> int | None:
    number = ctypes.c_ulonglong()
    code = nvml.call(nvml.function(name), handle, ctypes.byref(number))
    return number.value if code == SUCCESS else None


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(look(Path(sys.argv[1]), Path(sys.argv[2]))))
    sys.stdout.flush()
    # A thread may still wait in the driver; the answer is out.
    os._exit(0)
