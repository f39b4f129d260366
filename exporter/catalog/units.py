"""The conversions from the integer units inside to the base units of the page; nothing else divides by a unit."""

from wattledger.rules.instant import NS_PER_SECOND

MW_PER_WATT = 1_000
MJ_PER_JOULE = 1_000
MJ_PER_KWH = 3_600_000 * MJ_PER_JOULE


def watts(power_mw: float) -> float:
    """Give watts from milliwatts."""
    return power_mw / MW_PER_WATT


def joules(energy_mj: int) -> float:
    """Give joules from whole millijoules: the float64 nearest to the exact quotient."""
    return energy_mj / MJ_PER_JOULE


def kilowatt_hours(energy_mj: int) -> float:
    """Give kilowatt-hours from whole millijoules, for people; pages for machines carry joules."""
    return energy_mj / MJ_PER_KWH


def seconds(duration_ns: int) -> float:
    """Give seconds from whole nanoseconds; for a wall clock in nanoseconds, the Unix time."""
    return duration_ns / NS_PER_SECOND
