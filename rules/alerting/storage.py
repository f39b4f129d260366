"""Where rules write their series; how samples are kept is not its matter."""

from enum import StrEnum
from typing import Protocol

from wattledger.rules.promql.model import Labels, Storage


class Refusal(StrEnum):
    """Why a sample cannot be kept."""

    OUT_OF_ORDER = "out of order sample"
    DUPLICATE = "duplicate sample for timestamp"
    TOO_MANY_SERIES = "too many series"


class SampleRefusedError(Exception):
    """A storage cannot keep a sample; the others of the same evaluation go on."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.value)
        self.refusal = refusal


class AppendableStorage(Storage, Protocol):
    """What rules read from and write to: an appended sample is seen by the next rule."""

    def append(self, labels: Labels, timestamp_ms: int, value: float) -> None:
        """Add a sample at the end of the series of *labels*; the same sample twice is no error.

        Raises SampleRefusedError.
        """
        ...
