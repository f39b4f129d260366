"""The newest event file of a folder, followed as it grows; only what a look at one tag needs is read of it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from .event_record import HEAD_BYTES, Cut, Scalar, cut_record, scalar_of
from .files import Unusable, open_descriptor, read_all

LOOK_BYTES = 2 << 20
_ENTRIES_LIMIT = 10_000
_NAME = re.compile(r".*tfevents\.(\d{1,20})(?:\..*)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class EventLook:
    """What is known of the tag by now. `at_end` tells that the file was read as far as it is whole."""

    scalar: Scalar | None
    file: str
    written_wall_ns: int
    at_end: bool
    problem: str = ""


class EventFile:
    """Follows the newest file of *folder*, by the time in its name, as TensorBoard does."""

    def __init__(self, folder: Path, tag: str) -> None:
        self._folder = folder
        self._tag = tag
        self._name = ""
        self._file: int | None = None
        self._offset = 0
        self._scalar: Scalar | None = None
        self._problem = ""

    def look(self) -> EventLook:
        """Read on, up to a limit. Raises Unusable."""
        name = newest(self._folder)
        if not name:
            raise Unusable(f"{self._folder}: holds no event file")
        if name != self._name:
            self.close()
            try:
                self._file = open_descriptor(self._folder / name)
            except Unusable as error:
                raise Unusable(f"{self._folder / name}: {error}") from None
            self._name, self._offset, self._scalar, self._problem = name, 0, None, ""
        if self._file is None:
            raise Unusable(f"{self._folder / name}: is not open")
        status = os.fstat(self._file)
        if status.st_size < self._offset:  # somebody wrote it anew
            self._offset, self._scalar = 0, None
        data = read_all(self._file, LOOK_BYTES, offset=self._offset)
        at_end = self._advance(data, status.st_size)
        return EventLook(self._scalar, name, status.st_mtime_ns, at_end, self._problem)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
        self._file, self._name = None, ""

    def _advance(self, data: bytes, size: int) -> bool:
        """Go through the records in *data*; tell whether there is nothing more to read now."""
        at = 0
        base = self._offset
        wanted = self._tag.encode()
        self._problem = ""
        while True:
            record = cut_record(data, at, wanted)
            if record.cut is Cut.DAMAGED:
                # Perhaps not all of it is written yet, as over a network; else only a new file helps.
                self._problem = f"no record begins at byte {base + at}: the file is damaged, or not all there yet"
                break
            end = base + at + record.length
            if record.cut is Cut.UNFINISHED or end > size or (record.cut is Cut.SPOILT and end == size):
                break
            if record.data:
                self._take(record.data)
            at += record.length
        self._offset = base + at
        # Behind a large record there may be more that this look did not read.
        return self._offset + HEAD_BYTES > size or self._offset <= base + len(data) == size or self._problem != ""

    def _take(self, data: bytes) -> None:
        try:
            scalar = scalar_of(data, self._tag)
        except ValueError:
            return  # whole, and no Event: somebody else's record
        if scalar is not None:
            self._scalar = scalar


def newest(folder: Path) -> str:
    """Give the name of the newest event file, "" where there is none. Raises Unusable."""
    best = (-1, "")
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= _ENTRIES_LIMIT:
                    raise Unusable(f"{folder}: holds more than {_ENTRIES_LIMIT} files; name the folder of one run")
                if (match := _NAME.fullmatch(entry.name)) is not None:
                    best = max(best, (int(match[1]), entry.name))
    except (OSError, ValueError) as error:
        raise Unusable(f"{folder}: {getattr(error, 'strerror', None) or error}") from None
    return best[1]
