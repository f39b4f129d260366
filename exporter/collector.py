"""The snapshot as a prometheus_client collector, for programs that embed wattledger; the daemon never loads this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import Metric
from prometheus_client.registry import Collector

from .catalog import FAMILIES, Family, Subjects, subjects_of
from .render import storable

if TYPE_CHECKING:
    from .snapshot import Snapshot

Labels = tuple[tuple[str, str], ...]


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
        nothing: Labels = ()
        subjects = subjects_of(snapshot, labelled=_pairs, nothing=nothing)
        for family in FAMILIES:
            metric = _metric(family, subjects)
            if metric.samples:
                yield metric


def _pairs(names: tuple[str, ...], values: tuple[str, ...]) -> Labels:
    return tuple(zip(names, values, strict=True))


def _metric(family: Family, subjects: Subjects[Labels]) -> Metric:
    metric = Metric(family.stem, family.help, family.kind, family.unit)
    for base, block in family.blocks(subjects):
        for extra, value in block:
            labels = {name: storable(text) for name, text in (*base, *_pairs(family.labels, extra))}
            metric.add_sample(family.name, labels, value)
    return metric
