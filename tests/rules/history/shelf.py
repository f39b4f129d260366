"""What the tests of the history share: labels, groups of expressions, and a storage that keeps everything."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattledger.agent.rulefiles.memory_storage import MemoryStorage
from wattledger.rules.alerting import RecordingRule, RuleGroup, SampleRefusedError
from wattledger.rules.history import History, interests_of
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.model import STALE, Labels, Sample

MINUTE_MS = 60_000
NOW_MS = 1_700_000_000_000


def labels(name: str, **pairs: str) -> Labels:
    """Give the labels of a series of *name*."""
    return tuple(sorted({"__name__": name, **pairs}.items()))


def group(*expressions: str, query_offset_ms: int | None = None) -> RuleGroup:
    """Give a group that records each expression as r0, r1, and so on."""
    rules = tuple(RecordingRule(f"r{number}", compile_expression(text)) for number, text in enumerate(expressions))
    return RuleGroup("g", "f.yml", rules, query_offset_ms=query_offset_ms)


def history(*expressions: str, most_samples: int = 1_000_000) -> History:
    """Give a history for rules of *expressions*."""
    return History(interests_of([group(*expressions)]), step_ms=MINUTE_MS, most_samples=most_samples)


def kept(storage: History, name: str) -> dict[Labels, list[Sample]]:
    """Give every sample that is still there of the series of *name*."""
    (selector,) = compile_expression(name).selectors()
    return {series.labels: list(series.samples()) for series in storage.select(selector.matchers, 0, 2**62)}


@dataclass(slots=True)
class Everything(MemoryStorage):
    """A storage that takes scrapes too, and forgets nothing."""

    _last: dict[Labels, float] = field(default_factory=dict)

    def scrape(self, samples: Iterable[tuple[Labels, float]], at_ms: int) -> None:
        """Take a page; series of the last page that are not on it end, unless a rule has written them since."""
        page = dict(samples)
        for series, value in [*page.items(), *((gone, STALE) for gone in self._last.keys() - page.keys())]:
            try:
                self.append(series, at_ms, value)
            except SampleRefusedError:
                continue
        self._last = page
