"""`wattledger report`: what a stretch of time came to, from the ledger of this host or the Prometheus of a fleet."""

import argparse
import shutil
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wattledger.agent.clock import SystemClock
from wattledger.agent.config import Config
from wattledger.agent.report.from_ledger import LedgerSource, ledger_folder
from wattledger.agent.report.period import boot_wall_ns, clock_text, moment
from wattledger.agent.report.source import ReportError, RowSource
from wattledger.agent.report.words import methods
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND
from wattledger.rules.pricing.model import Boundary
from wattledger.rules.report.boundaries import BoundaryTally
from wattledger.rules.report.build import Builder
from wattledger.rules.report.choices import Format
from wattledger.rules.report.demand import demand_of
from wattledger.rules.report.model import Report

from .report_flags import FLEET_FLAGS
from .settings import load_or_explain

_WIDE = 200  # columns where there is no terminal


@dataclass(frozen=True, slots=True)
class Period:
    """The stretch of time, and on which clock it is told."""

    start_wall_ns: int
    end_wall_ns: int
    now_wall_ns: int
    zone: tzinfo
    title: str


def report(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the report; give the exit code: 1 with the reason where there is none."""
    options.log_level = "error"  # what a configuration leaves in doubt, `check` says
    loaded = load_or_explain(options, environment)
    if loaded is None:
        return 1
    try:
        period = _period(options, loaded.config)
        with closing(_source(options, loaded.config, period, environment)) as source:
            made = _made(source, period, options)
        made = _with_demand(made, loaded.config)
        is_for_people = options.format is Format.TABLE
        _write(_written(made, period, options), options.output, is_for_people=is_for_people)
    except (ValueError, ReportError) as error:
        print(f"wattledger report: {error}", file=sys.stderr)
        return 1
    if options.format is Format.CSV:  # which has no place for words
        for sentence in methods(made):
            print(f"# {sentence}", file=sys.stderr)
    return 0


def _period(options: argparse.Namespace, config: Config) -> Period:
    zone = _zone(options.timezone or (config.tariff.timezone if config.tariff is not None else None) or "UTC")
    now_wall_ns = SystemClock().now().wall_ns
    booted = _booted()
    start = moment(options.since, now_wall_ns=now_wall_ns, zone=zone, boot_wall_ns=booted)
    end = moment(options.until, now_wall_ns=now_wall_ns, zone=zone, boot_wall_ns=booted, is_end=True)
    if end <= start:
        if start >= now_wall_ns:  # times to come count as now, so the two are equal
            raise ValueError(f"--since {options.since} is still to come; write a time that has been")
        raise ValueError(f"--until {options.until} is not after --since {options.since}; exchange or correct one")
    title = options.since if options.until == "now" else f"{options.since} to {options.until}"
    return Period(start, end, now_wall_ns, zone, title)


def _booted() -> int | None:
    try:
        return boot_wall_ns(Path("/proc/stat").read_text(encoding="ascii", errors="replace"))
    except OSError:
        return None


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"--timezone {name} is not known; write one such as Asia/Shanghai or UTC") from None


def _source(options: argparse.Namespace, config: Config, period: Period, environment: Mapping[str, str]) -> RowSource:
    if options.prometheus is not None:
        from wattledger.agent.report.from_prometheus import PrometheusSource  # noqa: PLC0415  (only where asked for)
        from wattledger.agent.report.prometheus_api import PrometheusPlace  # noqa: PLC0415

        place = PrometheusPlace(
            options.prometheus,
            options.bearer_token_file,
            options.ca_file,
            options.match,
            username=options.username,
            password_file=options.password_file,
            headers=tuple(options.header),
        )
        return PrometheusSource(place, period.start_wall_ns, period.end_wall_ns, environment=environment)
    for flag in FLEET_FLAGS:
        if getattr(options, flag.removeprefix("--").replace("-", "_")):
            raise ReportError(f"{flag} is of a fleet; add --prometheus, or leave {flag} out")
    folder = ledger_folder(config.state_dir, config.source.kind)
    return LedgerSource(
        folder, environment.get("NODE_NAME") or socket.gethostname(), period.start_wall_ns, period.end_wall_ns
    )


def _made(source: RowSource, period: Period, options: argparse.Namespace) -> Report:
    known = BoundaryTally()
    for rows in source.outline():
        known.add(rows)
    builder = Builder(
        period.start_wall_ns,
        period.end_wall_ns,
        by=options.by,
        clock_text=clock_text(period.zone),
        boundary=_boundary(options.boundary, known),
    )
    for rows in source.pieces():
        builder.add(rows)
    made = builder.report()
    if not made.gpus:
        raise ReportError(f"no energy from {options.since} to {options.until}: {source.what_there_is()}")
    return replace(made, notes=(*made.notes, *_unfinished(period)))


def _boundary(wanted: str | None, known: BoundaryTally) -> Boundary:
    if wanted is None:
        return known.widest
    boundary = Boundary(wanted)
    if boundary is not Boundary.GPU and boundary not in known.complete:
        raise ValueError(
            f"--boundary {wanted}: it is known for {known.known[boundary]:,} of {known.hours:,} hours of hosts; "
            f"write --boundary {known.widest}, or choose a time in which it is known"
        )
    return boundary


def _unfinished(period: Period) -> list[str]:
    if period.end_wall_ns <= period.now_wall_ns:
        return []
    now, hour = (
        datetime.fromtimestamp(wall_ns // NS_PER_SECOND, UTC).astimezone(period.zone).strftime("%H:%M")
        for wall_ns in (period.now_wall_ns, period.now_wall_ns // NS_PER_HOUR * NS_PER_HOUR)
    )
    return [f"The hour from {hour} is not over: its numbers are those of {now}."]


def _with_demand(made: Report, config: Config) -> Report:
    """Give the report with the demand charge, where the tariff has one in the currency of the report."""
    if config.tariff is None or config.tariff.demand is None or made.currency != config.tariff.currency:
        return made
    from wattledger.agent.tariff import make_tariff  # noqa: PLC0415  (only where there is one)

    tariff = make_tariff(config.tariff)
    if tariff.demand is None:
        return made
    return replace(made, demand=demand_of(made, tariff.demand, tariff.offset_at))


def _write(text: str, output: Path | None, *, is_for_people: bool) -> None:
    if output is None:
        # Programs read UTF-8; a terminal that cannot show a character gets a mark for it.
        encoding = (sys.stdout.encoding if is_for_people else None) or "utf-8"
        sys.stdout.buffer.write(text.encode(encoding, "replace"))
        sys.stdout.flush()
        return
    try:
        output.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ReportError(f"--output {output} cannot be written ({error.strerror}); give another place") from None


def _written(made: Report, period: Period, options: argparse.Namespace) -> str:
    match options.format:
        case Format.CSV:
            from wattledger.agent.report.csv_out import csv_report  # noqa: PLC0415  (only the one that is asked for)

            return csv_report(made)
        case Format.JSON:
            from wattledger.agent.report.json_out import json_report  # noqa: PLC0415

            return json_report(made)
        case Format.HTML:
            from wattledger.agent.report.html import html_report  # noqa: PLC0415

            return html_report(made, zone=period.zone, title=period.title, now_wall_ns=period.now_wall_ns)
        case _:
            from wattledger.agent.report.text import text_report  # noqa: PLC0415

            is_shown = options.output is None and sys.stdout.isatty()
            width = shutil.get_terminal_size().columns if is_shown else _WIDE
            return text_report(made, zone=period.zone, title=period.title, width=width, limit=options.limit)
