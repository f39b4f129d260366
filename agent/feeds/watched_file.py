"""A file that others replace: parsed again when it has changed, and only then; what it holds is not known here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from wattledger.rules.instant import NS_PER_SECOND

from ..tokens.inputs.files import Unusable, open_file, read_all
from .base import FeedError, Trouble

_Parsed = TypeVar("_Parsed")

_MOST_BYTES = 64 << 20
# The clock that files are stamped with ticks slowly: two changes within one tick look like one.
_SETTLED_NS = 2 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class _Version(Generic[_Parsed]):
    """What came of one state of the file: what it holds, or why it cannot be used."""

    signature: tuple[int, int, int]
    changed_wall_ns: int
    parsed: _Parsed | None
    trouble: Trouble = Trouble.INVALID
    problem: str = ""


class WatchedFile(Generic[_Parsed]):
    """Keeps what *parse* made of the file. *parse* raises ValueError or FeedError with place, problem, cure."""

    def __init__(self, path: Path, parse: Callable[[bytes], _Parsed]) -> None:
        self.path = path
        self._parse = parse
        self._version: _Version[_Parsed] | None = None

    def current(self, now_wall_ns: int) -> tuple[_Parsed, int]:
        """Give what stands in the file now, and when it was written. Raises FeedError."""
        try:
            with open_file(self.path) as file:
                version = self._version
                if version is None or version.signature != _signature(file):
                    version = self._read(file)
        except Unusable as error:
            self._version = None
            raise FeedError(
                Trouble.NOT_FOUND, f"{self.path} cannot be read ({error}); put it there, or mend `path`"
            ) from None
        self._version = version if version.changed_wall_ns + _SETTLED_NS < now_wall_ns else None
        if version.parsed is None:
            raise FeedError(version.trouble, version.problem)
        return version.parsed, version.changed_wall_ns

    def _read(self, file: int) -> _Version[_Parsed]:
        signature = _signature(file)
        changed = os.fstat(file).st_mtime_ns
        if signature[1] > _MOST_BYTES:
            problem = f"{self.path} has {signature[1]} bytes; the limit is {_MOST_BYTES}, split the file by years"
            return _Version(signature, changed, None, problem=problem)
        content = read_all(file, signature[1])
        if _signature(file) != signature:
            raise FeedError(
                Trouble.INVALID,
                f"{self.path} changed while it was read; write another file and rename it to this name",
            )
        try:
            return _Version(signature, changed, self._parse(content))
        except FeedError as error:
            return _Version(signature, changed, None, error.trouble, error.detail)
        except ValueError as error:
            return _Version(signature, changed, None, problem=str(error))


def _signature(file: int) -> tuple[int, int, int]:
    status = os.fstat(file)
    return status.st_ino, status.st_size, status.st_mtime_ns
