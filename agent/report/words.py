"""The sentences of a report: what it came to, by which method, and what is not known. All formats say the same."""

from collections.abc import Iterator

from wattledger.exporter.landing_text import kwh, percent, significant
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.pricing.model import Boundary, Priced, grams, money
from wattledger.rules.report.groups import ModelSum
from wattledger.rules.report.model import Report, SupplySum
from wattledger.rules.tokens.model import TokenKind

from .method_words import method_sentences

NOT_KNOWN = "not known"
AT = {
    Boundary.GPU: "of GPUs",
    Boundary.NODE: "of whole hosts",
    Boundary.FACILITY: "at the meter",
}
_MOST_MODELS = 3
# With less of the energy covered a sum of grams or money is not that of the whole, and says so.
_WHOLE = 0.9995


def warning(report: Report) -> str:
    """Give what must stand above everything else; empty where the boards are real."""
    if not report.simulated:
        return ""
    if len(report.simulated) >= report.hosts:
        return "SIMULATED: these numbers come from a simulated host. No GPU of this machine is measured."
    names = ", ".join(report.simulated[:5]) + (", ..." if len(report.simulated) > 5 else "")
    return f"SIMULATED IN PART: the GPUs of {len(report.simulated)} of {report.hosts} hosts are made up: {names}."


def headline(report: Report) -> list[str]:
    """Give what the time came to, a sentence each; what is not known is said."""
    said = [warning(report)] if report.simulated else []
    said.append(_energy(report))
    whole = report.boundaries.get(report.boundary)
    if whole is not None:
        share = report.priced_share
        by_method = [f"{mass(whole, one, share=share)} {one}-based" for one in Accounting]
        said.append(", ".join(by_method))
        if report.currency:
            said.append(f"cost {cost(whole, report.currency, share=share)}")
    if report.supply is not None:
        said.append(
            f"green share {_share(report.supply.green_share)}, hourly matched {_share(report.supply.matched_share)}"
        )
        if report.supply.with_grid is not None:
            said.append(f"hourly matched with the grid's carbon-free share {with_grid(report.supply)}")
    said += list(_tokens(report))
    if report.worst is not None:
        worst = report.worst
        said.append(
            f"worst owner: {worst.name} ({worst.detail}), {kwh(worst.sum.idle_mj)} kWh held or given and unused"
        )
    return said


def _energy(report: Report) -> str:
    idle = percent(report.total.idle_mj, report.total.energy_mj) or NOT_KNOWN
    of_gpus = f"{kwh(report.total.energy_mj)} kWh of GPUs"
    whole = report.boundaries.get(report.boundary)
    if whole is None or report.boundary is Boundary.GPU:
        return f"{of_gpus}, {idle} of it idle"
    return f"{energy_text(whole, report)} {AT[report.boundary]}; {of_gpus}, {idle} of it idle"


def energy_text(priced: Priced, report: Report) -> str:
    """Give the energy at a boundary, with how much of that of the boards it is of where that is not all of it."""
    return f"{kwh(priced.energy_mj)} kWh{_partly(1, 1, share=report.priced_share)}"


def _tokens(report: Report) -> Iterator[str]:
    """Tell of the models with the most energy, each with grams and joules by output token, as far as known."""
    shown = [model for model in report.models if model.of(TokenKind.OUTPUT)][:_MOST_MODELS]
    for model in shown:
        told = []
        each = thousand_text(model, model.of(TokenKind.OUTPUT))
        if each != NOT_KNOWN:
            told.append(f"{each} g per 1,000 output tokens")
        joules = joules_per_token(model)
        if joules is not None:
            told.append(f"{significant(joules)} J a token" if told else f"{significant(joules)} J per output token")
        if told:
            yield f"{', '.join(told)}: {model_name(model)}"


def model_name(model: ModelSum) -> str:
    """Give the name of a model for people, with its service where that is called otherwise."""
    if not model.model or model.model == model.service:
        return model.service
    return f"{model.model} ({model.service})"


def mass(priced: Priced, accounting: Accounting, *, share: float = 1.0) -> str:
    """Give grams or kilograms, with how much of the energy they are of where that is not all of it.

    *share* is the part of the energy that *priced* is of.
    """
    product, covered_mj = _product(priced, accounting)
    if not covered_mj:
        return NOT_KNOWN
    return _mass(product) + _partly(covered_mj, priced.energy_mj, share=share)


def short_mass(priced: Priced, accounting: Accounting, *, share: float = 1.0) -> str:
    """Give grams or kilograms, marked with `~` where they are not of all of the energy."""
    product, covered_mj = _product(priced, accounting)
    if not covered_mj:
        return NOT_KNOWN
    return _mark(covered_mj, priced.energy_mj, share) + _mass(product)


def _product(priced: Priced, accounting: Accounting) -> tuple[int, int]:
    if accounting is Accounting.LOCATION:
        return priced.location, priced.location_covered_mj
    return priced.market, priced.market_covered_mj


def _mass(product: int) -> str:
    value = grams(product)
    return f"{significant(value / 1000)} kg" if value >= 1000 else f"{significant(value)} g"


def cost(priced: Priced, currency: str, *, share: float = 1.0) -> str:
    """Give an amount of money, what negative prices paid taken off."""
    if not priced.priced_mj:
        return NOT_KNOWN
    return f"{amount(priced)} {currency}" + _partly(priced.priced_mj, priced.energy_mj, share=share)


def short_cost(priced: Priced, *, share: float = 1.0) -> str:
    """Give an amount without its currency, marked with `~` where it is not of all of the energy."""
    return _mark(priced.priced_mj, priced.energy_mj, share) + amount(priced) if priced.priced_mj else NOT_KNOWN


def amount(priced: Priced) -> str:
    """Give the number of an amount of money; with thousands and more no part of the unit."""
    value = money(priced.cost - priced.credit)
    return f"{'-' if value < 0 else ''}{significant(abs(value))}"


def _partly(covered_mj: int, energy_mj: int, words: str = "energy", *, share: float = 1.0) -> str:
    known = _known(covered_mj, energy_mj, share)
    return "" if known >= _WHOLE else f" (of {_share(known)} of the {words}; the rest is {NOT_KNOWN})"


def _mark(covered_mj: int, energy_mj: int, share: float) -> str:
    return "" if _known(covered_mj, energy_mj, share) >= _WHOLE else "~"


def _known(covered_mj: int, energy_mj: int, share: float) -> float:
    return share * covered_mj / energy_mj if energy_mj else share


def _share(share: float | None) -> str:
    return NOT_KNOWN if share is None else f"{100 * share:.1f} %"


def with_grid(supply: SupplySum) -> str:
    """Give the 24/7 score with the grid, with how much of the load it is of where that is not all."""
    score = supply.with_grid
    if score is None or score.ratio is None:
        return NOT_KNOWN
    return _share(score.ratio) + _partly(score.covered_mj, supply.load_mj, "load")


def per_thousand(model: ModelSum, kind: TokenKind) -> float | None:
    """Give location-based grams per 1,000 tokens of a kind; None where either is not known."""
    tokens = model.of(kind)
    if not tokens or not model.priced.location_covered_mj:
        return None
    return 1000 * grams(model.priced.location) / tokens


def thousand_text(model: ModelSum, count: int | None) -> str:
    """Give location-based grams per 1,000 of *count* tokens, marked as `short_mass` has it."""
    priced = model.priced
    if not count or not priced.location_covered_mj:
        return NOT_KNOWN
    mark = _mark(priced.location_covered_mj, priced.energy_mj, model.priced_share)
    return mark + significant(1000 * grams(priced.location) / count)


def joules_per_token(model: ModelSum) -> float | None:
    """Give joules of the boards per output token, idle time included; None where either is not known."""
    output = model.of(TokenKind.OUTPUT)
    return model.total_mj / 1000 / output if output and model.total_mj else None


def methods(report: Report) -> list[str]:
    """Give what the numbers rest on, and what they leave out, a sentence each."""
    return [*method_sentences(report), *report.notes]
