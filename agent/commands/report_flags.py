"""The options of `wattledger report`; loaded for every command, so it imports next to nothing."""

import argparse
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from wattledger.rules.report.choices import Format, GroupBy

FLEET_FLAGS = ("--match", "--bearer-token-file", "--username", "--password-file", "--header", "--ca-file")
"""What only `--prometheus` takes."""

# Not from where they are defined: that would load the prices of every command.
_BOUNDARIES = ("gpu", "node", "facility")

KindT = TypeVar("KindT", bound=StrEnum)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110
# A secret on the command line is seen by every user of the host, and the rest is the matter of the transport.
_NOT_BY_HEADER = {
    "authorization": "put the secret into a file: --bearer-token-file, or --username and --password-file",
    "cookie": "put the secret into a file: --bearer-token-file, or --username and --password-file",
    **dict.fromkeys(
        ("host", "content-length", "content-type", "transfer-encoding", "connection"), "it is set by itself"
    ),
}


def add_report(command: argparse.ArgumentParser) -> None:
    """Give the command its options."""
    command.description = (
        "What a stretch of time came to: energy and idle, grams of CO2 by both methods, money, tokens, by whom. "
        "The month before: --since last-month --until this-month."
    )
    command.add_argument("--config", type=Path, metavar="FILE", help="YAML (default /etc/wattledger/wattledger.yaml)")
    command.add_argument("--state-dir", metavar="DIR", help="where the ledger is (default: as configured)")
    command.add_argument(
        "--since",
        default="7d",
        metavar="TIME",
        help="7d (default), today, yesterday, this-month, last-month, boot, 2026-11-01 or 2026-11-01T08:00+01:00",
    )
    command.add_argument("--until", default="now", metavar="TIME", help="the end, itself not included (default now)")
    command.add_argument(
        "--by",
        type=_member_of(GroupBy),
        choices=list(GroupBy),
        default=GroupBy.OWNER,
        help="what the rows are (default owner)",
    )
    command.add_argument(
        "--format",
        type=_member_of(Format),
        choices=list(Format),
        default=Format.TABLE,
        help="default: a table for a terminal",
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="write there instead of on stdout")
    command.add_argument("--limit", type=_positive, metavar="N", help="rows of the table (default 20; hours: all)")
    command.add_argument("--timezone", metavar="TZ", help="such as Asia/Shanghai (default: the tariff's, else UTC)")
    command.add_argument(
        "--boundary", choices=_BOUNDARIES, help="what grams and money are of (default: the widest that is known)"
    )
    fleet = command.add_argument_group("a fleet, from any server with the API of Prometheus")
    fleet.add_argument("--prometheus", metavar="URL", help="read from there instead of the ledger")
    fleet.add_argument("--match", default="", metavar="LABELS", help='which hosts, such as cluster="a",job="gpu"')
    fleet.add_argument("--bearer-token-file", type=Path, metavar="FILE", help="a token that it asks for")
    fleet.add_argument("--username", default="", metavar="NAME", help="a user that it asks for, with --password-file")
    fleet.add_argument("--password-file", type=Path, metavar="FILE", help="the password of that user")
    fleet.add_argument(
        "--header",
        type=_header,
        action="append",
        default=[],
        metavar="'NAME: VALUE'",
        help="a header of each request, such as 'X-Scope-OrgID: team-a' for a tenant of Mimir; may be repeated",
    )
    fleet.add_argument("--ca-file", type=Path, metavar="FILE", help="CA of its certificate, in PEM")


def _member_of(kinds: type[KindT]) -> Callable[[str], KindT]:
    """Make a reader of a choice: argparse itself would name the type, and not what there is to choose from."""

    def read(text: str) -> KindT:
        try:
            return kinds(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is none; write one of {', '.join(kinds)}") from None

    return read


def _header(text: str) -> tuple[str, str]:
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not _HEADER_NAME.fullmatch(name) or not value.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is no header; write it as 'X-Scope-OrgID: team-a'")
    if name.lower() in _NOT_BY_HEADER:
        raise argparse.ArgumentTypeError(f"{name} is not for --header; {_NOT_BY_HEADER[name.lower()]}")
    return name, value


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows; write a whole number from 1 on")
    return int(text)
