"""Pages of a host on which everything that a dashboard warns of has happened, a little more with each page."""

from collections.abc import Iterator
from dataclasses import replace

from tests.exporter import snapshots
from wattledger.exporter.delivery import ReceiverKind, ReceiverStats
from wattledger.exporter.feeds import FeedHealth
from wattledger.exporter.prices import PricesView
from wattledger.exporter.snapshot import ConfigHealth, DeviceView, LedgerHealth, Snapshot, SourceHealth
from wattledger.exporter.usage import UsageView
from wattledger.rules.account import XidCount
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.feeds.model import Accounting, Caliber, Measure, Series
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.pricing.model import Boundary, PriceTotal, TotalKind
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import SourceKind

PAGES = 16
STEP_S = 120


def pages(end_s: int) -> Iterator[tuple[int, Snapshot]]:
    """Give the pages of the half hour that ends at *end_s*, each with its moment."""
    for number in range(PAGES):
        moment_s = end_s - (PAGES - 1 - number) * STEP_S
        yield moment_s, _page(number, moment_s * NS_PER_SECOND)


def _page(number: int, wall_ns: int) -> Snapshot:
    board = snapshots.view(0, state_since_wall_ns=wall_ns)
    lost = snapshots.lost(snapshots.view(1))
    made = snapshots.busy(_worn(board, number), lost)
    at = Instant(5_000 * NS_PER_SECOND + number * STEP_S * NS_PER_SECOND, wall_ns)
    services = tuple(
        replace(
            one,
            totals=tuple(
                replace(
                    total,
                    tokens={kind: count + 1_000 * number for kind, count in total.tokens.items()},
                    phases={phase: energy + 10_000_000 * number for phase, energy in total.phases.items()},
                    preemptions=total.preemptions + number,
                    total_mj=total.total_mj + 10_000_000 * number,
                )
                for total in one.totals
            ),
        )
        for one in made.services
    )
    usage = replace(made.usage, views=tuple(_used(view, number) for view in made.usage.views))
    return replace(
        made,
        usage=usage,
        at=at,
        sample_at=at,
        services=services,
        source=SourceHealth(
            SourceKind.NVML,
            success=False,
            reason=Gap.TIMEOUT,
            detail="no answer",
            restarts=number,
            abandoned=1,
            ticks_missed=number,
        ),
        ledger=LedgerHealth(
            writable=False, detail="no space left", commit_failures=number, last_commit_wall_ns=wall_ns
        ),
        config=ConfigHealth(success=False, loaded_wall_ns=wall_ns),
        rules=replace(made.rules, receivers=(_receiver(number),)),
        feeds=(_feed(number),),
        prices=_prices(number),
    )


def _used(view: UsageView, number: int) -> UsageView:
    totals = (replace(total, energy_mj=total.energy_mj + 10_000_000 * number) for total in view.totals)
    return replace(view, totals=tuple(totals))


def _worn(board: DeviceView, number: int) -> DeviceView:
    account = board.account
    counters = {
        quantity: replace(counter, total=counter.total + number * NS_PER_SECOND)
        for quantity, counter in account.counters.items()
    }
    worn = replace(
        account,
        xids={79: XidCount(1 + number, account.xids[79].last_wall_ns)},
        counters=counters,
        unknown_ns=account.unknown_ns + number * NS_PER_SECOND,
    )
    return snapshots.reading(replace(board, account=worn), gaps={Quantity.FAN_SPEED_RATIO: Gap.UNSUPPORTED})


def _feed(number: int) -> FeedHealth:
    series = Series(Measure.INTENSITY, "entsoe", "FR", Caliber())
    return FeedHealth(
        "location",
        0,
        "entsoe",
        "FR",
        series,
        FeedState.STALE,
        age_ns=90_000 * NS_PER_SECOND,
        trouble="unauthorized",
        errors={"unauthorized": number},
    )


def _prices(number: int) -> PricesView:
    uncovered = 3_600_000_000 * number
    facility = Boundary.FACILITY
    totals = [
        PriceTotal(TotalKind.UNCOVERED, (accounting, facility), closed=uncovered, shown=uncovered)
        for accounting in Accounting
    ]
    totals += [
        PriceTotal(kind, ("EUR", facility), closed=uncovered * factor, shown=uncovered * factor)
        for kind, factor in ((TotalKind.UNPRICED, 1), (TotalKind.CREDIT, 40_000))
    ]
    return PricesView(
        totals=tuple(totals),
        currency="EUR",
        open_uncovered_mj=dict.fromkeys(Accounting, 3_600_000_000),
        corrections=number,
    )


def _receiver(number: int) -> ReceiverStats:
    return ReceiverStats(
        ReceiverKind.WEBHOOK, "https://hooks.example.org/gpu", 3, number, number, 2, 10_000, None, "refused"
    )
