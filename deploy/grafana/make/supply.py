"""Row Supply of dashboard Carbon: who covered the load hour by hour, and the green share and 24/7 scores of that."""

from . import units
from .colours import LAYERS
from .panels import WHOLE_WIDTH, Look, Panel, bars, lines, number, stack
from .queries import HOST, RATE, Query, added, kwh, now, rate
from .sheet import Row

SUPPLY = "wattledger_supply_energy_joules_total"
FEED_NAME = "{{feed}} {{level}}: {{provider}} {{zone}}"
_WITH_GRID = "wattledger_hourly_matched_with_grid_energy_joules_total"
_WITH_GRID_LOAD = "wattledger_hourly_matched_with_grid_load_joules_total"


def supply_row() -> Row:
    """Give the row."""
    load = f"sum(rate({SUPPLY}{{{HOST}}}{RATE}))"
    matched = f"sum(rate(wattledger_hourly_matched_energy_joules_total{{{HOST}}}{RATE}))"
    return Row(
        "Supply",
        (
            stack(
                Look(
                    "Load by who covered it",
                    "Hour by hour in the order onsite, storage, direct line, contracts, certificates; the grid has "
                    "the rest. The areas add up to the load at the widest boundary.",
                    units.WATTS,
                    height=9,
                    colours=LAYERS,
                ),
                Query(rate(SUPPLY, HOST, by="layer"), "{{layer}}", step="15m"),
            ),
            lines(
                Look(
                    "Green share and hourly matched",
                    "Over the load of each shown step of an hour or more.",
                    units.RATIO,
                    height=9,
                ),
                Query(
                    f'1 - sum(rate({SUPPLY}{{{HOST},layer="grid"}}{RATE})) / ({load} > 0)', "green share", step="1h"
                ),
                Query(f"{matched} / ({load} > 0)", "hourly matched", step="1h"),
                Query(
                    f"sum(rate({_WITH_GRID}{{{HOST}}}{RATE})) / (sum(rate({_WITH_GRID_LOAD}{{{HOST}}}{RATE})) > 0)",
                    "hourly matched with the grid",
                    step="1h",
                ),
                top=1,
            ),
            *_with_grid(),
            bars(
                Look(
                    "Energy by who covered it",
                    "In the shown time.",
                    units.KILOWATT_HOURS,
                    width=WHOLE_WIDTH,
                    height=7,
                    colours=LAYERS,
                ),
                now(kwh(SUPPLY, HOST, by="layer"), "{{layer}}"),
            ),
        ),
    )


def _with_grid() -> tuple[Panel, ...]:
    return (
        number(
            Look(
                "Hourly matched with the grid",
                "The 24/7 score with the carbon-free share of the grid for what came from the grid, in the shown "
                "time: of hours alone whose share is known. Empty without carbon.carbon_free.",
                units.RATIO,
                width=6,
                height=7,
            ),
            now(f"{added(_WITH_GRID, HOST)} / ({added(_WITH_GRID_LOAD, HOST)} > 0)"),
        ),
        number(
            Look(
                "Load of that score",
                "Part of all load in the shown time that the score with the grid is of; hours whose share is not "
                "known are in no part of it.",
                units.RATIO,
                width=6,
                height=7,
            ),
            now(f"{added(_WITH_GRID_LOAD, HOST)} / ({added(SUPPLY, HOST)} > 0)"),
        ),
        lines(
            Look(
                "Carbon-free share of the grid by feed",
                "What each feed gives for now; the first that has a value counts.",
                units.RATIO,
                height=7,
            ),
            Query(f"wattledger_grid_carbon_free_ratio{{{HOST}}}", f"{FEED_NAME} ({{{{kind}}}})"),
            top=1,
        ),
    )
