"""A server's command line as flags with values; which flags there are and what they mean stands in the catalogue."""

import json
from collections.abc import Iterable, Sequence
from math import prod

from .spec import FlagSign, RankFlags


class CommandLine:
    """The flags of one command line. Underscores in names count as hyphens; what comes last holds.

    Flags are read as argparse writes them, `--flag value` or `--flag=value`; configuration files are not seen.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self._values: dict[str, str] = {}
        name = ""
        for argument in arguments:
            if argument.startswith("-"):
                written, equals, value = argument.partition("=")
                flag, dot, key = written.partition(".")  # `--flag.key` sets one key of a JSON object
                name = flag.replace("_", "-") + dot + key
                self._values[name] = value
                name = "" if equals else name
            elif name:
                self._values[name] = argument
                name = ""

    def has(self, flags: Iterable[str]) -> bool:
        """Tell whether one of *flags* is there."""
        return any(flag in self._values for flag in flags)

    def number(self, flags: Iterable[str]) -> int | None:
        """Give the whole number that one of *flags* has; None where none is there or has none."""
        for flag in flags:
            text = self._values.get(flag, "")
            if text.isascii() and text.isdigit() and len(text) < 10:
                return int(text)
        return None

    def says(self, sign: FlagSign) -> bool:
        """Tell whether the flag of *sign* is there with the value that it wants."""
        text = self._keyed(sign.flag, sign.key) if sign.key else self._values.get(sign.flag)
        return text is not None and (sign.value is None or sign.value.fullmatch(text) is not None)

    def _keyed(self, flag: str, key: str) -> str | None:
        """Give what *key* has in the JSON object of a flag, which may also be written `--flag.key value`."""
        if (dotted := self._values.get(f"{flag}.{key}")) is not None:
            return dotted
        try:
            value = json.loads(self._values.get(flag, "")).get(key)
        except (ValueError, AttributeError, RecursionError):  # no JSON, or no object
            return None
        return value if isinstance(value, str) else None


def ranks_of(flags: RankFlags, command: CommandLine) -> tuple[bool, frozenset[str] | None]:
    """Tell whether some ranks are on other hosts, and which engines are on this one where that can be told."""
    if command.has(flags.elsewhere) or (command.number(flags.hosts) or 1) > 1:
        return True, None
    engines = command.number(flags.engines) or 1
    if engines == 1 or command.has(flags.apart):
        return False, None
    local = command.number(flags.local)
    if local is None:
        return any(command.says(sign) for sign in flags.placed), None
    if local >= engines:
        return False, None
    first = command.number(flags.first) or 0
    return True, frozenset(str(first + index) for index in range(local))


def engine_devices_of(flags: RankFlags, command: CommandLine) -> int:
    """Give on how many devices one engine works, on this host and others; 1 where nothing tells."""
    return prod(command.number(names) or 1 for names in flags.devices)
