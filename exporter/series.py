"""The snapshot as the series that a Prometheus gets from the page; who keeps them, and for how long, is unknown here.

ALERTS is left out: it is written by rules where they are evaluated, and a copy of the page would outlive its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .catalog import FAMILIES, Family, Subjects, subjects_of
from .render import storable

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import Snapshot
    from wattledger.rules.promql.model import Labels

_METRIC_NAME = "__name__"
_WRITTEN_BY_RULES = frozenset({"ALERTS", "ALERTS_FOR_STATE"})

# Labels kept beyond twice those of the last page, so that small families do not drop theirs over and over.
_SPARE_LABELS = 64
# Pairs that are not shared any more cost memory, so all are let go of at some time; sharing then begins anew.
_MOST_PAIRS = 16_384

_Pairs = tuple[tuple[str, str], ...]
_NO_PAIRS: _Pairs = ()


@dataclass(slots=True)
class _Plan:
    """The labels of a family's series on the last page, by what they have in common and what is their own."""

    family: Family
    labels: dict[_Pairs, dict[tuple[str, ...], Labels]] = field(default_factory=dict)


class SeriesReader:
    """Reads snapshots; gives a series that was on the last page with the very same labels object again.

    Not thread-safe: one thread owns it.
    """

    def __init__(self, families: Iterable[Family] = FAMILIES) -> None:
        self._plans = [_Plan(family) for family in families if family.name not in _WRITTEN_BY_RULES]
        self._shared: dict[tuple[str, str], tuple[str, str]] = {}

    @property
    def labels_kept(self) -> int:
        """Give how many labels are kept for the next page."""
        return sum(len(known) for plan in self._plans for known in plan.labels.values())

    def read(self, snapshot: Snapshot, names: frozenset[str] | None = None) -> list[tuple[Labels, float]]:
        """Give the series of the families of *names*, None for all, in page order, with the values of float64."""
        subjects = subjects_of(snapshot, labelled=_pairs, nothing=_NO_PAIRS)
        found: list[tuple[Labels, float]] = []
        for plan in self._plans:
            if names is None or plan.family.name in names:
                self._read_family(plan, subjects, found)
            else:
                plan.labels = {}
        return found

    def _read_family(self, plan: _Plan, subjects: Subjects[_Pairs], found: list[tuple[Labels, float]]) -> None:
        last, plan.labels = plan.labels, {}
        for base, block in plan.family.blocks(subjects):
            rows = list(block)
            known = plan.labels.get(base) or last.get(base) or {}
            for extra, value in rows:
                labels = known.get(extra)
                if labels is None:
                    labels = known[extra] = self._labels(plan.family, base, extra)
                found.append((labels, float(value)))
            if len(known) > 2 * len(rows) + _SPARE_LABELS:
                known = {extra: known[extra] for extra, _ in rows}
            if known:
                plan.labels[base] = known

    def _labels(self, family: Family, base: _Pairs, extra: tuple[str, ...]) -> Labels:
        if len(self._shared) > _MOST_PAIRS:
            self._shared.clear()
        shared = self._shared
        pairs = ((_METRIC_NAME, family.name), *base, *_pairs(family.labels, extra))
        return tuple(sorted(shared.setdefault(pair, pair) for pair in pairs))


def _pairs(names: Iterable[str], values: Iterable[str]) -> _Pairs:
    """Give names with values as text holds them; an empty value is the same as no label."""
    return tuple((name, storable(str(value))) for name, value in zip(names, values, strict=True) if value)
