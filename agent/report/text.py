"""A report for a terminal: the headline, a table that fits the width, and what it rests on."""

import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo

from wattledger.exporter.landing_text import kwh, percent, significant
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.groups import ModelSum, Sum, all_of
from wattledger.rules.report.model import Group, Report
from wattledger.rules.tokens.model import TokenKind

from .columns import Column, printable, table
from .words import NOT_KNOWN, headline, joules_per_token, methods, short_cost, short_mass, thousand_text, warning

DEFAULT_LIMIT = 20
_NARROWEST = 40
_WIDEST_TEXT = 118
_NO_MODEL = "No energy of an inference server is recorded in this time."
_NO_OWNER = "Whose the energy of this time was is not recorded."
_ALL_SHOWN = (GroupBy.HOUR, GroupBy.DAY, GroupBy.STATE)  # unless a limit is given: they are read as a whole


def text_report(report: Report, *, zone: tzinfo, title: str, width: int, limit: int | None = None) -> str:
    """Give the report as lines of text of at most *width*. The table shows *limit* groups and the rest as one."""
    width = max(width, _NARROWEST)
    lines = [*_wrapped(f"{_who(report)}, {title}: {span(report, zone)}", width, "", ""), ""]
    if report.simulated:
        rule = "*" * min(width, len(warning(report)))
        lines += [rule, *_wrapped(warning(report), width, "", ""), rule, ""]
    for sentence in headline(report)[bool(report.simulated) :]:
        lines += _wrapped(sentence, width, "  ", "    ")
    lines += ["", *_table(report, width, limit), ""]
    for sentence in methods(report):
        lines += _wrapped(sentence, width, "- ", "  ")
    return "\n".join(lines) + "\n"


def _table(report: Report, width: int, limit: int | None) -> Iterator[str]:
    is_of_models = report.by is GroupBy.MODEL
    if not (report.models if is_of_models else report.groups):
        yield _NO_MODEL if is_of_models else _NO_OWNER
        return
    yield from table(list(_model_columns(report, limit) if is_of_models else _group_columns(report, limit)), width)


def _wrapped(sentence: str, width: int, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        printable(sentence), min(width, _WIDEST_TEXT), initial_indent=first, subsequent_indent=others
    )


def _who(report: Report) -> str:
    gpus = f"{report.gpus:,} GPU{'s' * (report.gpus != 1)}"
    return gpus if report.hosts == 1 else f"{gpus} of {report.hosts:,} hosts"


def span(report: Report, zone: tzinfo) -> str:
    """Give from when to when, on the reader's clock."""
    start, end = (
        datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC).astimezone(zone).strftime("%Y-%m-%d %H:%M")
        for wall_ns in (report.start_wall_ns, report.end_wall_ns)
    )
    return f"{start} to {end} ({zone})"


def _group_columns(report: Report, limit: int | None) -> Iterator[Column]:
    if limit is None:
        limit = len(report.groups) if report.by in _ALL_SHOWN else DEFAULT_LIMIT
    groups = list(report.groups[:limit])
    left = report.groups[limit:]
    if left:
        groups.append(Group(f"{len(left)} more", "", sum((group.sum for group in left), Sum()), 0))
    sums = [group.sum for group in groups]
    is_owner = report.by in (GroupBy.OWNER, GroupBy.NAMESPACE, GroupBy.USER)
    yield Column(report.by.value, [printable(group.name) for group in groups], is_number=False)
    yield Column("kind", [printable(group.detail) if is_owner else "" for group in groups], is_number=False, spare=3)
    is_gpu = report.by is GroupBy.GPU
    yield Column("GPUs", [str(group.gpus) if group.gpus and not is_gpu else "" for group in groups], spare=4)
    yield Column("kWh", [kwh(one.energy_mj) for one in sums])
    yield Column("idle", [percent(one.idle_mj, one.energy_mj) for one in sums])
    yield Column("avoidable kWh", [kwh(one.avoidable_mj) for one in sums], spare=2)
    location, market = (
        [short_mass(one.priced, accounting, share=one.priced_share) for one in sums] for accounting in Accounting
    )
    yield Column("CO2 location", location)
    yield Column("CO2 market", market, spare=1)
    if report.currency:
        yield Column(report.currency, [short_cost(one.priced, share=one.priced_share) for one in sums])


def _model_columns(report: Report, limit: int | None) -> Iterator[Column]:
    limit = DEFAULT_LIMIT if limit is None else limit
    models = list(report.models[:limit])
    left = report.models[limit:]
    if left:
        models.append(all_of(left, f"{len(left)} more"))

    def column(head: str, text: Callable[[ModelSum], str], *, spare: int = 0) -> Column:
        return Column(head, [text(model) for model in models], spare=spare)

    yield Column("service", [printable(model.service) for model in models], is_number=False)
    yield Column("model", [printable(model.model) for model in models], is_number=False, spare=1)
    yield column("kWh", lambda model: kwh(model.total_mj))
    yield column("prompt tokens", lambda model: _count(model, TokenKind.PROMPT), spare=4)
    yield column("output tokens", lambda model: _count(model, TokenKind.OUTPUT), spare=3)
    yield column("J/output", _joules)
    yield column("g/1,000 output", _grams)
    yield column("CO2 location", _location, spare=2)
    if report.currency:
        yield column(report.currency, lambda model: short_cost(model.priced, share=model.priced_share), spare=2)


def _count(model: ModelSum, kind: TokenKind) -> str:
    number = model.of(kind)
    return NOT_KNOWN if number is None else f"{number:,}"


def _joules(model: ModelSum) -> str:
    joules = joules_per_token(model)
    return _ratio(model, NOT_KNOWN if joules is None else significant(joules))


def _grams(model: ModelSum) -> str:
    return _ratio(model, thousand_text(model, model.of(TokenKind.OUTPUT)))


def _location(model: ModelSum) -> str:
    return short_mass(model.priced, Accounting.LOCATION, share=model.priced_share)


def _ratio(model: ModelSum, text: str) -> str:
    return "no output" if text == NOT_KNOWN and model.of(TokenKind.OUTPUT) == 0 else text
