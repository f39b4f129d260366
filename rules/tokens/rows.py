"""The totals of all services and which of them have changed; what a window is made of is not its matter."""

from collections.abc import Container, Iterable
from dataclasses import replace

from .totals import COVERED_PHASES, ServiceKey, ServiceTotal, ServiceWindow, Tokens

# So many of eight totals stay when some are forgotten, so that it is seldom that any must be.
_EIGHTHS_KEPT = 7


class TotalRows:
    """Adds windows to totals. No number of them falls; one is forgotten only when it is over and many came after."""

    def __init__(self, totals: Iterable[ServiceTotal]) -> None:
        self._rows: dict[str, dict[str, ServiceTotal]] = {}
        for total in totals:
            self._rows.setdefault(total.service, {})[total.model] = total
        self._models: dict[str, str] = {}  # of the energy, where a page has told
        self._changes: dict[ServiceKey, None] = {}
        self._dropped: dict[ServiceKey, None] = {}
        self._count = sum(map(len, self._rows.values()))

    def of(self, service: str) -> tuple[ServiceTotal, ...]:
        """Give the totals of one service."""
        return tuple(self._rows.get(service, {}).values())

    def all(self) -> tuple[ServiceTotal, ...]:
        """Give the totals of every service there ever was."""
        return tuple(total for rows in self._rows.values() for total in rows.values())

    def take_changes(self) -> tuple[ServiceTotal, ...]:
        """Give the totals that have changed since they were last taken."""
        changes = tuple(self._rows[service][model] for service, model in self._changes)
        self._changes.clear()
        return changes

    def take_dropped(self) -> tuple[ServiceKey, ...]:
        """Give the keys of the totals that were forgotten since they were last taken."""
        dropped = tuple(self._dropped)
        self._dropped.clear()
        return dropped

    def forget(self, about: Container[str], limit: int) -> None:
        """Where there are more than *limit* totals, forget services that rest, but none of those *about*."""
        if self._count <= limit:
            return
        rested = [name for name in self._rows if name not in about]
        rested.sort(key=lambda name: max(total.last_wall_ns for total in self._rows[name].values()))
        for name in rested:
            if self._count <= limit * _EIGHTHS_KEPT // 8:
                return
            rows = self._rows.pop(name)
            self._count -= len(rows)
            self._models.pop(name, None)
            for model in rows:
                self._changes.pop((name, model), None)
                self._dropped[name, model] = None

    def energy_model(self, service: str) -> str:
        """Give the model of the row that gets the energy: the last one told, else that of the only row with one."""
        model = self._models.get(service)
        if model is None:
            named = [name for name in self._rows.get(service, ()) if name]
            model = named[0] if len(named) == 1 else ""
        return model

    def use_model(self, service: str, model: str) -> bool:
        """Give the energy to the row of *model* from now on; tell whether another had it before."""
        before = self._models.get(service, model)
        self._models[service] = model
        return before != model

    def add(self, window: ServiceWindow) -> None:
        """Add a window: energy to one row, tokens to that of their model."""
        service = window.service
        rows = self._rows.setdefault(service, {})
        energy_model = self.energy_model(service)
        for model in dict.fromkeys((energy_model, *window.tokens)):  # in a fixed order
            before = rows.get(model) or ServiceTotal(service=service, model=model)
            total = _with_energy(before, window) if model == energy_model else before
            tokens = window.tokens.get(model)
            if tokens is not None:
                total = _with_tokens(total, tokens, window)
            if total is not before:
                self._count += model not in rows
                rows[model] = total
                self._changes[service, model] = None
                self._dropped.pop((service, model), None)


def _with_energy(row: ServiceTotal, window: ServiceWindow) -> ServiceTotal:
    """Give the row with the energy of a window, and what belongs to the service as a whole."""
    if not (window.total_mj or window.preemptions or window.drafts_wasted):
        return row
    phases = row.phases
    if window.total_mj:
        phases = phases | {window.phase: phases.get(window.phase, 0) + window.total_mj}
    is_covered = window.phase in COVERED_PHASES
    return replace(
        row,
        active_mj=row.active_mj + (window.active_mj if is_covered else 0),
        total_mj=row.total_mj + (window.total_mj if is_covered else 0),
        phases=phases,
        preemptions=row.preemptions + window.preemptions,
        drafts_wasted=row.drafts_wasted + window.drafts_wasted,
        last_wall_ns=max(row.last_wall_ns, window.end.wall_ns),
    )


def _with_tokens(row: ServiceTotal, tokens: Tokens, window: ServiceWindow) -> ServiceTotal:
    """Give the row with the tokens of its model; a kind that is known stands there with 0 before one came."""
    if not any(tokens.values()) and tokens.keys() <= row.tokens.keys():
        return row
    sums = {kind: row.tokens.get(kind, 0) + count for kind, count in tokens.items()}
    return replace(row, tokens=row.tokens | sums, last_wall_ns=max(row.last_wall_ns, window.end.wall_ns))
