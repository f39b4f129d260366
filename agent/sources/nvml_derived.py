"""Quantities that are computed from values read for the purpose; it makes no call."""

from typing import Final

from wattledger.rules.quantity import Gap, Quantity

from .nvml_fields import Gaps, Values
from .nvml_quantities import Aux

# Ada and newer tell limits as distances from the hottest point the GPU may work at.
LIMIT_DISTANCES: Final = {
    Quantity.TEMPERATURE_LIMIT_SHUTDOWN_CELSIUS: Aux.TLIMIT_SHUTDOWN,
    Quantity.TEMPERATURE_LIMIT_SLOWDOWN_CELSIUS: Aux.TLIMIT_SLOWDOWN,
    Quantity.TEMPERATURE_LIMIT_MEMORY_CELSIUS: Aux.TLIMIT_MEMORY,
    Quantity.TEMPERATURE_LIMIT_GPU_CELSIUS: Aux.TLIMIT_GPU,
}


def put_power_floor(values: Values, gaps: Gaps) -> None:
    """Put the power-smoothing floor that is in force, mW, in place of the two fields it comes from; 0 is off."""
    enabled = values.pop(Aux.SMOOTHING_ENABLED, None)
    floor_mw = values.pop(Aux.SMOOTHING_FLOOR_MW, None)
    reasons = gaps.pop(Aux.SMOOTHING_ENABLED, None), gaps.pop(Aux.SMOOTHING_FLOOR_MW, None)
    if enabled == 0:
        values[Quantity.POWER_FLOOR_MW] = 0
    elif enabled is not None and floor_mw is not None:
        values[Quantity.POWER_FLOOR_MW] = floor_mw
    else:
        gaps[Quantity.POWER_FLOOR_MW] = reasons[0] or reasons[1] or Gap.UNSUPPORTED


def put_temperature_limits(values: Values, gaps: Gaps, *, known: Values, temperature: float | None) -> None:
    """Put limits that are told only as distances as temperatures, degrees Celsius; *known* keeps them.

    limit = temperature + margin - distance: the margin is how far the GPU is below its slowdown point now
    (nvmlDeviceGetMarginTemperature), the distance how far a limit is from that point (fields 193 to 196, Ada and
    newer). They are computed once, since the rounding of the three would make a fixed limit flicker.
    """
    margin = values.pop(Aux.MARGIN, None)
    gaps.pop(Aux.MARGIN, None)
    for limit, aux in LIMIT_DISTANCES.items():
        distance = values.pop(aux, None)
        gaps.pop(aux, None)
        if limit in values:
            continue
        if distance is not None and margin is not None and temperature is not None:
            known.setdefault(limit, round(temperature) + margin - distance)
        if limit in known:
            values[limit] = known[limit]
            gaps.pop(limit, None)
