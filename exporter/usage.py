"""What the page shows of workloads: who used which device for what, and how well that could be found out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from wattledger.rules.state import State
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import ShareMethod, Workload

from .render import storable

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class UsageView:
    """One workload on one device. `labels` are those of all of its series; `totals` differ in state and method."""

    labels: Labels
    totals: tuple[UsageTotal, ...]


@dataclass(frozen=True, slots=True)
class UsageHealth:
    """All workloads of the page. `limit` is None where workloads are not looked for.

    `unresolved` counts processes that hold a device and whose workload is not known, by reason.
    """

    views: tuple[UsageView, ...] = ()
    shown: int = 0
    folded: int = 0
    limit: int | None = None
    processes: int = 0
    unresolved: tuple[tuple[str, int], ...] = ()


NO_USAGE = UsageHealth()


def usage_views(totals: Iterable[UsageTotal], device_labels: Mapping[str, tuple[str, ...]]) -> tuple[UsageView, ...]:
    """Give *totals* by device and workload; those of devices without labels (gpu, uuid) are left out.

    Two workloads that go by the same names would be one series twice, which no scraper takes: they are added up.
    Names are the same where the page cannot tell them apart: their order says nothing, and an empty one is none.
    """
    found: dict[frozenset[tuple[str, str]], tuple[Labels, dict[tuple[State, ShareMethod], UsageTotal]]] = {}
    # The book gives the totals of a workload on a device one after the other.
    for (uuid, workload), run in groupby(totals, key=lambda total: (total.uuid, total.workload)):
        device = device_labels.get(uuid)
        if device is None:
            continue
        labels = _labels(device, workload)
        _, rows = found.setdefault(frozenset(labels), (labels, {}))
        for total in run:
            key = (total.state, total.method)
            rows[key] = total if key not in rows else _together(rows[key], total)
    return tuple(UsageView(labels, tuple(rows.values())) for labels, rows in found.values())


def _labels(device: tuple[str, ...], workload: Workload) -> Labels:
    named = (
        ("gpu", device[0]),
        ("uuid", device[1]),
        ("kind", workload.kind.value),
        ("workload", workload.title),
    )
    names = (pair for pair in workload.names if pair[1])
    return tuple((name, storable(text)) for name, text in (*named, *names))


def _together(one: UsageTotal, other: UsageTotal) -> UsageTotal:
    return replace(
        one,
        energy_mj=one.energy_mj + other.energy_mj,
        duration_ns=one.duration_ns + other.duration_ns,
        avoidable_mj=one.avoidable_mj + other.avoidable_mj,
    )
