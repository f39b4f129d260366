"""A report as plain values for programs: joules, grams and money as numbers, what is not known as None."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from wattledger.exporter.catalog.units import joules, seconds, watts
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import Priced, grams, money
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.groups import ModelSum, Sum
from wattledger.rules.report.model import DemandSum, FactorSum, Group, Report, SupplySum
from wattledger.rules.tokens.model import TokenKind

from .words import headline, joules_per_token, methods, per_thousand

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]


def report_values(report: Report) -> dict[str, Value]:
    """Give the whole report, keys and units spelled out. Times are ISO 8601 in UTC."""
    return {
        "from": _time(report.start_wall_ns),
        "to": _time(report.end_wall_ns),
        "origin": report.origin.value,
        "simulated_hosts": list(report.simulated),
        "hosts": report.hosts,
        "gpus": report.gpus,
        "currency": report.currency or None,
        "boundary": report.boundary.value,
        "total": sum_values(report.total),
        "states": {state.value: sum_values(came_to) for state, came_to in report.states.items()},
        "boundaries": {boundary.value: priced_values(priced) for boundary, priced in report.boundaries.items()},
        "by": report.by.value,
        "groups": [_group(group) for group in report.groups],
        "models": [model_values(model) for model in report.models],
        "worst_owner": None if report.worst is None else _group(report.worst),
        "supply": None if report.supply is None else _supply(report.supply),
        "factors": [_factor(factor) for factor in report.factors],
        "demand": None if report.demand is None else _demand(report.demand, report.currency),
        "open_joules": joules(report.open_mj),
        "unpriced_joules": joules(report.unpriced_mj),
        "headline": list(headline(report)),
        "methods": list(methods(report)),
        "hours": [
            {
                "hour": _time(point.hour * 3_600 * NS_PER_SECOND),
                "joules": {state.value: joules(energy_mj) for state, energy_mj in point.states.items()},
                "supply_joules": {layer.value: joules(energy_mj) for layer, energy_mj in point.layers.items()},
                **priced_values(point.priced),
            }
            for point in report.hours
        ],
    }


def _group(group: Group) -> dict[str, Value]:
    return {"name": group.name, "detail": group.detail, "gpus": group.gpus, **sum_values(group.sum)}


def sum_values(came_to: Sum) -> dict[str, Value]:
    """Give what a group came to."""
    idle = came_to.idle_priced
    return {
        "joules": joules(came_to.energy_mj),
        "idle_joules": joules(came_to.idle_mj),
        "avoidable_joules": joules(came_to.avoidable_mj),
        "seconds": seconds(came_to.duration_ns),
        "idle_seconds": seconds(came_to.idle_ns),
        "idle_location_grams": grams(idle.location) if idle.location_covered_mj else None,
        "idle_market_grams": grams(idle.market) if idle.market_covered_mj else None,
        "idle_cost": money(idle.cost - idle.credit) if idle.priced_mj else None,
        "unpriced_joules": joules(came_to.unpriced_mj),
        **priced_values(came_to.priced),
    }


def priced_values(priced: Priced) -> dict[str, Value]:
    """Give grams and money, the energy that they are of, and how much of it a value was known for."""
    return {
        "priced_energy_joules": joules(priced.energy_mj),
        "location_grams": grams(priced.location) if priced.location_covered_mj else None,
        "location_covered_joules": joules(priced.location_covered_mj),
        "market_grams": grams(priced.market) if priced.market_covered_mj else None,
        "market_covered_joules": joules(priced.market_covered_mj),
        "cost": money(priced.cost - priced.credit) if priced.priced_mj else None,
        "cost_covered_joules": joules(priced.priced_mj),
    }


def model_values(model: ModelSum) -> dict[str, Value]:
    """Give what a service and model came to; tokens of a kind that was not told are left out."""
    return {
        "service": model.service,
        "model": model.model or None,
        "joules": joules(model.total_mj),
        "active_joules": joules(model.active_mj),
        "tokens": {kind.value: number for kind, number in model.tokens},
        "joules_per_output_token": joules_per_token(model),
        "location_grams_per_1000_output_tokens": per_thousand(model, TokenKind.OUTPUT),
        "unpriced_joules": joules(model.unpriced_mj),
        **priced_values(model.priced),
    }


def _supply(supply: SupplySum) -> dict[str, Value]:
    return {
        "load_joules": joules(supply.load_mj),
        "layer_joules": {layer.value: joules(energy_mj) for layer, energy_mj in supply.layers.items()},
        "green_share": supply.green_share,
        "green_share_without_certificates": _share_of_hours(supply),
        "hourly_matched": supply.matched_share,
        "hourly_matched_with_grid": None if supply.with_grid is None else supply.with_grid.ratio,
        "hourly_matched_with_grid_covered_joules": (
            None if supply.with_grid is None else joules(supply.with_grid.covered_mj)
        ),
        "hours": supply.hours,
        "unmatched_hours": supply.unmatched_hours,
    }


def _factor(factor: FactorSum) -> dict[str, Value]:
    caliber = factor.caliber
    return {
        "accounting": factor.accounting.value,
        "zone": factor.zone,
        "provider": factor.provider,
        "signal": caliber.signal.value,
        "factors": caliber.factors.value,
        "gas": caliber.gas.value,
        "basis": caliber.basis.value,
        "kind": factor.kind.value,
        "level": factor.level,
        "source": factor.source or None,
        "joules": joules(factor.energy_mj),
        "grams": grams(factor.product),
    }


def _share_of_hours(supply: SupplySum) -> float | None:
    if supply.green_mj is None or not supply.load_mj:
        return None
    return (supply.green_mj - supply.green_certificates_mj) / supply.load_mj


def _demand(came_to: DemandSum, currency: str) -> dict[str, Value]:
    return {
        "price_per_kw_month": came_to.demand.value_per_kw / 1_000_000,
        "window_seconds": seconds(came_to.demand.window_ns),
        "currency": currency or None,
        "months": [
            {
                "month": f"{month.charge.year}-{month.charge.month:02}",
                "at_least": came_to.demand.window_ns < NS_PER_HOUR or month.hours < month.all_hours,
                "charge": month.charge.charge / 1_000_000,
                "peak_watts": watts(month.charge.peak_mw),
                "peak_at": _time(month.charge.peak.start_wall_ns),
                "hours": month.hours,
                "hours_of_month": month.all_hours,
            }
            for month in came_to.months
        ],
    }


def _time(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def table_columns(report: Report) -> tuple[str, ...]:
    """Give the keys that every row of the table has, also of a table without rows."""
    none = (
        _model_row(ModelSum("", "")) if report.by is GroupBy.MODEL else _group_row(Group("", "", Sum(), 0), report.by)
    )
    return (*none, *_common(report))


def table_values(report: Report) -> Iterator[Mapping[str, Value]]:
    """Give the rows of the table, all with the same keys: one a group, or one a service and model."""
    common = _common(report)
    if report.by is GroupBy.MODEL:
        for model in report.models:
            yield {**_model_row(model), **common}
    for group in report.groups:
        yield {**_group_row(group, report.by), **common}


def _model_row(model: ModelSum) -> dict[str, Value]:
    values = model_values(model)
    del values["tokens"]
    return values | {f"{kind.value}_tokens": model.of(kind) for kind in TokenKind}


def _group_row(group: Group, by: GroupBy) -> dict[str, Value]:
    values = _group(group)
    return {by.value: values.pop("name"), **values}


def _common(report: Report) -> dict[str, Value]:
    return {
        "boundary": report.boundary.value,
        "currency": report.currency or None,
        "from": _time(report.start_wall_ns),
        "to": _time(report.end_wall_ns),
        "simulated": bool(report.simulated),
    }
