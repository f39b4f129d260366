"""What every meter of the host offers, from the processor's counters to the management controller."""

import errno
from typing import Protocol

from wattledger.rules.chain.node_model import NodeReading, NodeSource
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap

_GAPS = {
    errno.EACCES: Gap.NO_PERMISSION,
    errno.EPERM: Gap.NO_PERMISSION,
    errno.ENOENT: Gap.UNSUPPORTED,
    errno.ENODEV: Gap.UNSUPPORTED,
    errno.ENXIO: Gap.UNSUPPORTED,
    errno.ENODATA: Gap.UNSUPPORTED,
    errno.EOPNOTSUPP: Gap.UNSUPPORTED,
    errno.ENOTTY: Gap.UNSUPPORTED,
    errno.ETIMEDOUT: Gap.TIMEOUT,
}


class HostSource(Protocol):
    """One kind of meter. One thread calls it; a call may take as long as the meter does."""

    @property
    def source(self) -> NodeSource:
        """Give the name under which its numbers are shown."""
        ...

    @property
    def period_ns(self) -> int:
        """Give how often it is to be read; constant."""
        ...

    def read(self, at: Instant) -> tuple[NodeReading, ...]:
        """Give what its meters say now; one that does not answer is left out. Raises SourceError if none does."""
        ...

    def close(self) -> None:
        """Let go of files and devices. Safe to call twice; the next read opens them again."""
        ...


def gap_of(error: OSError) -> Gap:
    """Give the reason to show for an error of the system."""
    return _GAPS.get(error.errno or 0, Gap.FAILED)
