"""What is decided about joining tokens and joules: patience, limits of belief, and when a ratio is shown."""

from dataclasses import dataclass, replace

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import Pace

TICKS_OF_PATIENCE = 3  # energy that is that late is waited for


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """Durations in nanoseconds. Where no source is named the number is a choice."""

    # Joining. Longer than a tick, or the energy of every window is late.
    patience_ns: int = 5 * NS_PER_SECOND  # energy that is booked later goes to the next window
    gap_ns: int = 10 * NS_PER_SECOND  # a device that is not booked for longer breaks the window
    edge_ns: int = 2 * NS_PER_SECOND  # tokens may be that much older than the energy that is known
    start_ns: int = 30 * NS_PER_SECOND  # a server whose start is longer than this has loaded a model meanwhile
    gone_ns: int = 60 * NS_PER_SECOND  # a service without devices and answers for so long is over
    despair_ns: int = 600 * NS_PER_SECOND  # a page that fails for longer: energy waits for its tokens no more
    stale_ns: int = 30 * NS_PER_SECOND  # a page that fails for longer withholds the ratios
    silent_ns: int = 120 * NS_PER_SECOND  # one that nobody even tries to read does so too
    models_limit: int = 32  # models of one process; what lies beyond has the empty name
    totals_limit: int = 4096  # beyond, those of services that are over are forgotten, the longest at rest first

    # Ratios (tokens.md sections 5, 7 and 9).
    ratio_window_ns: int = 300 * NS_PER_SECOND
    coverage_min: float = 0.9
    tokens_min: int = 100
    finish_busy_ns: int = 60 * NS_PER_SECOND  # counters that move at the end of requests, tokens in every window
    finish_quiet_ns: int = 300 * NS_PER_SECOND  # the same, with pauses
    finish_requests: int = 4  # ... and never shorter than so many mean requests
    plausible_from_joules: float = 0.01
    plausible_to_joules: float = 50.0
    plausible_tokens: int = 1000  # fewer prove nothing

    def at_pace(self, pace: Pace | None) -> "TokenPolicy":
        """Give the policy for energy that comes at *pace*; None: at each tick."""
        if pace is None:
            return self
        return replace(self, patience_ns=max(self.patience_ns, TICKS_OF_PATIENCE * pace.period_ns))
