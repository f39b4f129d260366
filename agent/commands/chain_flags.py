"""The options of `wattledger chain`; loaded for every command, so it imports next to nothing."""

import argparse
from pathlib import Path

_MOST_DAYS = 36_500  # a hundred years


def add_chain(command: argparse.ArgumentParser) -> None:
    """Give the command its options."""
    command.description = (
        "Losses from the boards to the meter of the house, for the load of this host or one that is given, and what "
        "another way of supply would lose."
    )
    command.add_argument("--config", type=Path, metavar="FILE", help="YAML (default /etc/wattledger/wattledger.yaml)")
    command.add_argument("--state-dir", metavar="DIR", help="of the ledger that the load is taken from")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--setup", metavar="NAME", help="a way of supply in place of the configured one")
    which.add_argument(
        "--compare", nargs=2, metavar=("A", "B"), help="two of them; `configured` is the configuration's"
    )
    command.add_argument("--load-kw", metavar="N", help="kilowatts behind the power supplies")
    command.add_argument(
        "--days", type=_days, default=7, metavar="N", help="without --load-kw: mean of the GPUs (default 7)"
    )
    command.add_argument("--list", action="store_true", help="print set-ups and curves with their sources, and exit")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of days; write a whole number from 1 to {_MOST_DAYS}"
        )
    return int(text)
