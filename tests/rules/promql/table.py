"""Series and results in few words, for tables of cases."""

import re

from tests.rules.promql.oracle import Kept
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.labels import text_of
from wattledger.rules.promql.model import STALE, Labels, Sample, Scalar, Series, Vector

STEP_S = 60

_LINE = re.compile(r"(\w+)(?:\{(.*?)\})? (.*)")


def kept(*lines: str) -> Kept:
    """Give a store of *lines* such as `m{gpu="0"} 1 2 _ stale NaN`: a value a minute from time zero, `_` for none."""
    return Kept([_series_of(line) for line in lines])


def _series_of(line: str) -> Series:
    match = _LINE.fullmatch(line)
    assert match is not None, line
    labels: Labels = tuple(sorted([("__name__", match[1]), *re.findall(r'(\w+)="(.*?)"', match[2] or "")]))
    words = enumerate(match[3].split())
    return Series.of(
        labels,
        [Sample(i * STEP_S * 1000, STALE if word == "stale" else float(word)) for i, word in words if word != "_"],
    )


def result(store: Kept, query: str, at_s: float) -> dict[str, float] | float:
    """Evaluate *query*: a number, or values by labels written as a selector."""
    found = compile_expression(query).evaluate(store, round(at_s * 1000))
    if isinstance(found, Scalar):
        return found.value
    assert isinstance(found, Vector)
    return {text_of(element.labels): element.value for element in found.elements}


def only(store: Kept, query: str, at_s: float) -> float | None:
    """Evaluate *query* and give its only value, None where it gives nothing."""
    found = result(store, query, at_s)
    if isinstance(found, float):
        return found
    assert len(found) <= 1, found
    return next(iter(found.values()), None)
