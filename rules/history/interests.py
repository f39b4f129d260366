"""Which series the loaded rules can select, and how far back; it knows no samples and evaluates nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wattledger.rules.alerting import RuleGroup
from wattledger.rules.promql.expression import DEFAULT_LOOKBACK_MS, Selector, compile_expression
from wattledger.rules.promql.matcher import Matcher, MatchOp, accept_all
from wattledger.rules.promql.model import METRIC_NAME, Labels, PromqlError
from wattledger.rules.templates.template import QueryUse


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back samples are read: less than `back_ms` before an evaluation, and all from `pinned_from_ms` on.

    With `newest_only` nothing but the newest of them counts.
    """

    back_ms: int
    pinned_from_ms: int | None = None
    newest_only: bool = False

    def first_ms(self, now_ms: int) -> int:
        """Give the earliest millisecond that an evaluation at *now_ms* or later reads."""
        first_ms = now_ms - self.back_ms + 1
        return first_ms if self.pinned_from_ms is None else min(first_ms, self.pinned_from_ms)

    def joined(self, other: "Reach") -> "Reach":
        """Give what covers both."""
        pins = [pin for pin in (self.pinned_from_ms, other.pinned_from_ms) if pin is not None]
        newest_only = self.newest_only and other.newest_only
        return Reach(max(self.back_ms, other.back_ms), min(pins) if pins else None, newest_only)


_Matchers = tuple[Matcher, ...]


class Interests:
    """What all rules together select; `interests_of` makes it."""

    def __init__(self, wanted: Iterable[tuple[_Matchers, Reach]]) -> None:
        by_matchers: dict[_Matchers, Reach] = {}
        for matchers, reach in wanted:
            known = by_matchers.get(matchers)
            by_matchers[matchers] = reach if known is None else known.joined(reach)
        self._named: dict[str, list[tuple[_Matchers, Reach]]] = {}
        self._nameless: list[tuple[_Matchers, Reach]] = []
        for matchers, reach in by_matchers.items():
            name = metric_name(matchers)
            place = self._nameless if name is None else self._named.setdefault(name, [])
            place.append((matchers, reach))

    def names(self) -> frozenset[str] | None:
        """Give the metric names that rules select; None where a selector leaves the name open."""
        return None if self._nameless else frozenset(self._named)

    def reach(self, labels: Labels) -> Reach | None:
        """Give how far back samples of the series are read; None when no rule selects it."""
        values = dict(labels)
        found: Reach | None = None
        for matchers, reach in (*self._named.get(values.get(METRIC_NAME, ""), ()), *self._nameless):
            if accept_all(matchers, values):
                found = reach if found is None else found.joined(reach)
        return found


def metric_name(matchers: _Matchers) -> str | None:
    """Give the one metric name that *matchers* ask for; None where they leave it open."""
    for matcher in matchers:
        if matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL:
            return matcher.value
    return None


def interests_of(
    groups: Iterable[RuleGroup], *, lookback_ms: int = DEFAULT_LOOKBACK_MS, query_offset_ms: int = 0
) -> Interests:
    """Give what the expressions of *groups*, and the queries in the texts of their alerts, can select.

    *query_offset_ms* is that of groups without their own: their expressions look back from that much earlier.
    """
    return Interests(
        wanted
        for group in groups
        for wanted in (*_of_expressions(group, lookback_ms, query_offset_ms), *_of_texts(group, lookback_ms))
    )


def _of_expressions(group: RuleGroup, lookback_ms: int, query_offset_ms: int) -> Iterator[tuple[_Matchers, Reach]]:
    offset_ms = query_offset_ms if group.query_offset_ms is None else group.query_offset_ms
    for expression in group.expressions():
        for selector in expression.selectors(lookback_ms=lookback_ms):
            yield selector.matchers, _reach_of(selector, offset_ms)


def _reach_of(selector: Selector, offset_ms: int) -> Reach:
    if selector.pinned_from_ms is not None:
        return Reach(0, selector.pinned_from_ms)
    return Reach(selector.back_ms + offset_ms, newest_only=selector.newest_only and not offset_ms)


def _of_texts(group: RuleGroup, lookback_ms: int) -> Iterator[tuple[_Matchers, Reach]]:
    for template in group.templates():
        for use in template.queries():
            yield from _of_query(use, lookback_ms)


def _of_query(use: QueryUse, lookback_ms: int) -> Iterator[tuple[_Matchers, Reach]]:
    """Give what a query selects, as far as that is known before it is expanded: at worst every series."""
    everything = ((), Reach(lookback_ms))
    if use.text is None:
        yield everything
        return
    try:
        selectors = compile_expression(use.text).selectors(lookback_ms=lookback_ms)
    except PromqlError:
        if not use.exact:  # an exact text that is no expression fails at each expansion, and reads nothing
            yield everything
        return
    for selector in selectors:
        if use.exact:
            yield selector.matchers, _reach_of(selector, 0)
        else:
            yield _without_placeholders(selector.matchers), _at_least(selector, lookback_ms)


def _without_placeholders(matchers: _Matchers) -> _Matchers:
    """Give the matcher of the name where that is certain: any other may hold a value that is filled in later."""
    # What printf fills in stands as x or 1, so a name that has neither is as written.
    return tuple(
        matcher
        for matcher in matchers
        if matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL and not {"x", "1"} & set(matcher.value)
    )


def _at_least(selector: Selector, lookback_ms: int) -> Reach:
    return _reach_of(selector, 0).joined(Reach(lookback_ms, newest_only=selector.newest_only))
