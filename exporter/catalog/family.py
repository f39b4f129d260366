"""What a metric family is and how its rows are read from a snapshot; it names no family and knows no text format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from wattledger.rules.quantity import Quantity

if TYPE_CHECKING:
    from wattledger.exporter.rules_health import AlertView
    from wattledger.exporter.snapshot import DeviceView, Snapshot
    from wattledger.exporter.usage import UsageView
    from wattledger.rules.reading import MigInstance, Values

PREFIX = "wattledger_"
UNITS = ("joules", "watts", "seconds", "bytes", "ratio", "celsius", "hertz")

Row = tuple[tuple[str, ...], int | float]
"""The values of a family's own labels, in their order, and the number. Numbers are finite."""

Base = TypeVar("Base")


class Kind(StrEnum):
    """What a family is to Prometheus. An info is a gauge of value 1 whose labels are the message."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Subjects(Generic[Base]):
    """What rows are read from, each with its common labels as *Base*: label values, or the text made of them."""

    host: Snapshot
    nothing: Base
    known: list[tuple[Base, DeviceView]]  # every device of the page
    live: list[tuple[Base, DeviceView]]  # those that are listed by the source and answer it
    instances: list[tuple[Base, MigInstance]]  # MIG instances of live devices
    usage: list[tuple[Base, UsageView]]  # workloads, each with what it used of one device of the page
    alerts: list[tuple[Base, AlertView]]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. *name* is as the page shows it, *labels* are its own ones, after those of its subject."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...]
    quantities: tuple[Quantity, ...]  # what it shows of a reading or a carried hardware counter

    @property
    def stem(self) -> str:
        """Give the OpenMetrics family name, which leaves out the suffix of counters and infos."""
        match self.kind:
            case Kind.COUNTER:
                return self.name.removesuffix("_total")
            case Kind.INFO:
                return self.name.removesuffix("_info")
            case Kind.GAUGE:
                return self.name

    @property
    def unit(self) -> str:
        """Give the base unit that the name ends in, or empty text."""
        last = self.stem.rpartition("_")[2]
        return last if last in UNITS and self.kind is not Kind.INFO else ""

    @property
    def base_labels(self) -> tuple[str, ...]:
        """Give the labels that come from the subject."""
        raise NotImplementedError

    @property
    def all_labels(self) -> tuple[str, ...]:
        """Give every label that all of the family's series have, in page order."""
        return self.base_labels + self.labels

    @property
    def optional_labels(self) -> tuple[str, ...]:
        """Give further labels that a series has where their value is known."""
        return ()

    def blocks(self, subjects: Subjects[Base]) -> Iterator[tuple[Base, Iterable[Row]]]:
        """Give each subject's common labels with the rows it has in this family, maybe none."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class HostFamily(Family):
    """A family read from the snapshot as a whole."""

    read: Callable[[Snapshot], Iterable[Row]]

    @property
    def base_labels(self) -> tuple[str, ...]:
        return ()

    def blocks(self, subjects: Subjects[Base]) -> Iterator[tuple[Base, Iterable[Row]]]:
        yield subjects.nothing, self.read(subjects.host)


@dataclass(frozen=True, slots=True)
class DeviceFamily(Family):
    """A family with rows for each device.

    *lasting* families come from the books or tell that a device is missing, so they stay when it does not answer;
    the others are measurements, and are gone with it.
    """

    read: Callable[[DeviceView], Iterable[Row]]
    lasting: bool

    @property
    def base_labels(self) -> tuple[str, ...]:
        return DEVICE_LABELS

    def blocks(self, subjects: Subjects[Base]) -> Iterator[tuple[Base, Iterable[Row]]]:
        read = self.read
        for base, view in subjects.known if self.lasting else subjects.live:
            yield base, read(view)


@dataclass(frozen=True, slots=True)
class InstanceFamily(Family):
    """A family with rows for each MIG instance of the devices that answer."""

    read: Callable[[MigInstance], Iterable[Row]]

    @property
    def base_labels(self) -> tuple[str, ...]:
        return INSTANCE_LABELS

    def blocks(self, subjects: Subjects[Base]) -> Iterator[tuple[Base, Iterable[Row]]]:
        read = self.read
        for base, instance in subjects.instances:
            yield base, read(instance)


@dataclass(frozen=True, slots=True)
class WorkloadFamily(Family):
    """A family with rows for each workload on each device it used; its names are labels where they are known."""

    read: Callable[[UsageView], Iterable[Row]]

    @property
    def base_labels(self) -> tuple[str, ...]:
        return WORKLOAD_LABELS

    @property
    def optional_labels(self) -> tuple[str, ...]:
        return WORKLOAD_NAMES

    def blocks(self, subjects: Subjects[Base]) -> Iterator[tuple[Base, Iterable[Row]]]:
        read = self.read
        for base, view in subjects.usage:
            yield base, read(view)


@dataclass(frozen=True, slots=True)
class AlertFamily(Family):
    """A family with a row for each alert; every alert brings further labels of its own."""

    read: Callable[[AlertView], float]

    @property
    def base_labels(self) -> tuple[str, ...]:
        return ALERT_LABELS

    def blocks(self, subjects: Subjects[Base]) -> Iterator[tuple[Base, Iterable[Row]]]:
        for base, alert in subjects.alerts:
            yield base, (((), self.read(alert)),)


ALERT_LABELS = ("alertname", "alertstate")
DEVICE_LABELS = ("gpu", "uuid")
INSTANCE_LABELS = (*DEVICE_LABELS, "mig_uuid", "gpu_instance", "compute_instance")
WORKLOAD_LABELS = (*DEVICE_LABELS, "kind", "workload")
# What `workloads.labels` may allow; the configuration decides which of them are shown.
WORKLOAD_NAMES = (
    "namespace",
    "pod",
    "container",
    "job",
    "user",
    "unit",
    "runtime",
    "container_id",
    "account",
    "partition",
)


def is_live(view: DeviceView) -> bool:
    """Tell whether the device is listed by the source and answers it, so that it has measurements."""
    return view.present and view.reading.up


def device_label_values(view: DeviceView) -> tuple[str, ...]:
    """Give the values of `DEVICE_LABELS`. A device that is no longer listed may have no index (below 0): empty."""
    identity = view.reading.identity
    return (str(identity.index) if identity.index >= 0 else "", identity.uuid)


def subjects_of(
    snapshot: Snapshot, *, labelled: Callable[[tuple[str, ...], tuple[str, ...]], Base], nothing: Base
) -> Subjects[Base]:
    """Give the subjects of *snapshot*; *labelled* makes common labels of their names and values."""

    def instance(view: DeviceView, mig: MigInstance) -> Base:
        compute_instance = str(mig.compute_instance) if mig.compute_instance >= 0 else ""  # not every source tells it
        own = (mig.uuid, str(mig.gpu_instance), compute_instance)
        return labelled(INSTANCE_LABELS, device_label_values(view) + own)

    def alert(view: AlertView) -> Base:
        names, values = zip(*view.series, strict=True)
        return labelled(names, values)

    def workload(view: UsageView) -> Base:
        names, values = zip(*view.labels, strict=True)
        return labelled(names, values)

    known = [(labelled(DEVICE_LABELS, device_label_values(view)), view) for view in snapshot.devices]
    live = [(base, view) for base, view in known if is_live(view)]
    return Subjects(
        host=snapshot,
        nothing=nothing,
        known=known,
        live=live,
        instances=[(instance(view, mig), mig) for _, view in live for mig in view.reading.instances],
        usage=[(workload(view), view) for view in snapshot.usage.views],
        alerts=[(alert(view), view) for view in snapshot.rules.alerts],
    )


class _HasValues(Protocol):
    @property
    def values(self) -> Values: ...


Pick = Quantity | Mapping[str, Quantity]
"""One quantity, or several by the value of the label that tells them apart."""


def picked(pick: Pick) -> tuple[tuple[tuple[str, ...], Quantity], ...]:
    """Give the label values and the quantity of each row."""
    if isinstance(pick, Quantity):
        return (((), pick),)
    return tuple(((value,), quantity) for value, quantity in pick.items())


def rows_of(pick: Pick, scale: int) -> Callable[[_HasValues], Iterable[Row]]:
    """Make the reader that gives a row for each picked quantity that has a value, divided by *scale*."""
    if isinstance(pick, Quantity):
        return _single(pick, scale)
    cells = picked(pick)

    def read(subject: _HasValues) -> Iterable[Row]:
        values = subject.values
        return [
            (extra, value if scale == 1 else value / scale)
            for extra, quantity in cells
            if (value := values.get(quantity)) is not None and isfinite(value)
        ]

    return read


def _single(quantity: Quantity, scale: int) -> Callable[[_HasValues], Iterable[Row]]:
    def read(subject: _HasValues) -> Iterable[Row]:
        value = subject.values.get(quantity)
        if value is None or not isfinite(value):
            return ()
        return (((), value if scale == 1 else value / scale),)

    return read
