"""One line of the doctor's table; it knows nothing of how it was found out or how it is shown."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Whether a capability is there."""

    PRESENT = "present"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """A capability: `why` says what was seen, `cure` what the operator can do. `subject` names one of several GPUs.

    `essential` findings that are missing keep the agent from measuring or from keeping its books.
    """

    capability: str
    status: Status
    why: str
    cure: str = ""
    essential: bool = False
    subject: str = ""


def present(capability: str, why: str, *, essential: bool = False, subject: str = "") -> Finding:
    """Give a finding that all is well."""
    return Finding(capability, Status.PRESENT, why, essential=essential, subject=subject)


def limited(capability: str, why: str, cure: str = "", *, subject: str = "") -> Finding:
    """Give a finding of something that works in part."""
    return Finding(capability, Status.LIMITED, why, cure, subject=subject)


def missing(capability: str, why: str, cure: str = "", *, essential: bool = False, subject: str = "") -> Finding:
    """Give a finding of something that is not there."""
    return Finding(capability, Status.MISSING, why, cure, essential=essential, subject=subject)
