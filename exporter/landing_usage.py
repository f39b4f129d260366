"""Who uses the GPUs, on the landing page: the largest waste first; the page around it is not its matter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wattledger.rules.state import State
from wattledger.rules.usage.workload import ShareMethod, WorkloadKind

from .landing_devices import state_bar
from .landing_text import escaped, kwh, percent, ranges

if TYPE_CHECKING:
    from .usage import UsageHealth, UsageView

_MOST_ROWS = 30
_DEVICE = frozenset({"gpu", "uuid"})
# Energy of a workload in these states did no work. What is parked is nobody's.
_WASTE = (State.HELD, State.ALLOCATED)
_METHODS = {
    ShareMethod.SM_SHARE: "by use of the SMs",
    ShareMethod.ESTIMATED: "estimated",
    ShareMethod.EQUAL: "shared equally",
}
_EXPLAINED = {
    WorkloadKind.FOLDED: "workloads beyond workloads.limit, together",
    WorkloadKind.UNATTRIBUTED: "nobody's, or whose could not be found out",
}


@dataclass(slots=True)
class _Line:
    """What one workload used, of all devices together."""

    kind: str
    title: str
    names: tuple[tuple[str, str], ...]
    gpus: set[str] = field(default_factory=set)
    energies_mj: dict[State, int] = field(default_factory=dict)
    methods: set[ShareMethod] = field(default_factory=set)
    avoidable_mj: int = 0

    @property
    def energy_mj(self) -> int:
        return sum(self.energies_mj.values())

    @property
    def waste_mj(self) -> int:
        return sum(self.energies_mj.get(state, 0) for state in _WASTE)

    @property
    def order(self) -> tuple[object, ...]:
        """Give what lines are sorted by."""
        return -self.waste_mj, -self.energy_mj, self.kind, self.title, self.names

    def add(self, view: UsageView) -> None:
        self.gpus.add(dict(view.labels)["gpu"])
        for total in view.totals:
            self.energies_mj[total.state] = self.energies_mj.get(total.state, 0) + total.energy_mj
            if total.energy_mj:
                self.methods.add(total.method)
            self.avoidable_mj += total.avoidable_mj


def usage_section(usage: UsageHealth, *, fresh: bool) -> str:
    """Give the section; empty text where nobody has used anything. Only *fresh* data tells who is there now."""
    if not usage.views:
        return ""
    lines = sorted(_lines(usage.views), key=lambda line: line.order)
    left = len(lines) - _MOST_ROWS
    more = (
        f'<p class="dim">and {left} more: see wattledger_workload_energy_joules_total on /metrics</p>\n'
        if left > 0
        else ""
    )
    rows = "".join(_row(line) for line in lines[:_MOST_ROWS])
    return (
        '<h2 id="usage">Who uses them</h2>\n<div class="scroll"><table class="narrow">\n<thead><tr><th>Workload</th>'
        '<th>Kind</th><th>GPUs</th><th class="number">Energy</th><th class="number">Waste</th>'
        f'<th class="number">Avoidable</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n'
        f"{more}{_unresolved(usage) if fresh else ''}"
        '<p class="legend dim">Waste is energy while a GPU was held or allocated and did no work, with its share of '
        "the workload&#39;s energy.</p>\n"
    )


def _lines(views: Iterable[UsageView]) -> Iterable[_Line]:
    found: dict[frozenset[tuple[str, str]], _Line] = {}
    for view in views:
        own = tuple(pair for pair in view.labels if pair[0] not in _DEVICE)
        line = found.get(frozenset(own))
        if line is None:
            (_, kind), (_, title), *names = own
            line = found[frozenset(own)] = _Line(kind, title, tuple(names))
        line.add(view)
    return found.values()


def _row(line: _Line) -> str:
    kind = WorkloadKind(line.kind)
    # A title is often made of names: of a pod it is namespace/pod/container.
    parts = {line.title, *line.title.split("/")}
    told = [f"{name}={value}" for name, value in line.names if value not in parts]
    detail = _EXPLAINED.get(kind) or ", ".join(told)
    small = f"<small>{escaped(detail)}</small>" if detail else ""
    methods = ", ".join(words for method, words in _METHODS.items() if method in line.methods)
    how = f"<small>{methods}</small>" if methods else ""
    return (
        f'<tr><td class="name">{escaped(line.title) or "-"}{small}</td><td>{kind}</td><td>{_gpus(line.gpus)}</td>'
        f'<td class="number">{kwh(line.energy_mj)} kWh{state_bar(line.energies_mj)}{how}</td>'
        f'<td class="number">{_part(line.waste_mj, line.energy_mj)}</td>'
        f'<td class="number">{_part(line.avoidable_mj, line.energy_mj)}</td></tr>\n'
    )


def _part(part_mj: int, whole_mj: int) -> str:
    share = percent(part_mj, whole_mj)
    return f"{kwh(part_mj)} kWh" + (f"<small>{share}</small>" if share else "")


def _gpus(indices: Iterable[str]) -> str:
    """Give the indices in short; a device that is no longer listed may have none."""
    known = [int(index) for index in indices if index]
    return ranges(known) or "-"


def _unresolved(usage: UsageHealth) -> str:
    reasons = [(reason, number) for reason, number in usage.unresolved if number]
    if not reasons:
        return ""
    count = sum(number for _, number in reasons)
    listed = ", ".join(f"{escaped(reason)} {number}" for reason, number in reasons)
    return (
        f'<p class="dim">Of {usage.processes} processes on GPUs the workload of {count} is not known ({listed}); '
        "<code>wattledger doctor</code> names what is missing.</p>\n"
    )
