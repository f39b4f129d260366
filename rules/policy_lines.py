"""Figures of China's policy for data centres, with source and year, and where a plan stands against them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Quantity(StrEnum):
    """What a line is about."""

    PUE = "pue"
    GREEN_SHARE = "green_share"


class Bound(StrEnum):
    """On which side of its figure a line wants a plan to be."""

    BELOW = "below"
    AT_MOST = "at most"
    ABOVE = "above"
    ABOUT = "about"  # what others reach; it is no limit


class Verdict(StrEnum):
    """Where a plan stands."""

    PASS = "pass"  # noqa: S105  (no password)
    FAIL = "fail"
    REACHED = "reached"  # as good as the figure, or better, where it is no limit
    MISSED = "missed"
    UNKNOWN = "unknown"  # the plan does not say it


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """A figure. `scope` is for whom it is made, `source` who made it where, `year` when."""

    quantity: Quantity
    bound: Bound
    figure: Decimal
    scope: str
    source: str
    year: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """A plan against a line. `margin` is how far it is on the good side, negative on the bad one, None if unknown."""

    line: PolicyLine
    value: Decimal | None
    verdict: Verdict
    margin: Decimal | None


_PLAN_2024 = "action plan for green and low-carbon data centres (NDRC, MIIT, NEA, NDA, July 2024)"

# As of the reference on carbon, section 4.1. PUE 1.3 of hubs is what they reach, as the National Data Administration
# said it, and no requirement.
POLICY_LINES = (
    PolicyLine(
        Quantity.PUE, Bound.BELOW, Decimal("1.5"), "average of data centres by the end of 2025", _PLAN_2024, 2024
    ),
    PolicyLine(
        Quantity.PUE,
        Bound.AT_MOST,
        Decimal("1.30"),
        "national green data centre of 2025",
        "MIIT letter 工信厅联节函〔2025〕279号",  # noqa: RUF001  (as it is cited)
        2025,
    ),
    PolicyLine(
        Quantity.PUE,
        Bound.ABOUT,
        Decimal("1.3"),
        "average of the clusters at national hubs",
        "National Data Administration, 18 March 2025",
        2025,
    ),
    PolicyLine(
        Quantity.GREEN_SHARE,
        Bound.ABOVE,
        Decimal("0.8"),
        "new data centres at national hub nodes by the end of 2025",
        _PLAN_2024,
        2024,
    ),
)


def judge(pue: Decimal | None, green_share: Decimal | None) -> Iterator[Judgement]:
    """Hold a plan against every line."""
    values = {Quantity.PUE: pue, Quantity.GREEN_SHARE: green_share}
    for line in POLICY_LINES:
        value = values[line.quantity]
        if value is None:
            yield Judgement(line, None, Verdict.UNKNOWN, None)
            continue
        margin = value - line.figure if line.bound is Bound.ABOVE else line.figure - value
        yield Judgement(line, value, _verdict(line.bound, margin), margin)


def _verdict(bound: Bound, margin: Decimal) -> Verdict:
    if bound is Bound.ABOUT:
        return Verdict.REACHED if margin >= 0 else Verdict.MISSED
    is_met = margin >= 0 if bound is Bound.AT_MOST else margin > 0
    return Verdict.PASS if is_met else Verdict.FAIL
