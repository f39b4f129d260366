"""Whether two moments of a device lie in one life of its counters, and how long lies between them."""

from enum import Enum, auto

from .account import Anchor
from .instant import NS_PER_SECOND

# The uptime comes in whole seconds and is read a little before or after the batch.
UPTIME_SLACK_SECONDS = 3


class Continuity(Enum):
    """The verdict on two anchors of one device."""

    SAME = auto()  # the device says so
    PRESUMED = auto()  # nothing speaks against it
    RESTARTED = auto()  # reboot, driver reload or GPU reset lies between


def elapsed_ns(before: Anchor, here: Anchor) -> int:
    """Give the nanoseconds between two anchors: monotonic within a boot, by wall clock across boots, never < 0."""
    same_boot = before.boot_id == here.boot_id and here.at.mono_ns >= before.at.mono_ns
    if same_boot:
        return here.at.mono_ns - before.at.mono_ns
    return max(0, here.at.wall_ns - before.at.wall_ns)


def continuity(before: Anchor, here: Anchor) -> Continuity:
    """Judge whether the counters of *here* continue those of *before*.

    `nvmlDeviceGetGpuUptime_v1` is zero after reboot, driver reload and GPU reset (nvml.h), so an uptime that did
    not grow with the time is a restart. Without it, another boot or driver version is.
    """
    if before.boot_id != here.boot_id:
        return Continuity.RESTARTED
    if before.uptime_seconds is not None and here.uptime_seconds is not None:
        expected = before.uptime_seconds + elapsed_ns(before, here) // NS_PER_SECOND
        fell = here.uptime_seconds < expected - UPTIME_SLACK_SECONDS or here.uptime_seconds < before.uptime_seconds
        return Continuity.RESTARTED if fell else Continuity.SAME
    return Continuity.RESTARTED if before.driver_version != here.driver_version else Continuity.PRESUMED
