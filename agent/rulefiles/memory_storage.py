"""Series in memory for unit tests: input that appears in its time, and what rules write; it computes nothing."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wattledger.rules.alerting import Refusal, SampleRefusedError
from wattledger.rules.promql.matcher import Matcher, MatchOp, accept_all
from wattledger.rules.promql.model import METRIC_NAME, Labels, Series, is_same


@dataclass(slots=True)
class _Column:
    """The samples of one series, in order of time."""

    labels: Labels
    names: dict[str, str]
    timestamps_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def within(self, start_ms: int, end_ms: int) -> Series:
        """Give the series with its samples from *start_ms* to *end_ms*."""
        first, last = bisect_left(self.timestamps_ms, start_ms), bisect_right(self.timestamps_ms, end_ms)
        return Series(self.labels, self.timestamps_ms[first:last], self.values[first:last])


@dataclass(slots=True)
class _Input:
    """Samples of one input series that have not appeared yet, the last of them first."""

    labels: Labels
    waiting: list[tuple[int, float]]


@dataclass(slots=True)
class MemoryStorage:
    """A storage that answers with series in order of their labels, as Prometheus does."""

    _columns: dict[Labels, _Column] = field(default_factory=dict)
    _by_name: dict[str, list[_Column]] = field(default_factory=dict)
    _inputs: dict[Labels, _Input] = field(default_factory=dict)

    def add_input(self, labels: Labels, values: Sequence[float | None], *, start_ms: int, interval_ms: int) -> None:
        """Keep samples that appear later; a second input of the same labels takes the place of the first."""
        samples = [(start_ms + index * interval_ms, value) for index, value in enumerate(values) if value is not None]
        self._inputs[labels] = _Input(labels, samples[::-1])

    def appear_until(self, now_ms: int) -> None:
        """Let the input up to *now_ms* appear.

        Raises SampleRefusedError where a rule has already written to the same series.
        """
        for source in self._inputs.values():
            while source.waiting and source.waiting[-1][0] <= now_ms:
                self.append(source.labels, *source.waiting[-1])
                source.waiting.pop()

    def append(self, labels: Labels, timestamp_ms: int, value: float) -> None:
        """Add a sample at the end of a series; the same sample twice is no error.

        Raises SampleRefusedError.
        """
        column = self._columns.get(labels) or self._new_column(labels)
        if column.timestamps_ms and timestamp_ms <= column.timestamps_ms[-1]:
            if timestamp_ms < column.timestamps_ms[-1]:
                raise SampleRefusedError(Refusal.OUT_OF_ORDER)
            if not is_same(column.values[-1], value):
                raise SampleRefusedError(Refusal.DUPLICATE)
            return
        column.timestamps_ms.append(timestamp_ms)
        column.values.append(value)

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterable[Series]:
        """Give the series that all *matchers* accept, with their samples from *start_ms* to *end_ms*."""
        named = [matcher.value for matcher in matchers if matcher.name == METRIC_NAME and matcher.op is MatchOp.EQUAL]
        columns = self._by_name.get(named[0], []) if named else self._columns.values()
        found = [column.within(start_ms, end_ms) for column in columns if accept_all(matchers, column.names)]
        return sorted(found, key=lambda series: series.labels)

    def _new_column(self, labels: Labels) -> _Column:
        column = _Column(labels, dict(labels))
        self._columns[labels] = column
        self._by_name.setdefault(column.names.get(METRIC_NAME, ""), []).append(column)
        return column
