"""What the rules of a host make of its pages over time, over reloads and over restarts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.exporter.snapshots import snapshot, view
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.rulefiles import load_rule_file
from wattledger.agent.ruler.evaluation import Evaluation
from wattledger.agent.ruler.settings import RuleSettings
from wattledger.exporter.rules_health import RulesHealth
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.alerting import AlertState, GroupMemory
from wattledger.rules.state import State

HELD = """
groups:
- name: waste
  rules:
  - {alert: Held, expr: 'wattledger_gpu_state{state="held"} == 1', for: 30s, labels: {severity: warning}}
"""
TWO = (
    HELD
    + """
- name: sums
  interval: 30s
  rules:
  - {record: 'wattledger:watts', expr: 'sum(wattledger_gpu_power_watts{reading="average"})'}
  - {alert: Drawing, expr: 'wattledger:watts > 100'}
"""
)
INTERVAL_MS = 15_000


class Host:
    """Rules on a host whose page is what a test says."""

    def __init__(self, folder: Path, rules: str = HELD, memory: Mapping[str, GroupMemory] | None = None) -> None:
        self._file = folder / "site.rules.yml"
        self.clock = FakeClock()
        self.page: Snapshot = held_page()
        self.settings = self.settings_of(rules)
        self.evaluation = self.started(memory or {})

    def settings_of(self, rules: str) -> RuleSettings:
        self._file.write_text(rules)
        loaded = load_rule_file(self._file)
        assert not loaded.problems
        return RuleSettings(loaded.groups, interval_ms=INTERVAL_MS, resend_delay_ms=60_000)

    def started(self, memory: Mapping[str, GroupMemory]) -> Evaluation:
        return Evaluation(self.settings, ledger=MemoryLedger(), memory=memory, now_ms=self.now_ms)

    @property
    def now_ms(self) -> int:
        return self.clock.wall_ns // 1_000_000

    def run(self, evaluations: int = 1) -> RulesHealth:
        """Let so many intervals go by, with a look at the end of each."""
        for _ in range(evaluations):
            self.clock.advance(15)
            self.evaluation.run(self.page, self.now_ms, lambda: self.clock.mono_ns)
        return self.evaluation.health()

    def told(self) -> list[tuple[str, bool]]:
        """Give the alerts that receivers should hear of now, and whether each is over."""
        due = self.evaluation.take_due(self.now_ms)
        return [(rule.alert, alert.resolved_at_ms is not None) for rule, alert in due]


def held_page() -> Snapshot:
    return snapshot(view(state=State.HELD))


def states(health: RulesHealth) -> list[tuple[str, AlertState]]:
    return [(alert.name, alert.state) for alert in health.alerts]


def test_an_alert_pends_fires_and_ends_with_what_the_page_shows(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert states(host.run()) == [("Held", AlertState.PENDING)]
    assert host.told() == []
    health = host.run(2)
    assert states(health) == [("Held", AlertState.FIRING)]
    (alert,) = health.alerts
    assert dict(alert.series) | {"uuid": ""} == {
        "alertname": "Held",
        "alertstate": "firing",
        "gpu": "0",
        "severity": "warning",
        "state": "held",
        "uuid": "",
    }
    assert host.told() == [("Held", False)]
    assert host.told() == [], "told once, until it is due again"
    host.page = snapshot(view())
    assert states(host.run()) == []
    assert host.told() == [("Held", True)]


def test_a_look_that_comes_a_little_early_or_late_makes_no_alert_an_interval_late(tmp_path: Path) -> None:
    host = Host(tmp_path)
    for late in (0.3, -0.2, -0.05):
        host.clock.advance(late)
        health = host.run()
    assert states(health) == [("Held", AlertState.FIRING)]


def test_an_alert_ends_when_its_device_is_gone_from_the_page(tmp_path: Path) -> None:
    host = Host(tmp_path)
    assert states(host.run(3)) == [("Held", AlertState.FIRING)]
    host.page = snapshot()
    assert states(host.run()) == []


def test_groups_are_evaluated_at_their_own_intervals_and_see_what_others_recorded(tmp_path: Path) -> None:
    host = Host(tmp_path, TWO)
    health = host.run(4)
    assert [(group.name, group.evaluations, group.interval_ms) for group in health.groups] == [
        ("waste", 4, 15_000),
        ("sums", 4, 30_000),  # two rules, twice
    ]
    assert ("Drawing", AlertState.FIRING) in states(health)


def test_only_what_rules_select_is_kept_and_only_as_far_back_as_they_look(tmp_path: Path) -> None:
    host = Host(tmp_path)
    history = host.run(100).history
    assert history is not None
    assert history.series == 1
    assert history.samples <= 2 * 5 * 60 // 15


def test_moments_that_went_by_are_counted_and_not_made_up_for(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run()
    host.clock.advance(45)
    (group,) = host.run().groups
    assert (group.evaluations, group.missed) == (2, 3)


def test_a_failing_rule_is_named_with_its_reason_and_the_others_go_on(tmp_path: Path) -> None:
    both = HELD + "  - {alert: Odd, expr: 'wattledger_gpu_up * on () wattledger_gpu_up'}\n"
    host = Host(tmp_path, both)
    host.page = snapshot(view(state=State.HELD), view(1))
    health = host.run()
    (group,) = health.groups
    ((rule, reason),) = group.errors
    assert (rule, group.failures) == ("Odd", 1)
    assert "many-to-many" in reason
    assert states(health) == [("Held", AlertState.PENDING)]


def test_a_reload_keeps_the_alerts_of_rules_that_stay_and_ends_those_that_go(tmp_path: Path) -> None:
    host = Host(tmp_path, TWO)
    since = {alert.name: alert.active_at_ms for alert in host.run(4).alerts}
    host.evaluation.apply(host.settings_of(HELD), host.now_ms)
    health = host.run()
    assert [(alert.name, alert.active_at_ms) for alert in health.alerts] == [("Held", since["Held"])]


def test_no_count_falls_when_a_group_loses_rules_or_the_clock_is_set_back(tmp_path: Path) -> None:
    more = HELD + "  - {alert: Odd, expr: 'wattledger_gpu_up * on () wattledger_gpu_up'}\n"
    host = Host(tmp_path, more)
    host.page = snapshot(view(state=State.HELD), view(1))
    (before,) = host.run(4).groups
    assert (before.evaluations, before.failures) == (8, 4)
    host.evaluation.apply(host.settings_of(HELD), host.now_ms)
    (after,) = host.run().groups
    assert (after.evaluations, after.failures) == (9, 4)
    host.clock.step_wall(-3_600)
    host.evaluation = host.evaluation.begun_anew(host.now_ms)
    (again,) = host.run().groups
    assert (again.evaluations, again.failures) == (10, 4)


def test_after_a_restart_a_firing_alert_is_told_at_once_and_is_given_time_to_be_found_again(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(3)
    memory = host.evaluation.memories()
    assert list(memory) == [f"{tmp_path / 'site.rules.yml'};waste"]
    host.clock.advance(20)
    host.evaluation = host.started(memory)
    assert host.told() == [("Held", False)]
    host.page = snapshot(sample_at=None)  # the sampler has yet to start
    assert states(host.run(2)) == [("Held", AlertState.FIRING)]
    host.page = held_page()
    assert states(host.run()) == [("Held", AlertState.FIRING)]
    host.page = snapshot(view())
    assert states(host.run()) == []
    assert host.told() == [("Held", True)]


QUARTER = HELD.replace("30s", "15m")


@pytest.mark.parametrize(
    ("before", "asleep_s", "after"),
    [
        pytest.param(20, 8 * 3600, 60, id="longer-than-an-outage-may-be-it-waits-anew"),
        pytest.param(20, 20 * 60, 40, id="what-was-waited-counts-without-the-sleep"),
        pytest.param(20, 4 * 60, 23, id="shorter-than-a-lookback-it-is-but-a-late-look"),
    ],
)
def test_an_alert_does_not_wait_while_the_machine_sleeps_or_its_clock_leaps(
    tmp_path: Path, before: int, asleep_s: int, after: int
) -> None:
    host = Host(tmp_path, QUARTER)
    assert states(host.run(before + 1)) == [("Held", AlertState.PENDING)]
    host.clock.advance(asleep_s)
    assert states(host.run(after)) == [("Held", AlertState.PENDING)]
    assert states(host.run()) == [("Held", AlertState.FIRING)]


@pytest.mark.parametrize("back_s", [600, 8 * 3600])
def test_a_clock_that_is_set_back_ends_no_alert_and_none_waits_again(tmp_path: Path, back_s: int) -> None:
    host = Host(tmp_path, QUARTER)
    host.run(61)
    assert host.told() == [("Held", False)]
    host.clock.step_wall(-back_s)
    host.evaluation = host.evaluation.begun_anew(host.now_ms)
    assert host.told() == [("Held", False)]
    (alert,) = host.run().alerts
    assert alert.state is AlertState.FIRING
    assert host.now_ms - alert.active_at_ms == 61 * INTERVAL_MS
    host.page = snapshot(view())
    assert states(host.run()) == []
    assert host.told() == [("Held", True)]


def test_a_pending_alert_has_waited_as_long_after_its_clock_is_set_back(tmp_path: Path) -> None:
    host = Host(tmp_path, QUARTER)
    host.run(11)
    host.clock.step_wall(-8 * 3600)
    host.evaluation = host.evaluation.begun_anew(host.now_ms)
    assert states(host.run(50)) == [("Held", AlertState.PENDING)]
    assert states(host.run()) == [("Held", AlertState.FIRING)]


def test_a_firing_alert_goes_on_over_a_sleep_although_its_series_is_not_there_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(3)
    host.told()
    host.clock.advance(1200)
    host.page = snapshot(sample_at=None)
    assert states(host.run()) == [("Held", AlertState.FIRING)]
    assert host.told() == [("Held", False)]
    host.page = held_page()
    assert states(host.run()) == [("Held", AlertState.FIRING)]
    host.page = snapshot(view())
    assert states(host.run()) == []
    assert host.told() == [("Held", True)]


def test_an_alert_that_ended_while_the_agent_was_down_is_told_as_over_after_a_while(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.run(3)
    host.evaluation = host.started(host.evaluation.memories())
    host.told()
    host.page = snapshot(view())
    assert states(host.run(2)) == [("Held", AlertState.FIRING)]
    assert states(host.run(3)) == []
    assert host.told() == [("Held", True)]


def test_hosts_are_spread_over_the_interval_and_groups_of_a_host_share_their_look_at_the_page(tmp_path: Path) -> None:
    settings = replace(Host(tmp_path, TWO).settings, offset_ms=123_456_789)
    waste, sums = (settings.schedule_of(group) for group in settings.groups)
    assert waste.offset_ms == sums.offset_ms == 123_456_789 % INTERVAL_MS
    assert sums.latest_ms(10**12) in {waste.latest_ms(10**12), waste.latest_ms(10**12) - INTERVAL_MS}
