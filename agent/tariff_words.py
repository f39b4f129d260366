"""How the findings about a tariff are said."""

from collections.abc import Iterable, Sequence

from wattledger.rules.tariff.coverage import Clash, Findings, Gap
from wattledger.rules.tariff.model import DAY_MINUTES, DayType, Tariff, clock_text

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_PLURALS = {DayType.WORKDAY: "workdays", DayType.WEEKEND: "weekends", DayType.HOLIDAY: "holidays"}


def never_told(tariff: Tariff, findings: Findings, number: int) -> str:
    """Say why the period with *number* is of no moment, and the cure."""
    period = tariff.periods[number]
    if number in findings.hidden:
        return f"({period.label}) is never used, for earlier periods cover all of it; put it before them"
    if period.days == {DayType.HOLIDAY} and not tariff.holidays:
        return f"({period.label}) is for holidays and none is listed; list their dates under holidays"
    return f"({period.label}) covers no day; its months do not come between its `from` and `to`"


def clash_told(tariff: Tariff, clash: Clash) -> str:
    """Say of the later period where the earlier one stands in its way, and the cure."""
    earlier, later = tariff.periods[clash.first], tariff.periods[clash.second]
    when = f"{_PLURALS[clash.day_type]} {_clock_texts((clash.span,))} in {_MONTHS[clash.month - 1]}"
    return (
        f"({later.label}) and periods[{clash.first}] ({earlier.label}) both cover {when}, where the earlier one "
        "counts; if that is not meant, put this one before it or change the hours"
    )


def gap_told(gap: Gap) -> str:
    """Say when there is no price, and the cure."""
    when = "" if gap.days is None else " on " + _listing(_PLURALS[kind] for kind in DayType if kind in gap.days)
    if gap.spans != ((0, DAY_MINUTES),):
        when += f" {_clock_texts(gap.spans)}"
    if gap.months is not None:
        when += f" in {_month_texts(gap.months)}"
    if gap.from_day is not None:
        when += f" from {gap.from_day}"
    if gap.to_day is not None:
        when += f" until {gap.to_day}"
    return f"no price{when}; add a period, or price for all that no period covers"


def _clock_texts(spans: Sequence[tuple[int, int]]) -> str:
    """Give stretches of a day; one that goes on after midnight is one."""
    shown = list(spans)
    if len(shown) > 1 and shown[0][0] == 0 and shown[-1][1] == DAY_MINUTES:
        evening = shown.pop()
        shown.append((evening[0], shown.pop(0)[1]))
    return _listing(f"{clock_text(start)}-{clock_text(end)}" for start, end in shown)


def _month_texts(months: Iterable[int]) -> str:
    """Give months, three or more in a row as `April to June`."""
    rows: list[list[int]] = []
    for month in sorted(months):
        if rows and rows[-1][-1] == month - 1:
            rows[-1].append(month)
        else:
            rows.append([month])
    texts: list[str] = []
    for row in rows:
        if len(row) > 2:
            texts.append(f"{_MONTHS[row[0] - 1]} to {_MONTHS[row[-1] - 1]}")
        else:
            texts += [_MONTHS[month - 1] for month in row]
    return _listing(texts)


def _listing(texts: Iterable[str]) -> str:
    *most, last = texts
    return f"{', '.join(most)} and {last}" if most else last
