"""What the child that opens NVML tells; plain data that crosses as JSON."""

from dataclasses import dataclass

from wattledger.rules.reading import Sample


@dataclass(frozen=True, slots=True)
class BoardExtras:
    """Facts that a reading does not hold. None means the driver does not say."""

    uuid: str
    persistent: bool | None = None
    events: bool | None = None


@dataclass(frozen=True, slots=True)
class NvmlReport:
    """What came of opening NVML. Without a sample `failure` says why; `hung` that there was no answer in time."""

    sample: Sample | None = None
    boards: tuple[BoardExtras, ...] = ()
    failure: str = ""
    code: int | None = None
    hung: bool = False
