"""The sizing of a plan as a table for people: each number with the formula that it comes from."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from wattledger.rules.policy_lines import Judgement, Quantity, Verdict
from wattledger.rules.sizing import HOURS_A_YEAR, Energy, Plan, Sizing

from .size_regions import RegionFactor

_SHOWN_DECIMALS = 3
_SHOWN_DIGITS = 3  # of a number below one
_DIGITS = Context(prec=100, rounding=ROUND_HALF_EVEN)
_YEAR = f"{HOURS_A_YEAR:,} h"
_VERDICTS = {
    Verdict.PASS: "passes",
    Verdict.FAIL: "fails",
    Verdict.REACHED: "better",  # it is no limit, so that nothing passes or fails it
    Verdict.MISSED: "worse",
}
_LOCATION, _MARKET = "emissions, by location", "emissions, by market"


@dataclass(frozen=True, slots=True)
class Given:
    """A plan and where its numbers come from. `by_gpus`: the power is that of a GPU times the GPUs."""

    plan: Plan
    by_gpus: bool
    currency: str = ""
    grid: RegionFactor | None = None
    residual: RegionFactor | None = None


@dataclass(frozen=True, slots=True)
class _Term:
    """A part of a formula. Its text is None where the flags that give it were left out."""

    text: str | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    value: str
    unit: str
    formula: str


def size_table(given: Given, sizing: Sizing, judgements: Sequence[Judgement]) -> str:
    """Give the whole text."""
    terms = _Terms(given, sizing)
    sections = [
        ("given", list(_given(given, sizing))),
        ("power", list(_power(given, sizing, terms))),
        (f"a year of {_YEAR}", list(_energy(given, sizing.year, terms, _YEAR))),
    ]
    if given.plan.years is not None:
        years = _as_given(given.plan.years)
        title = "1 year" if given.plan.years == 1 else f"{years} years"
        sections.append((title, list(_energy(given, sizing.lifetime, terms, f"{years} x {_YEAR}"))))
    return "".join((*_lines(sections), "\npolicy of China\n", *_policy_lines(judgements)))


def shown(number: Decimal) -> str:
    """Give a number with at most three decimals, or three digits where it is below one, and its thousands apart."""
    decimals = _SHOWN_DECIMALS
    if number and number.adjusted() < 0:
        decimals = _SHOWN_DIGITS - 1 - number.adjusted()
    text = f"{number.quantize(Decimal(1).scaleb(-decimals), context=_DIGITS):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _as_given(number: Decimal) -> str:
    """Give a number with all its digits."""
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _percent(share: Decimal) -> str:
    return f"{_as_given(share.scaleb(2))} %"


def _gpus(count: int) -> str:
    return f"{count:,} GPU{'' if count == 1 else 's'}"


class _Terms:
    """The parts that formulas are made of."""

    def __init__(self, given: Given, sizing: Sizing) -> None:
        plan = given.plan
        residual, grid = plan.residual_g_per_kwh, plan.grid_g_per_kwh
        self.it_mw = _Term(f"{shown(sizing.it_mw)} MW")
        self.utilisation = _term(plan.utilisation, _percent, "--utilisation")
        self.pue = _term(plan.pue, lambda pue: f"PUE {_as_given(pue)}", "--pue")
        self.green = _term(plan.green_share, _percent, "--green-share")
        self.grid = _term(grid, lambda grams: f"{_as_given(grams)} g/kWh", "--grid-factor")
        self.residual = self.grid if residual is None else _Term(f"{_as_given(residual)} g/kWh")
        self.price = _term(plan.price_per_kwh, lambda price: f"{_as_given(price)} {given.currency}/kWh", "--price")

    def energy(self, gwh: Decimal | None) -> _Term:
        """Give energy, which is there where its factors are."""
        lacking = (flag for term in (self.utilisation, self.pue) if term.text is None for flag in term.flags)
        return _term(gwh, lambda energy: f"{shown(energy)} GWh", *lacking)


def _term(value: Decimal | None, text: Callable[[Decimal], str], *flags: str) -> _Term:
    return _Term(None, flags) if value is None else _Term(text(value))


def _row(name: str, value: Decimal | None, unit: str, *terms: _Term) -> _Row:
    """Make a row of a product; where factors lack it says which flags give them."""
    if value is None:
        lacking = dict.fromkeys(flag for term in terms for flag in term.flags)
        return _Row(name, "-", unit, f"add {', '.join(lacking)}")
    return _Row(name, shown(value), unit, " x ".join(term.text or "" for term in terms))


def _given(given: Given, sizing: Sizing) -> Iterator[_Row]:
    plan = given.plan
    if plan.gpus is not None:
        yield _Row("GPUs", f"{plan.gpus:,}", "", "")
    if given.by_gpus and sizing.gpu_w is not None:
        yield _Row("power of a GPU", _as_given(sizing.gpu_w), "W", "rated, with its part of the server")
    else:
        yield _Row("power of all servers", _as_given(sizing.it_mw), "MW", "rated")
    if plan.utilisation is not None:
        yield _Row("utilisation", _as_given(plan.utilisation.scaleb(2)), "%", "mean share of the rated power")
    if plan.pue is not None:
        yield _Row("PUE", _as_given(plan.pue), "", "")
    for name, factor in (("grid factor", given.grid), ("residual factor", given.residual)):
        if factor is not None:
            of = f"{factor.of}: {factor.citation}" if factor.of else ""
            yield _Row(name, _as_given(factor.g_per_kwh), "g/kWh", of)
    if plan.green_share is not None:
        yield _Row("green share", _as_given(plan.green_share.scaleb(2)), "%", "of the energy at the meter")
    if plan.price_per_kwh is not None:
        yield _Row("price", _as_given(plan.price_per_kwh), f"{given.currency}/kWh", "at the meter")


def _power(given: Given, sizing: Sizing, terms: _Terms) -> Iterator[_Row]:
    gpus, gpu_w = given.plan.gpus, sizing.gpu_w
    if gpus is not None and gpu_w is not None:
        if given.by_gpus:
            yield _Row("servers, rated", shown(sizing.it_mw), "MW", f"{_gpus(gpus)} x {_as_given(gpu_w)} W")
        else:
            yield _Row("a GPU, rated", shown(gpu_w), "W", f"{terms.it_mw.text} / {_gpus(gpus)}, at the server")
    yield _row("servers, mean", sizing.it_mean_mw, "MW", terms.it_mw, terms.utilisation)
    yield _row("facility, rated", sizing.facility_mw, "MW", terms.it_mw, terms.pue)
    yield _row("facility, mean", sizing.facility_mean_mw, "MW", terms.it_mw, terms.utilisation, terms.pue)


def _energy(given: Given, energy: Energy, terms: _Terms, hours: str) -> Iterator[_Row]:
    all_gwh, it_gwh = energy.facility_gwh, energy.it_gwh
    at_meter = terms.energy(all_gwh)
    yield _row("servers", it_gwh, "GWh", terms.it_mw, terms.utilisation, _Term(hours))
    yield _row("facility", all_gwh, "GWh", terms.energy(it_gwh), terms.pue)
    if energy.overhead_gwh is not None and it_gwh is not None:
        formula = f"{at_meter.text} - {shown(it_gwh)} GWh"
        yield _Row("  of it cooling and supply", shown(energy.overhead_gwh), "GWh", formula)
    if energy.gpu_kwh is not None and given.plan.gpus is not None:
        yield _Row("  of it a GPU", shown(energy.gpu_kwh), "kWh", f"{at_meter.text} / {_gpus(given.plan.gpus)}")
    if energy.green_gwh is not None:
        yield _row("  of it green", energy.green_gwh, "GWh", at_meter, terms.green)
    residual = given.residual or given.grid
    yield _row(_LOCATION, energy.location_tonnes, _tonnes(given.grid), at_meter, terms.grid)
    yield _row(_MARKET, energy.market_tonnes, _tonnes(residual), *_rest(energy, terms, at_meter), terms.residual)
    yield _row("cost", energy.cost, given.currency, at_meter, terms.price)


def _tonnes(factor: RegionFactor | None) -> str:
    return f"t {factor.gas}" if factor is not None and factor.gas else "t"


def _rest(energy: Energy, terms: _Terms, at_meter: _Term) -> tuple[_Term, ...]:
    """Give what is not green."""
    if energy.facility_gwh is None or energy.green_gwh is None:
        return at_meter, terms.green
    return (_Term(f"({at_meter.text} - {shown(energy.green_gwh)} GWh)"),)


def _lines(sections: Sequence[tuple[str, Sequence[_Row]]]) -> Iterator[str]:
    """Give the sections, with their columns under one another."""
    every = [row for _, rows in sections for row in rows]
    name, value, unit = _widths(every)
    for place, (title, rows) in enumerate(sections):
        yield f"{title}\n" if place == 0 else f"\n{title}\n"
        for row in rows:
            cells = f"{row.name.ljust(name)}  {row.value.rjust(value)}  {row.unit.ljust(unit)}  {row.formula}"
            yield f"  {cells.rstrip()}\n"


def _policy_lines(judgements: Sequence[Judgement]) -> Iterator[str]:
    """Give the policy, and its sources under it."""
    sources = list(dict.fromkeys(judgement.line.source for judgement in judgements))
    rows = [_policy(judgement, sources.index(judgement.line.source) + 1) for judgement in judgements]
    name, value, _ = _widths(rows)
    for row in rows:
        yield f"  {row.name.ljust(name)}  {row.value.ljust(value)}  {row.formula}\n"
    yield from (f"  [{number}] {source}\n" for number, source in enumerate(sources, 1))


def _widths(rows: Sequence[_Row]) -> tuple[int, int, int]:
    return (
        max(len(row.name) for row in rows),
        max(len(row.value) for row in rows),
        max(len(row.unit) for row in rows),
    )


def _policy(judgement: Judgement, source: int) -> _Row:
    line, margin = judgement.line, judgement.margin
    is_pue = line.quantity is Quantity.PUE
    figure = str(line.figure) if is_pue else _percent(line.figure)
    name = f"{'PUE' if is_pue else 'green share'} {line.bound} {figure}"
    if margin is None:
        told = f"not judged: add {'--pue' if is_pue else '--green-share'}"
    else:
        told = _told(judgement, shown(abs(margin)) if is_pue else f"{shown(abs(margin).scaleb(2))} points")
    return _Row(name, told, "", f"{line.scope} [{source}]")


def _told(judgement: Judgement, distance: str) -> str:
    """Say where a plan stands."""
    if not judgement.margin:
        is_met = judgement.verdict is not Verdict.FAIL
        return "equal" if is_met else f"fails: equal, must be {judgement.line.bound} it"
    return f"{_VERDICTS[judgement.verdict]} by {distance}"
