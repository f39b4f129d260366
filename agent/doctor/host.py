"""Checks of the host around the agent: its folder, its port, and who else measures."""

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from wattledger.agent.host_energy.hwmon import HwmonMeter
from wattledger.agent.host_energy.rapl import HIDDEN, HIDDEN_CURE, RaplMeter
from wattledger.agent.ledger import LEDGER_NAME
from wattledger.agent.ledger.lock import LOCK_NAME

from .finding import Finding, limited, missing, present
from .surroundings import Surroundings, first_line

_FREE, _UNWRITTEN = -1, 0


def check_state(at: Surroundings) -> Iterator[Finding]:
    """Say whether the books can be kept."""
    if at.state_dir is None:
        yield missing(
            "state directory", "no home for it", "name one: --state-dir or WATTLEDGER_STATE_DIR", essential=True
        )
        return
    folder = at.state_dir
    # os.path.exists: Path.exists raises where a folder may not be entered.
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110
        folder = folder.parent
    if not folder.is_dir() or not at.may(folder, os.W_OK | os.X_OK):
        yield missing(
            "state directory",
            f"{at.state_dir}: {folder} cannot be written by this user",
            "run doctor as the agent's user, or name another: --state-dir or WATTLEDGER_STATE_DIR",
            essential=True,
        )
        return
    closed = [name for name in (LEDGER_NAME, LOCK_NAME) if _is_closed(at, at.state_dir / name)]
    if closed:
        yield missing(
            "state directory",
            f"{at.state_dir}: this user may not write {' and '.join(closed)}, which another user has made",
            f"run doctor as the agent's user; if it is, chown -R USER {at.state_dir}",
            essential=True,
        )
        return
    will = "" if folder == at.state_dir else ", will be made"
    yield present("state directory", f"{at.state_dir}{will}", essential=True)
    yield _lock(at.state_dir)


def _is_closed(at: Surroundings, file: Path) -> bool:
    return os.path.lexists(file) and not at.may(file, os.R_OK | os.W_OK)


def _lock(state_dir: Path) -> Finding:
    holder = lock_holder(state_dir)
    if holder == _FREE:
        return present("ledger lock", "free")
    return present("ledger lock", f"held by the running agent, pid {holder or 'unknown'}")


def lock_holder(state_dir: Path) -> int:
    """Give the process id that holds the ledger's lock, 0 when it is not written there, -1 when nobody does."""
    try:
        descriptor = os.open(state_dir / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return _FREE
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdecimal() else _UNWRITTEN
    else:
        return _FREE
    finally:
        os.close(descriptor)  # which lets go of the lock


def check_port(at: Surroundings) -> Iterator[Finding]:
    """Say whether the page's port is free."""
    address = f"{at.listen_host or '*'}:{at.listen_port}"
    refused = _refusal(at.listen_host, at.listen_port)
    if refused is None:
        yield present("port", f"{address} is free", essential=True)
    elif refused.errno == errno.EADDRINUSE and at.state_dir is not None and lock_holder(at.state_dir) != _FREE:
        yield present("port", f"{address} is in use, by the running agent it seems", essential=True)
    else:
        yield missing(
            "port", f"{address}: {refused.strerror}", "choose another: --listen 127.0.0.1:PORT", essential=True
        )


def _refusal(host: str, port: int) -> OSError | None:
    """Give the error of binding there, None when it works."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as refused:
        return refused
    return None


def check_systemd(at: Surroundings) -> Iterator[Finding]:
    """Say whether systemd can watch over the agent."""
    if at.environment.get("NOTIFY_SOCKET"):
        yield present("systemd", "listens for READY and WATCHDOG")
    elif (at.roots.run / "systemd/system").is_dir():
        yield present("systemd", "runs this host; a unit with Type=notify is watched over")
    else:
        yield missing("systemd", "does not run here: use the probes /-/healthy and /-/ready")


def check_rapl(at: Surroundings) -> Iterator[Finding]:
    """Say whether processor and memory energy can be read."""
    domains = sorted((at.roots.sys / "class/powercap").glob("intel-rapl*/energy_uj"))
    if not domains and RaplMeter(at.roots.sys).is_hidden():
        yield limited("CPU energy (RAPL)", HIDDEN, HIDDEN_CURE)
        return
    if not domains:
        yield missing(
            "CPU energy (RAPL)", "no powercap domain: a virtual machine, or no driver", "modprobe intel_rapl_msr"
        )
        return
    closed = [path for path in domains if not at.may(path, os.R_OK)]
    names = ", ".join(sorted({first_line(path.parent / "name") or path.parent.name for path in domains}))
    if closed:
        yield limited(
            "CPU energy (RAPL)",
            f"{names}: root only",
            "AmbientCapabilities=CAP_DAC_READ_SEARCH in the unit, or run as root",
        )
    else:
        yield present("CPU energy (RAPL)", names)


def check_hwmon(at: Surroundings) -> Iterator[Finding]:
    """Say which sensors of the kernel measure the node or a part of it."""
    domains = HwmonMeter(at.roots.sys).domains()
    if domains:
        yield present("node power (hwmon)", ", ".join(domains))
    else:
        yield missing(
            "node power (hwmon)", "no sensor that is known to measure the node", "modprobe acpi_power_meter"
        )


def check_ipmi(at: Surroundings) -> Iterator[Finding]:
    """Say whether the management controller can be asked for the node's power."""
    for name in ("ipmi0", "ipmi/0", "ipmidev/0"):
        node = at.roots.dev / name
        if node.exists():
            if at.may(node, os.R_OK | os.W_OK):
                yield present("node power (IPMI)", f"/dev/{name}")
            else:
                yield limited("node power (IPMI)", f"/dev/{name}: no access", "run as root, or give the group access")
            return
    yield missing("node power (IPMI)", "there is no /dev/ipmi0", "modprobe -a ipmi_devintf ipmi_si; or use Redfish")
