"""What `wattledger size` takes on the command line; its values are read by the command itself."""

import argparse

_DESCRIPTION = """\
Capacity arithmetic for a planned cluster: power, energy, emissions and cost of a year, each with its formula, and
where the plan stands against China's policy for data centres. Only what is given is used; nothing is assumed.
"""
_EPILOG = """\
100,000 GPUs of 1,390 W at the server, a PUE of 1.25 and a mean load of 80 %:
  wattledger size --gpus 100000 --watts-per-gpu 1390 --pue 1.25 --utilisation 80%
"""


def add_size(command: argparse.ArgumentParser) -> None:
    """Add the flags to *command*."""
    command.description = _DESCRIPTION
    command.epilog = _EPILOG
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_argument("--gpus", metavar="N", help="how many GPUs")
    power = command.add_mutually_exclusive_group(required=True)
    power.add_argument(
        "--watts-per-gpu", metavar="W", help="rated power of a GPU with its part of the server, at the server's plug"
    )
    power.add_argument("--it-mw", metavar="MW", help="rated power of all servers, in place of watts per GPU")
    command.add_argument("--pue", metavar="PUE", help="power of the house over that of its servers, 1 or more")
    command.add_argument("--utilisation", metavar="SHARE", help="mean share of the rated power: 0.8 or 80%%")
    command.add_argument(
        "--grid-factor", metavar="G", help="grams per kWh, or a region of the shipped tables, such as CN-NM or DE"
    )
    command.add_argument(
        "--residual-factor",
        metavar="G",
        help="grams per kWh of power without a contract, or CN (default: the grid factor)",
    )
    command.add_argument("--green-share", metavar="SHARE", help="share of green power in all of it: 0.8 or 80%%")
    command.add_argument("--price", metavar="P", help="price of a kWh at the meter; needs --currency")
    command.add_argument("--currency", metavar="CUR", help="its currency, which is a label: CNY, EUR")
    command.add_argument("--lifetime", metavar="YEARS", help="for how many years, for totals")
    command.add_argument("--json", action="store_true", help="the same for programs, with every digit")
