"""Dashboard Carbon: grams by both accounts, who covered the load, what it cost, and how good the feeds are."""

from . import units, variables
from .colours import ACCOUNTINGS, FEED_STATES
from .panels import WHOLE_WIDTH, Column, Look, lines, number, stack, table, tile, timeline
from .queries import HOST, KWH, RATE, Query, added, coded, kwh, now, rate
from .sheet import Row, Sheet
from .supply import FEED_NAME, SUPPLY, supply_row

_GRAMS = "wattledger_emissions_grams_total"
_UP_TO = f'{HOST},boundary="$boundary"'
_PAID = f'{_UP_TO},currency="$currency"'
_FEED = "instance, feed, level, zone, provider"
_IN_USE = {"waits": "#8e8e8e", "counts": "green"}


def sheet() -> Sheet:
    """Give the dashboard."""
    return Sheet(
        name="carbon",
        title="Carbon",
        text="CO2 by both accounts of the GHG Protocol side by side, who covered the load hour by hour, what it "
        "cost, and whether the feeds behind it are fresh. What has no value is shown as uncovered and is in no gram.",
        variables=(
            variables.datasource(),
            variables.job(),
            variables.instances(),
            variables.boundary(),
            variables.currency(),
        ),
        alerts=HOST,
        rows=(_summary(), _grams(), supply_row(), _money(), _feeds(), _house()),
        past="now-24h",
    )


def _summary() -> Row:
    load = added(SUPPLY, HOST)
    grid, certificates = added(SUPPLY, f'{HOST},layer="grid"'), f'{HOST},layer=~"grid|certificates"'
    return Row(
        "Summary",
        (
            number(
                tile(
                    "CO2, location",
                    "By the mix of the grid, in the shown time.",
                    units.GRAMS,
                    colours=ACCOUNTINGS,
                ),
                now(added(_GRAMS, f'{_UP_TO},accounting="location"', by="accounting"), "{{accounting}}"),
            ),
            number(
                tile(
                    "CO2, market",
                    "By contracts and certificates, and a residual mix for the rest, in the shown time.",
                    units.GRAMS,
                    colours=ACCOUNTINGS,
                ),
                now(added(_GRAMS, f'{_UP_TO},accounting="market"', by="accounting"), "{{accounting}}"),
            ),
            number(
                tile(
                    "Green share",
                    "Of the load that any layer but the grid covered, in the shown time. The report leaves out power "
                    "that is not renewable, or whose certificates were sold.",
                    units.RATIO,
                ),
                now(f"1 - {grid} / ({load} > 0)"),
            ),
            number(
                tile(
                    "without certificates",
                    "The same without certificates that came with no power.",
                    units.RATIO,
                ),
                now(f"1 - {added(SUPPLY, certificates)} / ({load} > 0)"),
            ),
            number(
                tile(
                    "Hourly matched",
                    "The 24/7 score: load that carbon-free supply of the same hour covered, in the shown time.",
                    units.RATIO,
                ),
                now(f"{added('wattledger_hourly_matched_energy_joules_total', HOST)} / ({load} > 0)"),
            ),
            number(
                tile("Cost, $currency", "In the shown time, up to the chosen boundary.", units.MONEY),
                now(added("wattledger_cost_total", _PAID, by="currency"), "{{currency}}"),
            ),
        ),
    )


def _grams() -> Row:
    hourly = f"sum by (accounting) (rate({_GRAMS}{{{_UP_TO}}}{RATE})) * 3600"
    zones = f"sum by (accounting, zone) (rate({_GRAMS}{{{_UP_TO}}}{RATE})) * 3600"
    return Row(
        "CO2",
        (
            lines(
                Look(
                    "CO2 an hour by both accounts",
                    "Up to the chosen boundary. A correction that lowers an open hour is shown as a standstill.",
                    units.GRAMS_PER_HOUR,
                    colours=ACCOUNTINGS,
                ),
                Query(hourly, "{{accounting}}"),
            ),
            lines(
                Look(
                    "Intensity by feed",
                    "What each feed gives for now; only the one that counts is in the account. Those of marginal are "
                    "for advice, in no account.",
                    units.GRAMS_PER_KWH,
                ),
                Query(
                    f"wattledger_carbon_intensity_grams_per_kwh{{{HOST}}}",
                    f"{FEED_NAME} ({{{{factors}}}}, {{{{kind}}}})",
                ),
            ),
            lines(
                Look(
                    "CO2 an hour by zone", "The zone is that of the feed whose value counted.", units.GRAMS_PER_HOUR
                ),
                Query(zones, "{{accounting}} {{zone}}"),
            ),
            lines(
                Look(
                    "Energy without an intensity",
                    "In no gram. open: of hours that are still open, at the widest boundary; lost: of hours that "
                    "closed without a value, in each shown step up to the chosen boundary.",
                    units.KILOWATT_HOURS,
                ),
                Query(
                    f"sum by (accounting) (wattledger_emissions_open_uncovered_energy_joules{{{HOST}}}) / {KWH:.0f}",
                    "open, {{accounting}}",
                ),
                Query(
                    "sum by (accounting) "
                    f"(increase(wattledger_emissions_uncovered_energy_joules_total{{{_UP_TO}}}{RATE})) / {KWH:.0f}",
                    "lost, {{accounting}}",
                ),
            ),
        ),
    )


def _money() -> Row:
    return Row(
        "Money",
        (
            lines(
                Look(
                    "Price of a kWh, $currency",
                    "What a kWh costs now; the legend names the period of the tariff.",
                    units.MONEY,
                ),
                Query(
                    f'max by (instance, currency, period) (wattledger_price_per_kwh{{{HOST},currency="$currency"}})',
                    "{{instance}} {{period}} {{currency}}",
                ),
            ),
            lines(
                Look("Cost an hour, $currency", "Up to the chosen boundary.", units.MONEY),
                Query(f"sum by (currency) (rate(wattledger_cost_total{{{_PAID}}}{RATE})) * 3600", "{{currency}}"),
            ),
            number(
                Look(
                    "Paid by negative prices, $currency",
                    "In the shown time; it is not taken off the cost. Empty where no price was below 0.",
                    units.MONEY,
                    height=5,
                ),
                now(added("wattledger_cost_credit_total", _PAID, by="currency"), "{{currency}}"),
            ),
            number(
                Look(
                    "Energy without a price",
                    "Of hours that closed without one, in the shown time: it is in no cost.",
                    units.KILOWATT_HOURS,
                    height=5,
                    steps=((0.001, "orange"),),
                ),
                now(kwh("wattledger_cost_uncovered_energy_joules_total", _PAID)),
            ),
        ),
    )


def _feeds() -> Row:
    def of_feed(metric: str) -> str:
        return f"max by ({_FEED}) ({metric}{{{HOST}}})"

    state = coded("wattledger_feed_state_info", "state", HOST, values=tuple(FEED_STATES), by=_FEED)
    return Row(
        "Feeds",
        (
            table(
                Look(
                    "Feeds",
                    "level 0 is asked first; the first of a list that has a value counts. Age is since the end of "
                    "its newest value that is no forecast; below 0 where that is yet to come.",
                    units.SECONDS,
                    width=WHOLE_WIDTH,
                ),
                Column("Counts", units.COUNT, of_feed("wattledger_feed_in_use")),
                Column(
                    "Age",
                    units.SECONDS,
                    of_feed("wattledger_feed_age_seconds"),
                    steps=((7200, "orange"), (86400, "red")),
                ),
                Column("Last attempt went well", units.COUNT, of_feed("wattledger_feed_success")),
            ),
            timeline(
                Look("Which feed counts", "A list whose level 0 waits is on its fallback.", units.COUNT),
                Query(of_feed("wattledger_feed_in_use"), FEED_NAME),
                _IN_USE,
                first=0,
            ),
            timeline(
                Look(
                    "State of feeds",
                    "fresh: as new as can be expected; late: overdue, and still held on to; stale: too old for that.",
                    units.COUNT,
                ),
                Query(state, FEED_NAME),
                FEED_STATES,
            ),
            lines(
                Look("Attempts that gave nothing", "By reason, in each shown step.", units.COUNT),
                Query(
                    f"sum by ({_FEED}, reason) (increase(wattledger_feed_failures_total{{{HOST}}}{RATE}))",
                    f"{FEED_NAME} {{{{reason}}}}",
                ),
            ),
            number(
                Look(
                    "Corrections that came too late",
                    "Values that came anew in the shown time for hours that had closed, and changed nothing.",
                    units.COUNT,
                ),
                now(added("wattledger_feed_corrections_total", HOST)),
            ),
        ),
    )


def _house() -> Row:
    return Row(
        "From the node to the meter of the house",
        (
            stack(
                Look(
                    "Losses by stage",
                    "What was lost between the node and the meter of the house, by PUE (overhead) or by the power "
                    "chain.",
                    units.WATTS,
                ),
                Query(rate("wattledger_facility_loss_joules_total", HOST, by="stage"), "{{stage}}"),
            ),
            lines(
                Look("PUE", "The one that counts now, configured or from a feed.", units.COUNT),
                Query(f"wattledger_pue_ratio{{{HOST}}}", "{{instance}}"),
            ),
        ),
    )
