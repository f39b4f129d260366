"""What loaded rules can select: names, series, and how far back."""

import pytest

from tests.rules.alerting.stage import alerting
from tests.rules.history.shelf import MINUTE_MS, NOW_MS, group, labels
from wattledger.rules.alerting import RuleGroup
from wattledger.rules.history import Interests, Reach, interests_of

_LOOKBACK_MS = 5 * MINUTE_MS


def interests(*expressions: str) -> Interests:
    return interests_of([group(*expressions)])


def asked(template: str) -> Interests:
    """Give the interests of an alert whose text is *template*."""
    rule = alerting("A", "vector(1)", notes={"summary": template})
    return interests_of([RuleGroup("g", "f.yml", (rule,))])


def test_a_name_is_known_from_each_selector_and_series_are_told_apart_by_their_labels() -> None:
    found = interests('rate(m{state="held"}[10m]) > on (gpu) n')
    assert found.names() == frozenset({"m", "n"})
    assert found.reach(labels("m", state="held", gpu="0")) == Reach(10 * MINUTE_MS)
    assert found.reach(labels("m", state="active")) is None
    assert found.reach(labels("n")) == Reach(_LOOKBACK_MS, newest_only=True)
    assert found.reach(labels("o")) is None


def test_the_farthest_of_the_selectors_of_a_series_counts() -> None:
    found = interests("m", 'm{gpu="0"} offset 1h', "increase(m[1d])", 'm{gpu="1"}')
    assert found.reach(labels("m", gpu="0")) == Reach(24 * 60 * MINUTE_MS)
    assert interests("m", 'm{gpu="0"} offset 1h').reach(labels("m", gpu="0")) == Reach(65 * MINUTE_MS)


def test_a_subquery_reaches_back_by_both_widths() -> None:
    assert interests("max_over_time(rate(m[5m])[1h:1m])").reach(labels("m")) == Reach(65 * MINUTE_MS - 1)


def test_a_selector_without_a_name_leaves_the_names_open() -> None:
    found = interests("n", '{__name__=~"m|o",gpu="0"}')
    assert found.names() is None
    assert found.reach(labels("o", gpu="0")) == Reach(_LOOKBACK_MS, newest_only=True)
    assert found.reach(labels("o", gpu="1")) is None


def test_a_time_that_is_pinned_is_kept_from_there_on_beside_what_else_is_read() -> None:
    found = interests("m @ 1600000000", "rate(m[10m])")
    reach = found.reach(labels("m"))
    assert reach == Reach(10 * MINUTE_MS, 1_600_000_000_000 - _LOOKBACK_MS + 1)
    assert reach.first_ms(NOW_MS) == 1_600_000_000_000 - _LOOKBACK_MS + 1
    assert reach.first_ms(1_500_000_000_000) == 1_500_000_000_000 - 10 * MINUTE_MS + 1


def test_a_group_that_looks_at_an_earlier_time_reaches_back_by_that_much_more() -> None:
    own, shared = group("m", query_offset_ms=MINUTE_MS), group("n")
    found = interests_of([own, shared], query_offset_ms=2 * MINUTE_MS)
    assert found.reach(labels("m")) == Reach(6 * MINUTE_MS)
    assert found.reach(labels("n")) == Reach(7 * MINUTE_MS)


def test_the_lookback_is_that_of_the_engine() -> None:
    assert interests_of([group("m")], lookback_ms=MINUTE_MS).reach(labels("m")) == Reach(MINUTE_MS, newest_only=True)


def test_what_rules_write_is_selected_like_any_other_series() -> None:
    found = interests('ALERTS{alertname="A"}', "r0 * 2")
    assert found.reach(labels("ALERTS", alertname="A", alertstate="firing")) == Reach(_LOOKBACK_MS, newest_only=True)
    assert found.reach(labels("r0")) == Reach(_LOOKBACK_MS, newest_only=True)
    assert found.reach(labels("r1")) is None
    assert found.reach(labels("ALERTS_FOR_STATE", alertname="A")) is None


def test_without_rules_nothing_is_selected() -> None:
    assert interests_of([]).names() == frozenset()
    assert interests_of([]).reach(labels("m")) is None


def test_a_query_in_a_text_is_selected_as_it_says() -> None:
    found = asked("{{ with query \"max_over_time(m{gpu='0'}[1h])\" }}{{ . | first | value }}{{ end }}")
    assert found.names() == frozenset({"m"})
    assert found.reach(labels("m", gpu="0")) == Reach(60 * MINUTE_MS)
    assert found.reach(labels("m", gpu="1")) is None


def test_of_a_query_with_values_filled_in_the_name_is_known_and_no_label() -> None:
    found = asked("{{ with printf \"m{gpu=%q,state='held'}\" .Labels.gpu | query }}{{ len . }}{{ end }}")
    assert found.names() == frozenset({"m"})
    assert found.reach(labels("m", gpu="7", state="active")) == Reach(_LOOKBACK_MS, newest_only=True)


def test_a_query_with_values_filled_in_looks_back_as_far_as_it_says_and_never_less_than_the_lookback() -> None:
    assert asked('{{ printf "rate(m{gpu=%q}[1h])" .Labels.gpu | query }}').reach(labels("m")) == Reach(60 * MINUTE_MS)
    assert asked('{{ printf "rate(m{gpu=%q}[1m])" .Labels.gpu | query }}').reach(labels("m")) == Reach(_LOOKBACK_MS)


@pytest.mark.parametrize(
    "template",
    [
        "{{ query .Labels.expr }}",
        '{{ printf "%s" .Labels.name | query }}',
        '{{ printf "m_%s_total" .Labels.name | query }}',
        '{{ printf "m%d" 2 | query }}',
        '{{ printf "rate(m[%s])" .Labels.window | query }}',
        '{{ printf "{__name__=~%q}" .Labels.name | query }}',
    ],
)
def test_a_query_whose_name_is_not_known_may_select_every_series(template: str) -> None:
    found = asked(template)
    assert found.names() is None
    reach = found.reach(labels("anything", gpu="0"))
    assert reach is not None
    assert reach.back_ms == _LOOKBACK_MS
