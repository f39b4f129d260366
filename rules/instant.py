"""A moment on two clocks; it knows nothing of where the time came from."""

from dataclasses import dataclass

NS_PER_SECOND = 1_000_000_000
NS_PER_HOUR = 3600 * NS_PER_SECOND


@dataclass(frozen=True, slots=True, order=True)
class Instant:
    """A moment: `mono_ns` for differences, `wall_ns` (Unix epoch) to join feeds and to show.

    `mono_ns` is CLOCK_BOOTTIME, which counts suspend: a gap of sleep is seen as a gap. It is the same for every
    process of one boot, so readings of an earlier agent can be compared when the boot id is the same.
    """

    mono_ns: int
    wall_ns: int

    def ns_since(self, earlier: "Instant") -> int:
        """Give the nanoseconds from *earlier* to this instant by the monotonic clock."""
        return self.mono_ns - earlier.mono_ns
