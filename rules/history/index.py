"""Finds columns by labels and by matchers, and remembers what it found; it knows nothing of samples."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wattledger.rules.promql.labels import value_of
from wattledger.rules.promql.matcher import Matcher, accept_all
from wattledger.rules.promql.model import METRIC_NAME, Labels

from .column import Column
from .interests import metric_name

# Queries of templates name a series each, so that what was found would pile up.
_MOST_ANSWERS = 64

_Answers = dict[tuple[Matcher, ...], list[Column]]


@dataclass(slots=True)
class _Bucket:
    """The columns of one metric name, and what was found among them since the last came or went."""

    columns: dict[Labels, Column] = field(default_factory=dict)
    answers: _Answers = field(default_factory=dict)


class Index:
    """All columns of a history."""

    def __init__(self) -> None:
        self._columns: dict[Labels, Column] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._answers: _Answers = {}  # of matchers that leave the metric name open

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self._columns.values())

    def get(self, labels: Labels) -> Column | None:
        """Give the column of the series, None where there is none."""
        return self._columns.get(labels)

    def add(self, column: Column) -> None:
        """Take a column of a series that has none yet."""
        self._columns[column.labels] = column
        bucket = self._buckets.setdefault(value_of(column.labels, METRIC_NAME), _Bucket())
        bucket.columns[column.labels] = column
        bucket.answers.clear()
        self._answers.clear()

    def remove(self, columns: Iterable[Column]) -> None:
        """Let go of *columns*."""
        for column in columns:
            del self._columns[column.labels]
            name = value_of(column.labels, METRIC_NAME)
            bucket = self._buckets[name]
            del bucket.columns[column.labels]
            bucket.answers.clear()
            if not bucket.columns:
                del self._buckets[name]
        self._answers.clear()

    def matching(self, matchers: tuple[Matcher, ...]) -> list[Column]:
        """Give the columns that all *matchers* accept, in order of their labels."""
        name = metric_name(matchers)
        if name is None:
            return _found(matchers, self._columns, self._answers)
        bucket = self._buckets.get(name)
        return [] if bucket is None else _found(matchers, bucket.columns, bucket.answers)


def _found(matchers: tuple[Matcher, ...], columns: dict[Labels, Column], answers: _Answers) -> list[Column]:
    found = answers.get(matchers)
    if found is None:
        if len(answers) >= _MOST_ANSWERS:
            answers.clear()
        accepted = [column for labels, column in columns.items() if accept_all(matchers, dict(labels))]
        answers[matchers] = found = sorted(accepted, key=lambda column: column.labels)
    return found
