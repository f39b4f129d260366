"""What a time came to at a glance, in tiles; and above them, what of it may still change or is not known."""

from collections.abc import Iterator
from dataclasses import dataclass

from wattledger.exporter.landing_text import kwh, percent, significant
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.pricing.model import NOTHING, Boundary
from wattledger.rules.report.choices import Origin
from wattledger.rules.report.groups import Sum
from wattledger.rules.report.model import Group, Report
from wattledger.rules.state import IDLE_STATES
from wattledger.rules.tokens.model import TokenKind

from .charts.axis import TimeAxis
from .markup import safe
from .words import (
    AT,
    NOT_KNOWN,
    cost,
    energy_text,
    joules_per_token,
    mass,
    model_name,
    thousand_text,
    warning,
    with_grid,
)

_MOST_MODELS = 3


@dataclass(frozen=True, slots=True)
class Fact:
    """A number with its unit, what it is of, and what else there is to say."""

    value: str
    label: str
    notes: tuple[str, ...] = ()


def tiles(report: Report) -> str:
    """Give the tiles. A tile with two facts is as wide as two."""
    found = [
        (_energy(report),),
        (_idle(report),),
        *_prices(report),
        *_supply(report),
        *_worst(report),
        *_tokens(report),
    ]
    return f'<ul class="tiles">\n{"".join(map(_tile, found))}</ul>\n'


def _tile(facts: tuple[Fact, ...]) -> str:
    parts = "".join(
        f'<div><span class="label">{safe(fact.label)}</span><b>{_value(fact.value)}</b>'
        f"{''.join(f'<small>{safe(note)}</small>' for note in fact.notes)}</div>"
        for fact in facts
    )
    return f'<li class="{"two" if len(facts) > 1 else "one"}">{parts}</li>\n'


def _value(text: str) -> str:
    """Give a number large and its unit small; what is in brackets behind it is small too."""
    if text == NOT_KNOWN:
        return f'<span class="none">{NOT_KNOWN}</span>'
    value, _, unit = text.partition(" ")
    amount, bracket, rest = unit.partition(" (")
    behind = f" <small>{safe(f'({rest}')}</small>" if bracket else ""
    return f"{safe(value)}<i> {safe(amount)}</i>{behind}"


def _energy(report: Report) -> Fact:
    whole = report.boundaries.get(report.boundary)
    gpus = f"{kwh(report.total.energy_mj)} kWh"
    if whole is None or report.boundary is Boundary.GPU:
        return Fact(gpus, f"Energy {AT[Boundary.GPU]}")
    return Fact(energy_text(whole, report), f"Energy {AT[report.boundary]}", (f"{gpus} {AT[Boundary.GPU]}",))


def _idle(report: Report) -> Fact:
    total = report.total
    share = percent(total.idle_mj, total.energy_mj) or NOT_KNOWN
    return Fact(
        share,
        "Idle part of GPU energy",
        (f"{kwh(total.idle_mj)} kWh held, allocated or parked", f"{kwh(total.avoidable_mj)} kWh of it avoidable"),
    )


def _prices(report: Report) -> Iterator[tuple[Fact, ...]]:
    whole = report.boundaries.get(report.boundary)
    if whole is None:
        yield (Fact(NOT_KNOWN, "CO2", ("no hour has a price or a carbon intensity",)),)
        return
    where = AT[report.boundary]
    share = report.priced_share
    location, market = (mass(whole, accounting, share=share) for accounting in Accounting)
    yield (
        Fact(location, "CO2, location-based", (f"{where}, by the grid of the place",)),
        Fact(market, "CO2, market-based", (f"{where}, by contracts and certificates",)),
    )
    if report.currency:
        idle = sum((came_to for state, came_to in report.states.items() if state in IDLE_STATES), Sum())
        idle_cost = cost(idle.priced, report.currency, share=idle.priced_share)
        yield (
            Fact(cost(whole, report.currency, share=share), "Cost of energy", (where,)),
            Fact(idle_cost, "Cost of idle GPUs", (f"{where}, held, allocated or parked",)),
        )


def _supply(report: Report) -> Iterator[tuple[Fact, ...]]:
    supply = report.supply
    if supply is None:
        return
    certificates = percent(supply.green_certificates_mj, supply.load_mj) if supply.green_certificates_mj else ""
    yield (
        Fact(
            _share(supply.green_share), "Green share", (f"{certificates} by certificates alone",) * bool(certificates)
        ),
        Fact(
            _share(supply.matched_share),
            "Hourly matched, 24/7",
            (
                f"{supply.unmatched_hours} of {supply.hours} hour{'s' * (supply.hours != 1)} fell short",
                *([f"with the grid's carbon-free share {with_grid(supply)}"] if supply.with_grid is not None else ()),
            ),
        ),
    )


def _share(share: float | None) -> str:
    return NOT_KNOWN if share is None else f"{100 * share:.1f} %"


def _worst(report: Report) -> Iterator[tuple[Fact, ...]]:
    worst = report.worst
    if worst is None:
        return
    # That of the report has the idle rows alone.
    whole = [group.sum for group in report.owners if (group.name, group.detail) == (worst.name, worst.detail)]
    yield (
        Fact(f"{kwh(worst.sum.idle_mj)} kWh", "Worst owner, held or given and unused", (_named(worst),)),
        Fact(
            percent(worst.sum.idle_mj, sum(one.energy_mj for one in whole)) or NOT_KNOWN,
            "Idle part of its energy",
            (f"{percent(worst.sum.idle_mj, report.total.idle_mj)} of all idle energy",),
        ),
    )


def _named(group: Group) -> str:
    return f"{group.name} ({group.detail})"


def _tokens(report: Report) -> Iterator[tuple[Fact, ...]]:
    shown = [model for model in report.models if model.of(TokenKind.OUTPUT)][:_MOST_MODELS]
    for model in shown:
        joules, each = joules_per_token(model), thousand_text(model, model.of(TokenKind.OUTPUT))
        yield (
            Fact(
                NOT_KNOWN if joules is None else f"{significant(joules)} J", "An output token", (model_name(model),)
            ),
            Fact(
                each if each == NOT_KNOWN else f"{each} g",
                "1,000 output tokens, location-based",
                (f"{model.of(TokenKind.OUTPUT) or 0:,} tokens",),
            ),
        )


def banners(report: Report, axis: TimeAxis) -> str:
    """Give what a reader must know before the numbers: what is open, not known, or not recorded."""
    found = []
    if report.simulated:
        found.append(("Not real", warning(report)))
    if report.open_mj and report.origin is Origin.LEDGER:
        open_words = "of GPUs are of hours that are still open: their grams and money may change."
        found.append(("Provisional", f"{kwh(report.open_mj)} kWh {open_words}"))
    if report.unpriced_mj:
        found.append(("Not priced", f"{kwh(report.unpriced_mj)} kWh of GPUs have no grams and no money yet."))
    unknown = list(_unknown(report))
    if unknown:
        found.append(("Not all is known", f"{'; '.join(unknown)}."))
    silent = axis.hours - sum(1 for point in report.hours if point.states)
    if silent > 0:
        found.append(("No record", f"For {silent} of {axis.hours} hours no energy of any GPU is recorded."))
    return "".join(f'<p class="banner"><b>{title}.</b> {safe(text)}</p>\n' for title, text in found)


def _unknown(report: Report) -> Iterator[str]:
    """Give which grams and which money are not of all of the energy."""
    whole = report.boundaries.get(report.boundary, NOTHING)
    told = [
        ("CO2 location-based", whole.location_covered_mj),
        ("CO2 market-based", whole.market_covered_mj),
    ]
    if report.currency:
        told.append(("cost", whole.priced_mj))
    for name, covered_mj in told:
        missing_mj = whole.energy_mj - covered_mj
        if not covered_mj:
            yield f"{name} is not known at all"
        elif missing_mj > 0:
            yield f"{name} is not known of {kwh(missing_mj)} of {kwh(whole.energy_mj)} kWh"
