"""`wattledger chain`: what is lost between the boards and the meter of the house, and what another way would lose."""

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from wattledger.agent.clock import SystemClock
from wattledger.agent.config.facility_schema import Facility, facility_mistakes
from wattledger.agent.host_energy.build import power_path
from wattledger.agent.host_energy.catalogue import Catalogue, load_catalogue
from wattledger.agent.ledger import LedgerError, open_read_only
from wattledger.agent.report.from_ledger import is_made_up, ledger_folder
from wattledger.rules.chain.chain import Chain, FacilityEnergy, PowerPath, Stage, facility_energy
from wattledger.rules.chain.curve import PPM, Curve
from wattledger.rules.chain.node_model import MeteredAt
from wattledger.rules.chain.setup import Setup
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

from .settings import load_or_explain

CONFIGURED = "configured"
DEFAULT_DAYS = 7
_HOURS_A_YEAR = 8_760
_DAY_NS = 24 * NS_PER_HOUR
_MOST_KILOWATTS = 10_000_000
_MW_PER_KW = 1_000_000
_NUMBER = re.compile(r"([0-9]{1,8})(?:\.([0-9]{1,6}))?")
_NAMES = {
    Stage.PSU: "power supplies",
    Stage.PDU: "distribution",
    Stage.UPS: "UPS, rectifiers",
    Stage.COOLING: "cooling",
    Stage.OVERHEAD: "all of the PUE",
}


class ChainError(Exception):
    """The command cannot do what is asked; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Load:
    """A power in milliwatts behind the power supplies, and in words where it comes from."""

    power_mw: int
    origin: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class _Column:
    """One way of supply under the load."""

    name: str
    path: PowerPath
    energy: FacilityEnergy  # of an hour
    setup: Setup | None = None


def chain(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the table; give the exit code."""
    loaded = load_or_explain(options, environment)
    if loaded is None:
        return 1
    now_wall_ns = SystemClock().now().wall_ns
    folder = ledger_folder(loaded.config.state_dir, loaded.config.source.kind)
    return chain_command(options, loaded.config.facility, folder, now_wall_ns=now_wall_ns)


def chain_command(
    options: argparse.Namespace,
    facility: Facility,
    state_dir: Path,
    *,
    now_wall_ns: int,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Print what is asked for *facility*, with the load of the ledger in *state_dir* if none is given."""
    out, err = sys.stdout if out is None else out, sys.stderr if err is None else err
    catalogue = load_catalogue()
    if options.list:
        out.writelines(_listing(catalogue))
        return 0
    wrong = [f"facility.{key}: {message}" for key, message in facility_mistakes(facility)]
    if wrong:
        err.writelines(f"{line}\n" for line in wrong)
        return 1
    try:
        load = _load(options, state_dir, now_wall_ns)
        configured = power_path(facility)
        names = options.compare or [options.setup or CONFIGURED]
        columns = [_column(name, load, catalogue, configured) for name in names]
    except ChainError as error:
        err.write(f"{error}\n")
        return 1
    out.writelines(_report(load, columns))
    return 0


def mean_load(state_dir: Path, *, now_wall_ns: int, days: int) -> Load:
    """Give the mean power of the GPUs over the last *days* of the ledger. Raises ChainError."""
    cure = "or give the load: --load-kw N"
    try:
        ledger = open_read_only(state_dir)
        try:
            rows = ledger.history(now_wall_ns - days * _DAY_NS, now_wall_ns)
            names = ledger.device_names()
        finally:
            ledger.close()
    except LedgerError as error:
        raise ChainError(f"{error}; {cure}") from None
    energy_mj: dict[str, int] = {}
    duration_ns: dict[str, int] = {}
    for row in rows:
        energy_mj[row.uuid] = energy_mj.get(row.uuid, 0) + row.energy_mj
        duration_ns[row.uuid] = duration_ns.get(row.uuid, 0) + row.duration_ns
    # Each over its own time: boards come and go.
    powers = [
        energy_mj[uuid] * NS_PER_SECOND // length_ns for uuid, length_ns in duration_ns.items() if length_ns > 0
    ]
    of_days = f"the last {days} days" if days > 1 else "the last day"
    if not sum(powers):
        raise ChainError(f"{state_dir}: the ledger has no energy of {of_days}; name more with --days, {cure}")
    gpus = f"{len(powers)} GPU{'s' * (len(powers) != 1)}"
    return Load(
        sum(powers),
        f"mean of {gpus} over {of_days} of the ledger; the rest of the node is not in it",
        is_made_up(state_dir, names.values()),
    )


def _load(options: argparse.Namespace, state_dir: Path, now_wall_ns: int) -> Load:
    if options.load_kw is None:
        return mean_load(state_dir, now_wall_ns=now_wall_ns, days=options.days)
    match = _NUMBER.fullmatch(options.load_kw)
    power_mw = int(match[1] + (match[2] or "").ljust(6, "0")) if match else 0
    if not 0 < power_mw <= _MOST_KILOWATTS * _MW_PER_KW:
        raise ChainError(f"--load-kw {options.load_kw}: is no power; write kilowatts above 0, such as 5.6")
    return Load(power_mw, "as given")


def _column(name: str, load: Load, catalogue: Catalogue, configured: PowerPath | None) -> _Column:
    hour_mj = load.power_mw * NS_PER_HOUR // NS_PER_SECOND
    setup = None
    if name == CONFIGURED:
        if configured is None:
            raise ChainError(
                "no power chain and no constant PUE is configured below facility; name a set-up: "
                f"--setup {next(iter(catalogue.setups))}, or see --list"
            )
        path = configured
    elif name in catalogue.setups:
        setup = catalogue.setups[name]
        cooling = configured.cooling if isinstance(configured, Chain) else None
        path = setup.chain(load.power_mw, cooling=cooling)
    else:
        known = ", ".join((CONFIGURED, *catalogue.setups))
        raise ChainError(f"{name}: is no set-up that is known; the names are {known}")
    return _Column(name, path, facility_energy(path, hour_mj, NS_PER_HOUR, at=MeteredAt.SUPPLY_OUTPUT), setup)


def _report(load: Load, columns: Sequence[_Column]) -> Iterator[str]:
    if load.simulated:
        yield "SIMULATED: the load is that of a simulated host. No GPU of this machine is measured.\n"
    yield f"Load {_kilowatts(load.power_mw)} behind the power supplies ({load.origin}).\n"
    yield f"A year is {_HOURS_A_YEAR} hours at this load. Loads of stages are shares of their ratings.\n\n"
    yield from _table(_rows(columns))
    yield "\n"
    for column in columns:
        yield from _notes(column)
    if any(column.energy.without_psu for column in columns):
        yield "Where no power supplies are listed, their loss is not known: give the load at their inputs.\n"


def _rows(columns: Sequence[_Column]) -> Iterator[list[str]]:
    header = ["stage"]
    for column in columns:
        header += [column.name, "kW", "kWh a year"]
    if len(columns) > 1:
        header.append("difference, kWh a year")
    yield header
    yield _row("load", columns, [column.energy.load_mj for column in columns], [""] * len(columns))
    for stage in Stage:
        found = [_loss_of(column.energy, stage) for column in columns]
        if any(loss is not None for loss in found):
            loads = ["" if loss is None or loss[1] is None else _percent(loss[1]) for loss in found]
            yield _row(_NAMES[stage], columns, [None if loss is None else loss[0] for loss in found], loads)
    totals = [column.energy.total_mj for column in columns]
    yield _row("from the grid", columns, totals, [""] * len(columns))
    # Of the load, not of the node's input: it says how much more than the boards take is paid for.
    ratios: list[str] = []
    for column in columns:
        ratio = column.energy.total_mj * 10_000 // max(1, column.energy.load_mj)
        ratios += ["", f"{ratio // 10_000}.{ratio % 10_000:04d}", ""]
    yield ["from the grid, over load", *ratios, *([""] if len(columns) > 1 else [])]


def _row(name: str, columns: Sequence[_Column], hour_mj: Sequence[int | None], loads: Sequence[str]) -> list[str]:
    row = [name]
    for energy_mj, load in zip(hour_mj, loads, strict=True):
        if energy_mj is None:
            row += ["", "-", "-"]
        else:
            row += [load, _kilowatts(energy_mj * NS_PER_SECOND // NS_PER_HOUR, unit=""), _yearly(energy_mj)]
    if len(columns) > 1:
        row.append(_yearly((hour_mj[-1] or 0) - (hour_mj[0] or 0), signed=True))
    return row


def _loss_of(energy: FacilityEnergy, stage: Stage) -> tuple[int, int | None] | None:
    found = [loss for loss in energy.losses if loss.stage is stage]
    return (found[0].energy_mj, found[0].load_ppm) if found else None


def _notes(column: _Column) -> Iterator[str]:
    """Say where the numbers come from, and what of them is assumed."""
    title = "the configuration's facility" if column.setup is None else column.setup.title
    yield f"{column.name}: {title}\n"
    if column.setup is not None:
        yield f"  loads{_assumed(column.setup.assumed)}: {column.setup.source}\n"
    if not isinstance(column.path, Chain):
        yield "  a PUE holds all losses behind the inputs of the nodes, not told apart\n"
        return
    for name, curve in _curves(column.path):
        yield f"  {name}: {curve.name}{_assumed(curve.assumed)}{': ' + curve.source if curve.source else ''}\n"
    over = [loss.stage for loss in column.energy.losses if (loss.load_ppm or 0) > PPM]
    for stage in over:
        yield f"  {_NAMES[stage]}: loaded beyond the rating, where the efficiency is taken to be that at full load\n"
    if column.path.cooling is None:
        yield "  cooling is not in it\n"


def _curves(path: Chain) -> Iterator[tuple[str, Curve]]:
    if path.psu is not None:
        yield _NAMES[Stage.PSU], path.psu.curve
    if path.ups is not None:
        yield _NAMES[Stage.UPS], path.ups.curve


def _listing(catalogue: Catalogue) -> Iterator[str]:
    yield "set-ups, for --setup and --compare:\n"
    for setup in catalogue.setups.values():
        yield f"  {setup.name:<28} {setup.title}{_assumed(setup.assumed)}\n"
    for kind, key in (("psu", "facility.chain.psu.curve"), ("ups", "facility.chain.ups.mode")):
        yield f"curves, for {key}:\n"
        source = ""
        for curve in (catalogue.curve(name) for name in catalogue.curve_names(kind)):
            if curve.source != source:
                source = curve.source
                yield f"  {source}{_assumed(curve.assumed)}:\n"
            points = ", ".join(f"{_percent(p.load_ppm)}: {_percent(p.efficiency_ppm)}" for p in curve.points)
            yield f"    {curve.name:<29}  {points}\n"


def _table(rows: Iterator[list[str]]) -> Iterator[str]:
    lines = list(rows)
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells).rstrip() + "\n"


def _assumed(assumed: bool) -> str:
    return " (ASSUMED)" if assumed else ""


def _kilowatts(power_mw: int, *, unit: str = " kW") -> str:
    watts = (power_mw + 500) // 1_000
    return f"{watts // 1_000:,}.{watts % 1_000:03d}{unit}"


def _yearly(hour_mj: int, *, signed: bool = False) -> str:
    kilowatt_hours = round(hour_mj * _HOURS_A_YEAR / 3_600_000_000)
    return f"{kilowatt_hours:+,}" if signed else f"{kilowatt_hours:,}"


def _percent(ppm: int) -> str:
    permille = (ppm + 500) // 1_000
    return f"{permille // 10}%" if permille % 10 == 0 else f"{permille // 10}.{permille % 10}%"
