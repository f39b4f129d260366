"""How patient the supervisor is, and what it tells of its samplers; data only."""

from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import SourceFailure

from .settings import SamplerSettings


@dataclass(frozen=True, slots=True)
class SupervisorLimits:
    """How patient the supervisor is. The grace is for nvmlShutdown, the first frame for a driver that initialises."""

    silence_ns: int = 5 * NS_PER_SECOND  # or five intervals, whichever is longer
    first_frame_ns: int = 30 * NS_PER_SECOND
    grace_ns: int = 3 * NS_PER_SECOND
    kill_ns: int = 2 * NS_PER_SECOND
    abandoned: int = 3
    backoff_first_ns: int = 1 * NS_PER_SECOND
    backoff_cap_ns: int = 60 * NS_PER_SECOND
    healthy_ns: int = 60 * NS_PER_SECOND  # after this the back-off begins anew

    def silence_limit_ns(self, settings: SamplerSettings) -> int:
        """Give how long a sampler that has spoken may be silent."""
        return max(self.silence_ns, 5 * settings.interval_ns)


@dataclass(frozen=True, slots=True)
class SupervisorState:
    """What the daemon shows of its samplers. `pid` is None while none runs."""

    pid: int | None
    restarts: int
    abandoned: int
    abandoned_total: int
    stale_frames: int
    released: bool
    ended: bool  # nothing comes any more, and all that came was handed on
    last_failure: SourceFailure | None
