"""The tables of the page: groups, models, states, boundaries and factors; what is not known is said in each cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wattledger.exporter.landing_text import duration, kwh, percent, significant
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.pricing.model import Priced, grams
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.groups import ModelSum, Sum
from wattledger.rules.report.model import FactorSum, Group, Report
from wattledger.rules.tokens.model import TokenKind

from .charts.figure import swatch
from .charts.power import WORDS
from .markup import safe
from .words import AT, NOT_KNOWN, model_name, short_cost, short_mass, thousand_text

_MOST_ROWS = 500
_WITH_DETAIL = (GroupBy.OWNER, GroupBy.NAMESPACE, GroupBy.USER, GroupBy.GPU)


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: a name with something smaller below it, or a number."""

    text: str
    small: str = ""
    is_number: bool = True
    swatch: str = ""


def name_cell(text: str, small: str = "", swatch: str = "") -> Cell:
    """Give the cell of a name."""
    return Cell(text, small, is_number=False, swatch=swatch)


def group_table(report: Report) -> str:
    """Give the table that was asked for, with a last row for all of its rows."""
    if not report.groups:
        return ""  # models have a table of their own
    by = report.by
    head = [name_cell(by.value), Cell("GPUs"), Cell("kWh"), Cell("idle"), Cell("avoidable kWh"), *_price_head(report)]
    shown, left = report.groups[:_MOST_ROWS], report.groups[_MOST_ROWS:]
    rows = [_group(group, report, by) for group in shown]
    if left:
        rest = Group(f"{len(left)} more", "", _added(left), 0)
        rows.append(_group(rest, report, by))
    foot = [_group(Group("all", "", _added(report.groups), 0), report, by)] if len(report.groups) > 1 else []
    return _section("groups", f"By {by.value}", _table(f"By {by.value}", head, rows, foot))


def _group(group: Group, report: Report, by: GroupBy) -> list[Cell]:
    came_to = group.sum
    small = group.detail if by in _WITH_DETAIL else ""
    return [
        name_cell(group.name, small if small != group.name else ""),
        Cell(str(group.gpus) if group.gpus else ""),
        Cell(kwh(came_to.energy_mj)),
        Cell(percent(came_to.idle_mj, came_to.energy_mj)),
        Cell(kwh(came_to.avoidable_mj)),
        *_prices(came_to.priced, report.currency, came_to.priced_share),
    ]


def _added(groups: Iterable[Group]) -> Sum:
    return sum((group.sum for group in groups), Sum())


def _price_head(report: Report) -> list[Cell]:
    head = [Cell("CO2 location"), Cell("CO2 market")]
    return [*head, Cell(report.currency)] if report.currency else head


def _prices(priced: Priced, currency: str, share: float) -> list[Cell]:
    cells = [Cell(short_mass(priced, accounting, share=share)) for accounting in Accounting]
    return [*cells, Cell(short_cost(priced, share=share))] if currency else cells


def state_table(report: Report) -> str:
    """Give what the devices came to in each state."""
    head = [
        name_cell("state"),
        Cell("kWh"),
        Cell("of the energy"),
        Cell("GPU time"),
        Cell("mean W"),
        *_price_head(report),
    ]
    rows = []
    for state, came_to in report.states.items():
        _, _, what = WORDS[state].partition(": ")
        rows.append(
            [
                name_cell(state.value, what, swatch=state.value),
                Cell(kwh(came_to.energy_mj)),
                Cell(percent(came_to.energy_mj, report.total.energy_mj)),
                Cell(duration(came_to.duration_ns)),
                Cell(_mean_watts(came_to)),
                *_prices(came_to.priced, report.currency, came_to.priced_share),
            ]
        )
    return _section("states", "By state", _table("By state", head, rows)) if rows else ""


def _mean_watts(came_to: Sum) -> str:
    if not came_to.duration_ns:
        return NOT_KNOWN
    return significant(came_to.energy_mj / 1000 / (came_to.duration_ns / NS_PER_SECOND))


def boundary_table(report: Report) -> str:
    """Give what each boundary that is known came to, where there is more than that of the GPUs."""
    if len(report.boundaries) < 2:
        return ""
    head = [name_cell("energy"), Cell("kWh"), *_price_head(report)]
    rows = [
        [name_cell(AT[boundary]), Cell(kwh(priced.energy_mj)), *_prices(priced, report.currency, report.priced_share)]
        for boundary, priced in report.boundaries.items()
    ]
    return _section("boundaries", "From the GPUs to the meter", _table("From the GPUs to the meter", head, rows))


def model_table(report: Report) -> str:
    """Give joules by token and grams by 1,000 tokens: output, all, and those that were computed."""
    if not report.models:
        return ""
    head = [
        name_cell("model"),
        Cell("kWh"),
        Cell("output tokens"),
        *(Cell(f"J per {words}") for words in ("output", "total", "computed")),
        *(Cell(f"g per 1,000 {words}") for words in ("output", "total", "computed")),
    ]
    rows = [_model(model) for model in report.models]
    note = (
        '<p class="sum">J is joules of GPUs by one token, g grams of location-based CO2 by 1,000 tokens, '
        f"{AT[report.boundary]}; idle time is in both. Output: output tokens. Total: prompt and output. "
        "Computed: output, and prompt tokens that no cache had.</p>\n"
    )
    return _section("models", "By model", note + _table("By model", head, rows))


def _model(model: ModelSum) -> list[Cell]:
    output = model.of(TokenKind.OUTPUT)
    counts = [output, _both(model, TokenKind.PROMPT), _both(model, TokenKind.PROMPT_COMPUTED)]
    return [
        name_cell(model_name(model)),
        Cell(kwh(model.total_mj)),
        Cell(NOT_KNOWN if output is None else f"{output:,}"),
        *(Cell(significant(model.total_mj / 1000 / count) if count else NOT_KNOWN) for count in counts),
        *(Cell(thousand_text(model, count)) for count in counts),
    ]


def _both(model: ModelSum, kind: TokenKind) -> int | None:
    """Give output tokens and those of a kind; None where either is not known."""
    output, other = model.of(TokenKind.OUTPUT), model.of(kind)
    return None if output is None or other is None else output + other


def factor_table(report: Report) -> str:
    """Give where grams come from: each factor with its share of the energy and its mean."""
    if not report.factors:
        return ""
    head = [
        name_cell("method"),
        name_cell("provider and zone"),
        name_cell("what it counts"),
        name_cell("kind"),
        Cell("kWh"),
        Cell("mean g/kWh"),
        Cell("CO2"),
    ]
    rows = [_factor(factor) for factor in report.factors]
    return f"<h3>Factors</h3>\n{_table('Factors', head, rows)}"


def _factor(factor: FactorSum) -> list[Cell]:
    place = "first feed" if factor.level == 0 else f"feed {factor.level + 1}"
    mean = factor.product / factor.energy_mj / 1_000_000 if factor.energy_mj else None
    return [
        name_cell(f"{factor.accounting}-based"),
        name_cell(f"{factor.provider} {factor.zone}", factor.source),
        name_cell(str(factor.caliber)),
        name_cell(factor.kind.value, place),
        Cell(kwh(factor.energy_mj)),
        Cell(NOT_KNOWN if mean is None else significant(mean)),
        Cell(_mass(factor.product)),
    ]


def _mass(product: int) -> str:
    value = grams(product)
    return f"{significant(value / 1000)} kg" if value >= 1000 else f"{significant(value)} g"


def _section(name: str, heading: str, content: str) -> str:
    return f'<section id="{name}">\n<h2>{safe(heading)}</h2>\n{content}</section>\n'


def _table(
    label: str, head: Sequence[Cell], rows: Iterable[Sequence[Cell]], foot: Iterable[Sequence[Cell]] = ()
) -> str:
    """Give a table that scrolls by itself where the page is too narrow for it."""
    body = "".join(map(_row, rows))
    tail = "".join(map(_row, foot))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{safe(label)}"><table>\n'
        f"<thead><tr>{''.join(map(_heading, head))}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        f"{f'<tfoot>{tail}</tfoot>' if tail else ''}</table></div>\n"
    )


def _heading(cell: Cell) -> str:
    return f'<th scope="col"{_kind(cell)}>{safe(cell.text)}</th>'


def _row(cells: Sequence[Cell]) -> str:
    return f"<tr>{''.join(map(_cell, cells))}</tr>\n"


def _cell(cell: Cell) -> str:
    if cell.text == NOT_KNOWN:
        return f'<td{_kind(cell)}><span class="none">{NOT_KNOWN}</span></td>'
    key = swatch(cell.swatch) if cell.swatch else ""
    small = f"<small><bdi>{safe(cell.small)}</bdi></small>" if cell.small else ""
    text = safe(cell.text) if cell.is_number else f"<bdi>{safe(cell.text)}</bdi>"
    return f"<td{_kind(cell)}>{key}{text}{small}</td>"


def _kind(cell: Cell) -> str:
    return ' class="n"' if cell.is_number else ""
