"""Checks of each GPU: what it tells, and what it does not and why; it asks no driver, it reads the report."""

from collections.abc import Iterator, Mapping, Sequence

from wattledger.agent.sources.nvml_sleep import sysfs_name
from wattledger.exporter.landing_text import ranges
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import EnergyScope, Reading

from .finding import Finding, limited, missing, present
from .report import BoardExtras
from .surroundings import Surroundings, first_line

_CURES: Mapping[Gap, str] = {
    Gap.NO_PERMISSION: "run the agent as root, or let its user open the devices",
    Gap.LOST: "see dmesg for Xid; reset the GPU (nvidia-smi --gpu-reset) or reboot",
    Gap.TIMEOUT: "run doctor again; if it stays, see dmesg",
    Gap.FAILED: "see dmesg; a newer driver may help",
}
_OWN_LINES = frozenset(
    {
        Quantity.ENERGY_MJ,
        Quantity.PROCESSES,
        Quantity.MIG_MODE,
        *(quantity for quantity in Quantity if quantity.value.startswith("activity_")),
    }
)


def check_boards(at: Surroundings) -> Iterator[Finding]:
    """Give the lines of all boards."""
    sample = at.nvml.sample
    if sample is None:
        return
    if not sample.devices:
        yield missing(
            "GPUs", "NVML is up and knows no GPU", "in a container set NVIDIA_VISIBLE_DEVICES=all", essential=True
        )
        return
    extras = {board.uuid: board for board in at.nvml.boards}
    for reading in sample.devices:
        yield from _board(reading, extras.get(reading.identity.uuid))
        yield from _sleep(at, reading)


def _board(reading: Reading, extras: BoardExtras | None) -> Iterator[Finding]:
    subject = f"GPU {reading.identity.index}"
    name = reading.identity.name
    if not reading.up:
        gap = next(iter(set(reading.gaps.values())), Gap.FAILED)
        if gap is Gap.ASLEEP:
            yield present("values", f"{name} sleeps and is left alone", subject=subject)
        else:
            yield missing(
                "values", f"{name} does not answer: {gap}", _CURES.get(gap, ""), subject=subject, essential=True
            )
        return
    yield _values(reading, subject)
    yield _energy(reading, subject)
    yield _activity(reading, subject)
    yield _processes(reading, subject)
    yield _mig(reading, subject)
    if extras is not None:
        yield _events(extras, subject)
        yield _persistence(extras, subject)


def _values(reading: Reading, subject: str) -> Finding:
    name = reading.identity.name
    reasons: dict[Gap, list[str]] = {}
    for quantity, gap in reading.gaps.items():
        if quantity not in _OWN_LINES:
            reasons.setdefault(gap, []).append(quantity.value)
    told = f"{name}: {len(reading.values)} values"
    if not reasons:
        return present("values", told, subject=subject)
    lists = "; ".join(f"{gap}: {', '.join(sorted(names))}" for gap, names in sorted(reasons.items()))
    curable = [_CURES[gap] for gap in sorted(reasons) if gap in _CURES]
    if not curable:
        return present("values", f"{told}; {lists}", subject=subject)
    return limited("values", f"{told}; {lists}", "; ".join(curable), subject=subject)


def _energy(reading: Reading, subject: str) -> Finding:
    scope = " of the whole module, CPU included" if reading.identity.energy_scope is EnergyScope.MODULE else ""
    if Quantity.ENERGY_MJ in reading.values:
        return present("energy", f"hardware counter{scope}: nothing is lost between reads", subject=subject)
    gap = reading.gaps[Quantity.ENERGY_MJ]
    for quantity, words in (
        (Quantity.POWER_AVERAGE_MW, "averaged power is summed up"),
        (Quantity.POWER_INSTANT_MW, "power of the moment is summed up: short peaks are missed"),
    ):
        if quantity in reading.values:
            return limited("energy", f"no counter ({gap}); {words}{scope}", subject=subject)
    return missing(
        "energy",
        f"neither counter nor power ({gap})",
        "none on a board without a power sensor; in a virtual machine ask the host for vGPU power telemetry",
        essential=True,
        subject=subject,
    )


def _activity(reading: Reading, subject: str) -> Finding:
    gap = reading.gaps.get(Quantity.ACTIVITY_SM_RATIO)
    if gap in (None, Gap.TIMEOUT, Gap.ASLEEP):  # not asked yet, or not in deep idle
        return present("activity (GPM)", "SM, tensor and memory activity", subject=subject)
    if gap is Gap.UNSUPPORTED:
        return missing(
            "activity (GPM)",
            "Hopper and newer only, and not in confidential mode: utilisation is used",
            subject=subject,
        )
    return missing("activity (GPM)", f"{gap}: utilisation is used", _CURES.get(gap, ""), subject=subject)


def _processes(reading: Reading, subject: str) -> Finding:
    gap = reading.gaps.get(Quantity.PROCESSES)
    if gap is None:
        return present("process list", "readable: energy gets its owner", subject=subject)
    why = f"{gap}: energy has no owner, and held cannot be told from parked"
    return limited("process list", why, _CURES.get(gap, ""), subject=subject)


def _mig(reading: Reading, subject: str) -> Finding:
    mode = reading.get(Quantity.MIG_MODE)
    if mode is None:
        return missing("MIG", "not offered by this board", subject=subject)
    if not mode:
        return present("MIG", "off", subject=subject)
    why = f"on, {len(reading.instances)} instances: power exists for the board only, shares are estimates"
    return present("MIG", why, subject=subject)


def _events(extras: BoardExtras, subject: str) -> Finding:
    if extras.events:
        return present("XID events", "are told as they happen", subject=subject)
    return missing("XID events", "not offered: see the kernel log for Xid", subject=subject)


def _persistence(extras: BoardExtras, subject: str) -> Finding:
    if extras.persistent is not False:
        return present("persistence mode", "on" if extras.persistent else "not offered", subject=subject)
    return limited(
        "persistence mode",
        "off: without a client the GPU is shut down, its counters start anew and it may idle hot",
        "systemctl enable --now nvidia-persistenced, or nvidia-smi -pm 1",
        subject=subject,
    )


def _sleep(at: Surroundings, reading: Reading) -> Iterator[Finding]:
    if not reading.identity.pci_bus_id:
        return
    power = at.roots.sys / "bus/pci/devices" / sysfs_name(reading.identity.pci_bus_id) / "power"
    if first_line(power / "control") == "auto":
        yield limited(
            "runtime power (RTD3)",
            "the GPU may fall asleep: it is left alone then, and rests now and then so that it can",
            subject=f"GPU {reading.identity.index}",
        )
    else:
        yield present("runtime power (RTD3)", "off: reading wakes nothing", subject=f"GPU {reading.identity.index}")


def merged(findings: Sequence[Finding]) -> list[Finding]:
    """Give one line for boards of which the same is true: GPU 0-7."""
    groups: dict[Finding, list[int]] = {}
    for finding in findings:
        key = Finding(finding.capability, finding.status, finding.why, finding.cure, finding.essential)
        number = finding.subject.removeprefix("GPU ")
        groups.setdefault(key, []).extend([int(number)] if number else [])
    return [
        Finding(
            key.capability,
            key.status,
            key.why,
            key.cure,
            key.essential,
            subject=f"GPU {ranges(numbers)}" if numbers else "",
        )
        for key, numbers in groups.items()
    ]
