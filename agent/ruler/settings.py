"""What the rule thread works by: rules, when they are due, how their alerts are told. All of it is immutable."""

from dataclasses import dataclass, field

from wattledger.exporter.delivery import Receiver
from wattledger.rules.alerting import EngineSettings, RuleGroup, Schedule
from wattledger.rules.promql.model import Labels

from ..config import Problem

# An alert from before a restart stays as it was for so long at least while its series is not found again: the
# sampler has to start, a state to be judged, a rate to get its second sample.
_HOLD_MS = 60_000
_HOLD_INTERVALS = 4


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """What the configuration says of rules. `offset_ms` shifts every evaluation, so that hosts are not in step."""

    groups: tuple[RuleGroup, ...]
    interval_ms: int
    resend_delay_ms: int
    engine: EngineSettings = field(default_factory=EngineSettings)
    offset_ms: int = 0

    @property
    def step_ms(self) -> int:
        """Give the mean time between two looks at the page, to which groups of odd intervals add their own."""
        intervals = {self.interval_of(group) for group in self.groups} or {self.interval_ms}
        shortest = min(intervals)
        looks = 1 + sum(shortest / interval for interval in intervals if interval % shortest)
        return max(1, int(shortest / looks))

    def interval_of(self, group: RuleGroup) -> int:
        """Give the time between two evaluations of *group*."""
        return group.interval_ms or self.interval_ms

    def schedule_of(self, group: RuleGroup) -> Schedule:
        """Give when *group* is due: groups of the same interval are due together and share one look at the page."""
        interval_ms = self.interval_of(group)
        return Schedule(interval_ms, self.offset_ms % min(interval_ms, self.interval_ms))

    def hold_of(self, group: RuleGroup) -> int:
        """Give how long alerts from before a restart are held."""
        return max(_HOLD_MS, _HOLD_INTERVALS * self.interval_of(group))


@dataclass(frozen=True, slots=True)
class Telling:
    """How alerts are told: labels that name this host, where to look, whether the log hears of them too."""

    external_labels: Labels
    generator_url: str
    log: bool


@dataclass(frozen=True, slots=True)
class RulePlan:
    """Rules that were found right, and who is told of their alerts."""

    settings: RuleSettings
    telling: Telling
    receivers: tuple[Receiver, ...] = ()
    warnings: tuple[Problem, ...] = ()
