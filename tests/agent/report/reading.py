"""Reports as the command makes them, without the command line."""

from datetime import UTC, tzinfo
from pathlib import Path

from tests.agent.report.ledger_day import HOURS, START_NS
from wattledger.agent.report.from_ledger import LedgerSource
from wattledger.agent.report.period import clock_text
from wattledger.agent.report.source import RowSource
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import Boundary
from wattledger.rules.report.boundaries import BoundaryTally
from wattledger.rules.report.build import Builder
from wattledger.rules.report.choices import GroupBy
from wattledger.rules.report.model import Report

END_NS = START_NS + HOURS * NS_PER_HOUR


def read(
    folder: Path,
    by: GroupBy = GroupBy.OWNER,
    *,
    boundary: Boundary | None = None,
    span: tuple[int, int] = (START_NS, END_NS),
    zone: tzinfo = UTC,
) -> Report:
    """Give the report of the ledger in *folder*, of the day of `LedgerDay` unless told otherwise."""
    return read_source(LedgerSource(folder, "node7", *span), span, by, boundary=boundary, zone=zone)


def read_source(
    source: RowSource,
    span: tuple[int, int],
    by: GroupBy = GroupBy.OWNER,
    *,
    boundary: Boundary | None = None,
    zone: tzinfo = UTC,
) -> Report:
    """Give the report of a source, which is closed afterwards."""
    known = BoundaryTally()
    for rows in source.outline():
        known.add(rows)
    builder = Builder(*span, by=by, clock_text=clock_text(zone), boundary=boundary or known.widest)
    for rows in source.pieces():
        builder.add(rows)
    source.close()
    return builder.report()
