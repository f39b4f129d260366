"""The snapshot as a prometheus_client collector, for programs that embed wattledger; the daemon never loads this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from .catalog import FAMILIES, Family, Kind, Subjects, device_label_values, subjects_of
from .render import storable

if TYPE_CHECKING:
    from prometheus_client import Metric

    from wattledger.rules.reading import MigInstance

    from .snapshot import DeviceView, Snapshot


class SnapshotCollector(Collector):
    """Collects the families and rows that the daemon's own page shows; register it with your own registry.

    *snapshot* is asked at each collection; None, before the first sample, gives no families.
    """

    def __init__(self, snapshot: Callable[[], Snapshot | None]) -> None:
        self._snapshot = snapshot

    def describe(self) -> Iterable[Metric]:
        """Give nothing: without it a registry would collect once when this is registered."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Give every family that has a row."""
        snapshot = self._snapshot()
        if snapshot is None:
            return
        nothing: tuple[str, ...] = ()
        subjects = subjects_of(snapshot, device=device_label_values, instance=_instance_label_values, nothing=nothing)
        for family in FAMILIES:
            metric = _metric(family, subjects)
            if metric.samples:
                yield metric


def _instance_label_values(view: DeviceView, mig: MigInstance) -> tuple[str, ...]:
    return (*device_label_values(view), mig.uuid, str(mig.gpu_instance), str(mig.compute_instance))


def _metric(family: Family, subjects: Subjects[tuple[str, ...]]) -> Metric:
    rows = (
        ([storable(text) for text in (*base, *extra)], value)
        for base, block in family.blocks(subjects)
        for extra, value in block
    )
    labels = family.all_labels
    match family.kind:
        case Kind.COUNTER:
            counter = CounterMetricFamily(family.stem, family.help, labels=labels, unit=family.unit)
            for values, value in rows:
                counter.add_metric(values, value)
            return counter
        case Kind.GAUGE:
            gauge = GaugeMetricFamily(family.stem, family.help, labels=labels, unit=family.unit)
            for values, value in rows:
                gauge.add_metric(values, value)
            return gauge
        case Kind.INFO:
            info = InfoMetricFamily(family.stem, family.help, labels=labels)
            for values, _ in rows:
                info.add_metric(values, {})
            return info
