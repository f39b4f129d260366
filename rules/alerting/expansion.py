"""Labels and annotations of an alert, expanded from the texts of its rule; a text that fails says so in its place."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from wattledger.rules.promql.model import Element, Labels
from wattledger.rules.templates import ExpansionError, QuerySample, Template, TemplateData
from wattledger.rules.templates.functions import QueryFunction

from .labels import ALERT_NAME, overridden
from .model import AlertingRule, NamedTexts


@dataclass(frozen=True, slots=True)
class ExternalNames:
    """What identifies this host to others: external labels, and the URL it is reached at."""

    labels: Labels = ()
    url: str = ""


@dataclass(slots=True)
class Expansion:
    """Expands the texts of one rule at one moment; `failures` collects what went wrong, for the log."""

    external: ExternalNames
    query: QueryFunction
    failures: list[str] = field(default_factory=list)

    def of(self, rule: AlertingRule, element: Element) -> tuple[Labels, Labels]:
        """Give labels and annotations of the alert for *element*."""
        data = TemplateData(dict(element.labels), element.value, dict(self.external.labels), self.external.url)
        labels = overridden(element.labels, (*self._expanded(rule.labels, data), (ALERT_NAME, rule.alert)))
        return labels, self._expanded(rule.annotations, data)

    def _expanded(self, texts: NamedTexts, data: TemplateData) -> tuple[tuple[str, str], ...]:
        return tuple((name, self._text(name, template, data)) for name, template in texts)

    def _text(self, name: str, template: Template, data: TemplateData) -> str:
        try:
            return template.expand(data, query=self.query)
        except ExpansionError as error:
            self.failures.append(f"{name}: {error}")
            return f"<error expanding template: {error}>"


def query_samples(elements: Sequence[Element]) -> list[QuerySample]:
    """Give a query's result in the form that templates take."""
    return [QuerySample(dict(element.labels), element.value) for element in elements]
