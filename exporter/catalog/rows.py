"""Short ways to write the common kinds of catalogue rows; which families there are is not its matter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .family import (
    AlertFamily,
    DeviceFamily,
    HostFamily,
    InstanceFamily,
    Kind,
    Pick,
    Row,
    WorkloadFamily,
    picked,
    rows_of,
)

if TYPE_CHECKING:
    from wattledger.exporter.rules_health import AlertView
    from wattledger.exporter.snapshot import DeviceView, Snapshot
    from wattledger.exporter.usage import UsageView
    from wattledger.rules.reading import MigInstance


def host(
    name: str, text: str, read: Callable[[Snapshot], Iterable[Row]], *, labels: tuple[str, ...] = ()
) -> HostFamily:
    """Make a family read from the whole snapshot; its kind shows in its name."""
    return HostFamily(name=name, kind=_kind(name), help=text, labels=labels, quantities=(), read=read)


def host_value(name: str, text: str, read: Callable[[Snapshot], float | None]) -> HostFamily:
    """Make a family of one series without labels, absent where *read* gives None."""

    def rows(snapshot: Snapshot) -> Iterable[Row]:
        value = read(snapshot)
        return () if value is None else (((), value),)

    return host(name, text, rows)


def device(
    name: str,
    text: str,
    read: Callable[[DeviceView], Iterable[Row]],
    *,
    labels: tuple[str, ...] = (),
    lasting: bool = False,
) -> DeviceFamily:
    """Make a family read from each device; counters always last (see `DeviceFamily`)."""
    kind = _kind(name)
    return DeviceFamily(
        name=name,
        kind=kind,
        help=text,
        labels=labels,
        quantities=(),
        read=read,
        lasting=lasting or kind is Kind.COUNTER,
    )


def measured(name: str, text: str, pick: Pick, *, label: str = "", scale: int = 1) -> DeviceFamily:
    """Make a gauge of one quantity of the reading, or of several told apart by *label*."""
    read = rows_of(pick, scale)
    return DeviceFamily(
        name=name,
        kind=_kind(name),
        help=text,
        labels=(label,) if label else (),
        quantities=tuple(quantity for _, quantity in picked(pick)),
        read=lambda view: read(view.reading),
        lasting=False,
    )


def carried(name: str, text: str, pick: Pick, *, label: str = "", scale: int = 1) -> DeviceFamily:
    """Make a counter of hardware counters as the ledger carries them on over their resets."""
    cells = picked(pick)

    def read(view: DeviceView) -> Iterable[Row]:
        counters = view.account.counters
        return [
            (extra, counter.total if scale == 1 else counter.total / scale)
            for extra, quantity in cells
            if (counter := counters.get(quantity)) is not None
        ]

    return DeviceFamily(
        name=name,
        kind=_kind(name),
        help=text,
        labels=(label,) if label else (),
        quantities=tuple(quantity for _, quantity in cells),
        read=read,
        lasting=True,
    )


def instance(
    name: str, text: str, read: Callable[[MigInstance], Iterable[Row]], *, labels: tuple[str, ...] = ()
) -> InstanceFamily:
    """Make a family read from each MIG instance."""
    return InstanceFamily(name=name, kind=_kind(name), help=text, labels=labels, quantities=(), read=read)


def measured_instance(name: str, text: str, pick: Pick, *, scale: int = 1) -> InstanceFamily:
    """Make a gauge of one quantity of each MIG instance."""
    return InstanceFamily(
        name=name,
        kind=_kind(name),
        help=text,
        labels=(),
        quantities=tuple(quantity for _, quantity in picked(pick)),
        read=rows_of(pick, scale),
    )


def workload(
    name: str, text: str, read: Callable[[UsageView], Iterable[Row]], *, labels: tuple[str, ...] = ()
) -> WorkloadFamily:
    """Make a family read from what a workload used of a device."""
    return WorkloadFamily(name=name, kind=_kind(name), help=text, labels=labels, quantities=(), read=read)


def alerts(name: str, text: str, read: Callable[[AlertView], float]) -> AlertFamily:
    """Make a family read from each alert."""
    return AlertFamily(name=name, kind=_kind(name), help=text, labels=(), quantities=(), read=read)


def _kind(name: str) -> Kind:
    # Prometheus' own convention: the suffix says what a family is, so it cannot disagree with its type.
    if name.endswith("_total"):
        return Kind.COUNTER
    return Kind.INFO if name.endswith("_info") else Kind.GAUGE
