"""The sizing of a plan as JSON for programs: numbers with every digit, null where something lacks."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal

import msgspec

from wattledger.rules.policy_lines import Judgement
from wattledger.rules.sizing import HOURS_A_YEAR, Sizing

from .size_table import Given

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def size_json(given: Given, sizing: Sizing, judgements: Sequence[Judgement]) -> str:
    """Give the whole text. Names end in the unit; shares are of one."""
    plan = given.plan
    told = {
        "given": {
            "gpus": plan.gpus,
            "pue": plan.pue,
            "utilisation": plan.utilisation,
            "grid_factor_g_per_kwh": plan.grid_g_per_kwh,
            "grid_factor_source": given.grid.citation if given.grid else "",
            "residual_factor_g_per_kwh": plan.residual_g_per_kwh,
            "residual_factor_source": given.residual.citation if given.residual else "",
            "green_share": plan.green_share,
            "price_per_kwh": plan.price_per_kwh,
            "currency": given.currency,
            "lifetime_years": plan.years,
            "hours_a_year": HOURS_A_YEAR,
        },
        "power": {
            "it_rated_mw": sizing.it_mw,
            "it_mean_mw": sizing.it_mean_mw,
            "facility_rated_mw": sizing.facility_mw,
            "facility_mean_mw": sizing.facility_mean_mw,
            "gpu_rated_w": sizing.gpu_w,
        },
        "year": asdict(sizing.year),
        "lifetime": None if plan.years is None else asdict(sizing.lifetime),
        "policy": [
            {
                "quantity": judgement.line.quantity,
                "bound": judgement.line.bound,
                "figure": judgement.line.figure,
                "value": judgement.value,
                "verdict": judgement.verdict,
                "margin": judgement.margin,
                "scope": judgement.line.scope,
                "source": judgement.line.source,
                "year": judgement.line.year,
            }
            for judgement in judgements
        ],
    }
    return msgspec.json.format(_ENCODER.encode(_plain(told)), indent=2).decode() + "\n"


def _plain(value: object) -> object:
    """Give *value* without the zeros at the end of its decimals."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)
    return value
