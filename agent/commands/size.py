"""`wattledger size`: what a planned cluster draws, uses, emits and costs in a year, by what is given."""

import argparse
import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TextIO

from wattledger.rules.policy_lines import judge
from wattledger.rules.sizing import Plan, size

from .size_json import size_json
from .size_regions import NoRegionError, RegionFactor, factor_of
from .size_table import Given, size_table

_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?", re.ASCII)
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_W_PER_MW = 1_000_000

Read = Callable[[str], Decimal]
"""Gives the number of a text. Raises ValueError with what is wrong and the cure."""


def size_command(options: argparse.Namespace, *, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Print the sizing; give the exit code: 2 when something cannot be used, every such thing told on *err*."""
    out, err = sys.stdout if out is None else out, sys.stderr if err is None else err
    reader = _Reader()
    given = reader.given(options)
    if reader.wrong:
        err.writelines(f"{line}\n" for line in reader.wrong)
        return 2
    sizing, judgements = size(given.plan), tuple(judge(given.plan.pue, given.plan.green_share))
    if options.json and isinstance(out, io.TextIOWrapper):
        out.reconfigure(encoding="utf-8")  # programs read UTF-8, whatever a terminal shows
    out.write(size_json(given, sizing, judgements) if options.json else size_table(given, sizing, judgements))
    return 0


@dataclass(slots=True)
class _Reader:
    """Reads the values of the flags and notes what is wrong with them."""

    wrong: list[str] = field(default_factory=list)

    def given(self, options: argparse.Namespace) -> Given:
        """Give what is given; what cannot be used counts as left out."""
        self._check_pairs(options)
        gpus = self._value("--gpus", options.gpus, _whole)
        watts = self._value("--watts-per-gpu", options.watts_per_gpu, _between("0", "100000", above=True))
        megawatts = self._value("--it-mw", options.it_mw, _between("0", "100000", above=True))
        grid = self._factor("--grid-factor", options.grid_factor, residual=False)
        residual = self._factor("--residual-factor", options.residual_factor, residual=True)
        plan = Plan(
            it_w=(watts or Decimal()) * (gpus or Decimal()) if megawatts is None else megawatts * _W_PER_MW,
            gpus=None if gpus is None else int(gpus),
            pue=self._value("--pue", options.pue, _between("1", "10")),
            utilisation=self._value("--utilisation", options.utilisation, _share),
            grid_g_per_kwh=None if grid is None else grid.g_per_kwh,
            residual_g_per_kwh=None if residual is None else residual.g_per_kwh,
            green_share=self._value("--green-share", options.green_share, _share),
            price_per_kwh=self._value("--price", options.price, _between("-100000", "100000")),
            years=self._value("--lifetime", options.lifetime, _between("0", "100", above=True)),
        )
        return Given(plan, by_gpus=watts is not None, currency=options.currency or "", grid=grid, residual=residual)

    def _check_pairs(self, options: argparse.Namespace) -> None:
        currency = options.currency
        if options.watts_per_gpu is not None and options.gpus is None:
            self.wrong.append("--watts-per-gpu: is of one GPU; add --gpus, how many there are")
        if options.price is not None and currency is None:
            self.wrong.append("--price: has no currency; add --currency, such as CNY")
        if currency is not None and options.price is None:
            self.wrong.append("--currency: has no price; add --price, or leave it out")
        if currency is not None and not _CURRENCY.fullmatch(currency):
            self.wrong.append(f"--currency {currency}: is no currency; write its three capital letters, such as CNY")
        if options.residual_factor is not None and options.green_share is None:
            self.wrong.append("--residual-factor: is of what is not green; add --green-share")

    def _value(self, flag: str, text: str | None, read: Read) -> Decimal | None:
        if text is None:
            return None
        try:
            return read(text.strip())
        except ValueError as error:
            self.wrong.append(f"{flag} {text}: {error}")
            return None

    def _factor(self, flag: str, text: str | None, *, residual: bool) -> RegionFactor | None:
        if text is None or not _REGION.fullmatch(text.strip()):
            number = self._value(flag, text, _grams)
            return None if number is None else RegionFactor(number)
        try:
            return factor_of(text.strip(), residual=residual)
        except NoRegionError as error:
            self.wrong.append(f"{flag} {text}: {error}")
            return None


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        cure = "without commas" if "," in text else "such as 0.8, with at most 9 decimals"
        raise ValueError(f"is no number; write it in digits {cure}")
    return Decimal(text) or Decimal()  # not -0


def _between(lowest: str, highest: str, *, above: bool = False) -> Read:
    """Make a reader of a number within two limits; *above* leaves *lowest* itself out."""
    low, high = Decimal(lowest), Decimal(highest)

    def read(text: str) -> Decimal:
        number = _number(text)
        if not (low < number if above else low <= number) or number > high:
            form = f"above {low:,f} and at most {high:,f}" if above else f"from {low:,f} to {high:,f}"
            raise ValueError(f"is out of range; write a number {form}")
        return number

    return read


def _whole(text: str) -> Decimal:
    number = _number(text)
    if number < 1 or number != number.to_integral_value():
        raise ValueError("is no number of GPUs; write a whole number above 0")
    return number


def _share(text: str) -> Decimal:
    number = _number(text.removesuffix("%"))
    if text.endswith("%"):
        number = number.scaleb(-2)
    elif number > 1:
        raise ValueError("is more than all of it; write a share such as 0.8, or 80%")
    if not 0 <= number <= 1:
        raise ValueError("is out of range; write a share from 0 to 1, or from 0% to 100%")
    return number


def _grams(text: str) -> Decimal:
    number = _number(text)
    if 0 < number < 1:
        raise ValueError("is below a gram per kWh, so it may be in kilograms; write it in grams")
    if not 0 <= number <= 2_000:  # the dirtiest grids are below 1,000
        raise ValueError("is out of range; write grams per kWh from 0 to 2000, or a region such as CN-NM")
    return number
