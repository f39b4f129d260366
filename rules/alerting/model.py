"""Rules as loaded, ready to be evaluated; it knows neither their files nor what became of them so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from wattledger.rules.promql.expression import Expression
from wattledger.rules.templates import Template

NamedTexts = tuple[tuple[str, Template], ...]


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """A rule that keeps the result of *expression* as series named `record`; labels sorted by name."""

    record: str
    expression: Expression
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Give the name of the series it writes."""
        return self.record


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """A rule that raises an alert for each series *expression* gives; labels and annotations sorted by name."""

    alert: str
    expression: Expression
    for_ms: int = 0
    keep_firing_for_ms: int = 0
    labels: NamedTexts = ()
    annotations: NamedTexts = ()

    @property
    def name(self) -> str:
        """Give the alert's name."""
        return self.alert


Rule = RecordingRule | AlertingRule


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after the other at one moment. `limit` bounds the series of each, 0 means none."""

    name: str
    file: str
    rules: tuple[Rule, ...] = ()
    interval_ms: int | None = None
    limit: int = 0
    query_offset_ms: int | None = None

    def expressions(self) -> Sequence[Expression]:
        """Give the expressions of the rules; the queries of their templates are not among them."""
        return [rule.expression for rule in self.rules]

    def templates(self) -> Sequence[Template]:
        """Give the texts of the alerting rules."""
        alerting = (rule for rule in self.rules if isinstance(rule, AlertingRule))
        return [text for rule in alerting for _, text in (*rule.labels, *rule.annotations)]
