"""Whether two moments of a device lie in one life of its counters, and how long lies between them."""

from .account import Anchor
from .instant import NS_PER_SECOND

# The uptime comes in whole seconds and is read a little before or after the batch.
UPTIME_SLACK_SECONDS = 3
# Two quartz clocks; each is good for about 100 ppm.
CLOCK_DRIFT_PPM = 200


def another_boot(before: Anchor, here: Anchor) -> bool:
    """Tell whether the host was booted in between; without boot ids, a clock since boot that fell tells it."""
    if before.boot_id and here.boot_id:
        return before.boot_id != here.boot_id
    return here.at.mono_ns < before.at.mono_ns


def elapsed_ns(before: Anchor, here: Anchor) -> int:
    """Give the nanoseconds between two anchors, never < 0: monotonic within a boot, by wall clock across boots.

    The wall clock may be set wrong at the start of a boot; what lies between is never shorter than this boot.
    """
    if another_boot(before, here):
        return max(0, here.at.mono_ns, here.at.wall_ns - before.at.wall_ns)
    return max(0, here.at.ns_since(before.at))


def restarted(before: Anchor, here: Anchor) -> bool:
    """Tell whether the counters of *here* began anew after *before*: reboot, driver reload or GPU reset.

    `nvmlDeviceGetGpuUptime_v1` is zero after each of them (nvml.h). An uptime that did not grow with the time is
    one, unless it is longer than that time: a restart further back is already in the anchor. An uptime that stands
    still was not read again. Without it, another driver version tells.
    """
    if another_boot(before, here):
        return True
    old, new = before.uptime_seconds, here.uptime_seconds
    if old is not None and new is not None and old != new:
        elapsed = elapsed_ns(before, here) // NS_PER_SECOND
        slack = _slack_seconds(elapsed)
        return new < old + elapsed - slack and new <= elapsed + slack
    versions = (before.driver_version, here.driver_version)
    return all(versions) and versions[0] != versions[1]


def since_restart_ns(before: Anchor, here: Anchor) -> int | None:
    """Give how long ago counters that began anew after *before* did so, at most; None when nothing tells it."""
    elapsed, uptime = elapsed_ns(before, here), here.uptime_seconds
    seconds = elapsed // NS_PER_SECOND
    if uptime is not None and uptime <= seconds + _slack_seconds(seconds):
        return min(elapsed, uptime * NS_PER_SECOND)
    return min(elapsed, here.at.mono_ns) if another_boot(before, here) else None


def _slack_seconds(elapsed: int) -> int:
    return UPTIME_SLACK_SECONDS + elapsed * CLOCK_DRIFT_PPM // 1_000_000
