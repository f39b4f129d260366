"""Packs as data: which there are, what may be set in them, and that setting it changes that and nothing else."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.rulefiles.pack_texts import ONE, two_packs
from wattledger.agent.rulefiles import (
    DEFAULT_PACKS,
    FLEET_PACK,
    MarkerError,
    PackError,
    check_packs,
    check_variables,
    load_pack,
    pack_names,
)
from wattledger.agent.rulefiles.packs import make_pack, pack_variables, read_pack
from wattledger.agent.rulefiles.variables import Kind, variables_of, wrong_value
from wattledger.rules.alerting import AlertingRule


def marked(line: str) -> tuple[str, str, Kind]:
    (marker,) = make_pack("p", f"groups: []\n{line}\n", Path()).markers
    return marker.name, marker.default, marker.kind


@pytest.mark.parametrize(
    ("line", "default", "kind"),
    [
        ("    for: 15m  # var: x", "15m", Kind.DURATION),
        ('    for: "1h30m"  # var: x', "1h30m", Kind.DURATION),
        ("    < 0.2  # var: x", "0.2", Kind.NUMBER),
        ("    a > 2 and b > 30  # var: x", "30", Kind.NUMBER),
        ("    max_over_time(gpu_1[1h:5m])  # var: x", "5m", Kind.DURATION),
        ("    a:rate:5m > 7 * rate1m  # var: x", "7", Kind.NUMBER),
        ("    1.5 * increase3h{job2=~'a'}  # var: x", "1.5", Kind.NUMBER),
    ],
)
def test_a_marker_means_the_last_number_or_duration_before_it(line: str, default: str, kind: Kind) -> None:
    assert marked(line) == ("x", default, kind)


@pytest.mark.parametrize(
    "line",
    [
        "for: soon  # var: x",
        "for: 5m  # var: X",
        "for: 5m  # var x",
        "for: 5m  # var:x",
        "for: 5m  # vars: x",
        "for: 5m  # var: x, the time",
        "a < 5 # var: x  # var: y",
        "rate5m:x > 1e9  # var: x",
    ],
)
def test_a_marker_that_means_nothing_is_a_defect_with_its_line(line: str) -> None:
    with pytest.raises(MarkerError, match=r"^p\.yml:2: "):
        make_pack("p", f"groups: []\n{line}\n", Path())


def test_two_defaults_of_one_name_are_a_defect() -> None:
    with pytest.raises(MarkerError, match="`x` has the defaults 5m and 6m"):
        make_pack("p", "for: 5m  # var: x\nfor: 6m  # var: x\n", Path())
    markers = {name: make_pack(name, f"for: {name[1:]}  # var: x", Path()).markers for name in ("p5m", "q6m")}
    with pytest.raises(ValueError, match=r"\(packs: p5m, q6m\)"):
        variables_of(markers)


def test_a_value_replaces_its_literals_and_not_a_character_more() -> None:
    pack = make_pack("one", ONE, Path())
    assert pack.text_with({}) == ONE
    assert pack.text_with({"of_another_pack": "x"}) == ONE
    changed = pack.text_with({"held_for": "1h", "low_ratio": "0.35"}).splitlines()
    differing = [(old, new) for old, new in zip(ONE.splitlines(), changed, strict=True) if old != new]
    assert differing == [
        ("        < 0.2  # var: low_ratio", "        < 0.35  # var: low_ratio"),
        ("    for: 15m  # var: held_for", "    for: 1h  # var: held_for"),
    ]


@given(st.integers(1, 10**9), st.decimals("0.0001", "1000", places=4))
def test_law_what_was_set_is_read_back(duration_ms: int, ratio: object) -> None:
    values = {"held_for": f"{duration_ms}ms", "low_ratio": str(ratio)}
    pack = make_pack("one", make_pack("one", ONE, Path()).text_with(values), Path())
    assert {marker.name: marker.default for marker in pack.markers} == {"power_window": "5m", **values}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("held_warning", "15", "`15` has no unit; write 15s or 15m"),
        ("held_warning", "0.5", "is not a duration"),
        ("held_warning", "0s", "is not above 0; write one such as 15m"),
        ("held_warning", "", "is not a duration"),
        ("held_warning", "15m # x", "is not a duration"),
        ("host_avoidable_ratio", "20%", "is no plain decimal number; write one such as 0.2"),
        ("host_avoidable_ratio", "5m", "is no plain decimal number"),
        ("host_avoidable_ratio", "-1", "is no plain decimal number"),
        ("host_avoidable_ratio", "0.0", "is not above 0"),
        ("host_avoidable_ratio", "1e3", "is no plain decimal number"),
        ("held_warnin", "15m", "is no setting of these packs; did you mean `held_warning`?"),
        ("zzz", "15m", "`wattledger rules render --list-vars` lists them"),
        ("busy_low_ratio", "0.1", "belongs to the pack utilisation, which is not loaded"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_the_cure(name: str, value: str, reason: str) -> None:
    ((told, why),) = check_variables({name: value, "held_notice": "6m"}, ["idle", "no_such_pack"])
    assert told == name
    assert reason in why


def test_a_wrong_value_never_reaches_the_rules() -> None:
    with pytest.raises(PackError, match="held_warning: `15` has no unit"):
        load_pack("idle", {"held_warning": "15"})


def test_what_was_checked_can_be_loaded() -> None:
    held = {"held_warning": "20m", "host_avoidable_ratio": "0.33", "busy_low_ratio": "0.1"}
    assert list(check_variables(held, ["idle", "utilisation"])) == []
    loaded = load_pack("idle", held)
    rules = [rule for group in loaded.groups for rule in group.rules if isinstance(rule, AlertingRule)]
    assert [rule.for_ms for rule in rules if rule.alert == "WattledgerGpuHeld"] == [300_000, 1_200_000, 3_600_000]
    assert any("0.33" in rule.expression.text for rule in rules)


def test_packs_that_do_not_exist_or_come_twice_are_told() -> None:
    assert dict(check_packs(["idle", "idel", "power"])) == {"idel": "is no pack of rules; did you mean `idle`?"}
    assert dict(check_packs(["idle", "power", "idle"])) == {"idle": "is named twice; name each pack once"}
    with pytest.raises(PackError, match="`idel` is no pack of rules; did you mean `idle`"):
        load_pack("idel", {})
    with pytest.raises(PackError, match=r"`\.\./packs/idle` is no pack"):
        read_pack("../packs/idle")


def test_the_default_packs_and_fleet_are_shipped() -> None:
    assert {*DEFAULT_PACKS, FLEET_PACK} <= set(pack_names())


@pytest.mark.parametrize("name", pack_names())
def test_every_shipped_pack_loads_without_a_word_and_names_its_file(name: str) -> None:
    loaded = load_pack(name, {})
    assert [str(found) for found in (*loaded.problems, *loaded.warnings)] == []
    assert {group.file for group in loaded.groups} == {f"{name}.yml"}
    assert all(group.rules for group in loaded.groups)


def test_every_marker_of_the_shipped_packs_is_read_and_its_default_can_be_set() -> None:
    variables = pack_variables(pack_names())
    for name in pack_names():
        text = read_pack(name).text
        written = re.findall(r"# var: (\w+)$", text, re.MULTILINE)
        assert [marker.name for marker in read_pack(name).markers] == written
        assert all(name in variables[one].packs for one in written)
    assert variables
    assert {one.name: wrong_value(one, one.default) for one in variables.values()} == dict.fromkeys(variables, "")


def test_what_a_pack_says_of_a_place_is_a_place_of_its_text() -> None:
    one, _ = two_packs()
    assert one.markers[0].default == ONE[one.markers[0].start : one.markers[0].end] == "5m"
