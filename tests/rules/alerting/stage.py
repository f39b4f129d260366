"""A group on a stage: rules as text, a storage whose series are set by hand, and time that is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattledger.agent.rulefiles.memory_storage import MemoryStorage
from wattledger.rules.alerting import (
    Alert,
    AlertingRule,
    AlertState,
    EngineSettings,
    GroupEngine,
    RecordingRule,
    Rule,
    RuleGroup,
)
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.model import STALE, Labels, Sample, Vector, is_stale
from wattledger.rules.templates import compile_template

MINUTE_MS = 60_000


def labels(**pairs: str) -> Labels:
    """Give labels; `name` stands for the metric name."""
    return tuple(sorted(("__name__" if key == "name" else key, value) for key, value in pairs.items()))


def alerting(
    name: str,
    expr: str,
    *,
    for_minutes: float = 0,
    keep_minutes: float = 0,
    texts: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> AlertingRule:
    """Give an alerting rule."""
    return AlertingRule(
        name,
        compile_expression(expr),
        int(for_minutes * MINUTE_MS),
        int(keep_minutes * MINUTE_MS),
        tuple((key, compile_template(text)) for key, text in sorted((texts or {}).items())),
        tuple((key, compile_template(text)) for key, text in sorted((notes or {}).items())),
    )


def recording(name: str, expr: str, **more: str) -> RecordingRule:
    """Give a recording rule with the labels *more*."""
    return RecordingRule(name, compile_expression(expr), tuple(sorted(more.items())))


@dataclass(slots=True)
class Stage:
    """One engine and its storage."""

    engine: GroupEngine
    storage: MemoryStorage = field(default_factory=MemoryStorage)

    @classmethod
    def of(cls, *rules: Rule, limit: int = 0, offset_ms: int | None = None) -> "Stage":
        """Put a group of *rules* on a new stage."""
        group = RuleGroup("g", "f.yml", rules, limit=limit, query_offset_ms=offset_ms)
        return cls(GroupEngine(group, EngineSettings()))

    def at(self, minute: float, **series: float | None) -> "Stage":
        """Write the series m{case=...} named, None ends one, then evaluate at *minute*."""
        at_ms = int(minute * MINUTE_MS)
        for case, value in series.items():
            self.storage.append(labels(name="m", case=case), at_ms, STALE if value is None else value)
        self.engine.evaluate(self.storage, at_ms)
        return self

    def states(self) -> dict[str, AlertState]:
        """Give the state of each alert by its label `case`."""
        return {dict(alert.labels).get("case", ""): alert.state for alert in self.alerts()}

    def alerts(self) -> list[Alert]:
        """Give the alerts."""
        return [alert for _, alert in self.engine.alerts()]

    def query(self, text: str, minute: float) -> dict[Labels, float]:
        """Evaluate an expression."""
        result = compile_expression(text).evaluate(self.storage, int(minute * MINUTE_MS))
        assert isinstance(result, Vector)
        return {element.labels: element.value for element in result.elements}

    def last(self, series: Labels) -> Sample | None:
        """Give the last sample of a series, whatever it is."""
        found = [one for one in self.storage.select((), 0, 2**62) if one.labels == series]
        samples = list(found[0].samples()) if found else []
        return samples[-1] if samples else None

    def ended(self, series: Labels) -> bool:
        """Tell whether the last sample of a series marks its end."""
        last = self.last(series)
        return last is not None and is_stale(last.value)
