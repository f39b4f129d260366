"""The samples that rules may still look back on, in memory; it knows what is selected, not what is computed of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import is_

from wattledger.rules.alerting import Refusal, SampleRefusedError
from wattledger.rules.promql.matcher import Matcher
from wattledger.rules.promql.model import STALE, Labels, Series, is_stale

from .column import Column
from .index import Index
from .interests import Interests

# What a series takes beside what its arrays hold, with labels of some eight pairs that its neighbours share in part:
# as tracemalloc counts it, and held against it by a test.
SERIES_BYTES = 450

_Page = list[tuple[Labels, float]]


@dataclass(frozen=True, slots=True)
class HistoryStats:
    """What is kept: `memory_bytes` of arrays as measured and of the rest by a constant a series.

    `refused` counts samples that were not kept since the start: of series beyond the bound, and not in order of time.
    """

    series: int
    samples: int
    memory_bytes: int
    refused: int


class History:
    """A storage that keeps what *interests* reach and nothing else, and answers in order of labels.

    With a sample each *step_ms* it holds at most *most_samples*: a series is let in only if there is room for its
    full reach, so those that rules rely on never stop. Owned by one thread. What `select` gives holds until the next
    change.
    """

    def __init__(self, interests: Interests, *, step_ms: int = 15_000, most_samples: int = 1_000_000) -> None:
        self._interests = interests
        self._step_ms = step_ms
        self._most_samples = most_samples
        self._reserved = 0  # what the series that are here may come to hold
        self._index = Index()
        self._samples = 0
        self._refused = 0
        self._scraped_at_ms: int | None = None
        # The last scrape by place: the labels that stood there, and their column where a rule selects them.
        self._labels: list[Labels] = []
        self._columns: list[Column | None] = []
        self._holds = True  # False: some of these columns are not what they would be now

    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Iterable[Series]:
        """Give the series that all *matchers* accept and that have samples from *start_ms* to *end_ms*."""
        found = [column.within(start_ms, end_ms) for column in self._index.matching(tuple(matchers))]
        return [series for series in found if series is not None]

    def append(self, labels: Labels, timestamp_ms: int, value: float) -> None:
        """Add what a rule wrote at the end of its series; one that no rule selects is not kept.

        Raises SampleRefusedError.
        """
        column = self._index.get(labels)
        if column is None and not is_stale(value):  # the end of a series that is not here ends nothing
            column = self._admitted(labels)
        if column is not None:
            self._samples += column.append(timestamp_ms, value)

    def scrape(self, samples: Iterable[tuple[Labels, float]], at_ms: int) -> None:
        """Take one reading of the page: series that were in the one before and are not in this one end.

        Nothing is taken of a reading that is not later than the last; its samples count as refused.
        """
        page = list(samples)
        if self._scraped_at_ms is not None and at_ms <= self._scraped_at_ms:
            self._refused += len(page)
            return
        self._scraped_at_ms = at_ms
        labels = [labels for labels, _ in page]
        # Pages are alike and their labels the same objects, so that as a rule no label has to be hashed.
        if self._holds and len(labels) == len(self._labels) and all(map(is_, labels, self._labels)):
            self._add_like_last(page, at_ms)
        else:
            self._turn(page, at_ms)
            self._labels = labels

    def backfill(self, labels: Labels, timestamps_ms: Sequence[int], values: Sequence[float]) -> None:
        """Put older samples, in order of time, before those of the series; any that are not older are left out.

        Where there is no room for the series, all are refused and counted.
        """
        column = self._index.get(labels)
        if column is None and timestamps_ms:
            try:
                column = self._admitted(labels)
            except SampleRefusedError:
                self._refused += len(timestamps_ms) - 1  # the first is counted
        if column is not None:
            self._samples += column.prepend(timestamps_ms, values)

    def forget(self, now_ms: int) -> None:
        """Drop what no evaluation at *now_ms* or later reads, not each sample at once; and series without samples."""
        empty: list[Column] = []
        for column in self._index:
            if column.due_ms <= now_ms:
                self._samples -= column.forget(now_ms)
                if not column.times:
                    empty.append(column)
        if empty:
            self._index.remove(empty)
            self._reserved -= sum(column.room(self._step_ms) for column in empty)
            self._holds = self._holds and all(column is None or column.times for column in self._columns)

    def adopt(self, old: "History") -> None:
        """Take over what the rules of now select from *old*, the history before a reload, which ends with this."""
        for column in old._index:  # noqa: SLF001  (its own kind)
            reach = self._interests.reach(column.labels)
            if reach is not None:
                self._add(column.taken_over(reach, step_ms=self._step_ms))
                self._samples += len(column.times)
        self.count_on(old)
        self._scraped_at_ms = old._scraped_at_ms  # noqa: SLF001  (its own kind)
        self._labels = old._labels  # noqa: SLF001  (its own kind)
        self._columns = [self._index.get(labels) for labels in self._labels]
        self._holds = False  # a series that no rule selected so far has no column yet

    def count_on(self, old: "History") -> None:
        """Go on with what *old* has counted: what was exported never falls."""
        self._refused += old._refused  # noqa: SLF001  (its own kind)

    def stats(self) -> HistoryStats:
        """Give what is kept and what was refused."""
        memory_bytes = sum(column.array_bytes for column in self._index) + SERIES_BYTES * len(self._index)
        return HistoryStats(len(self._index), self._samples, memory_bytes, self._refused)

    def _admitted(self, labels: Labels) -> Column | None:
        """Give a column for a series that has none, None when no rule selects it. Raises SampleRefusedError."""
        reach = self._interests.reach(labels)
        if reach is None:
            return None
        column = Column.of(labels, reach, step_ms=self._step_ms)
        if self._reserved + column.room(self._step_ms) > self._most_samples:
            self._refused += 1
            raise SampleRefusedError(Refusal.TOO_MANY_SERIES)
        self._add(column)
        return column

    def _add(self, column: Column) -> None:
        self._index.add(column)
        self._reserved += column.room(self._step_ms)

    def _add_like_last(self, page: _Page, at_ms: int) -> None:
        """Take a page of the same series in the same order as the last."""
        taken = 0
        for column, (_, value) in zip(self._columns, page, strict=True):
            if column is not None:
                times = column.times
                if times[-1] < at_ms and not column.spacing_ms:
                    times.append(at_ms)
                    column.values.append(value)
                    taken += 1
                else:
                    taken += self._appended(column, at_ms, value)
        self._samples += taken

    def _turn(self, page: _Page, at_ms: int) -> None:
        """Take a page that differs from the last, and end the series that are no longer on it."""
        last = {
            id(labels): column
            for labels, column in zip(self._labels, self._columns, strict=True)
            if (self._holds if column is None else column.times)
        }
        self._holds = True
        columns = [self._taken(last, labels, value, at_ms=at_ms) for labels, value in page]
        present = set(columns)
        for column in last.values():
            if column not in present and column is not None:
                self._samples += self._appended(column, at_ms, STALE)
        self._columns = columns

    def _taken(self, last: dict[int, Column | None], labels: Labels, value: float, *, at_ms: int) -> Column | None:
        """Take one sample of a page; give its column, None when it is not kept."""
        column = last[id(labels)] if id(labels) in last else self._index.get(labels)
        if column is None and id(labels) not in last:
            try:
                column = self._admitted(labels)
            except SampleRefusedError:
                self._holds = False  # there may be room for it in the next page
                return None
        if column is not None:
            self._samples += self._appended(column, at_ms, value)
        return column

    def _appended(self, column: Column, at_ms: int, value: float) -> bool:
        """Add a sample of a page; tell whether it was new and in order of time."""
        try:
            return column.append(at_ms, value)
        except SampleRefusedError:
            self._refused += 1
            return False
