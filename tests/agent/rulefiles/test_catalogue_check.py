"""What rules read is held against the catalogue: our metrics must exist, anything else is worth a word."""

import subprocess
from pathlib import Path

import pytest

from tests.servers import need
from wattledger.agent.cli import main
from wattledger.agent.config.document import parse_document
from wattledger.agent.config.problem import Origin
from wattledger.agent.rulefiles import FLEET_PACK, Findings, LoadedRules, catalogue_findings, load_pack, pack_names
from wattledger.agent.rulefiles.label_values import closed_labels
from wattledger.agent.rulefiles.load import load_rules
from wattledger.exporter.catalog import FAMILIES
from wattledger.rules.feeds.fallback import FeedState
from wattledger.rules.state import State


def load(text: str) -> LoadedRules:
    loaded = load_rules(parse_document(text, Origin("r.yml", Path())))
    assert loaded.problems == ()
    return loaded


def found(expression: str) -> Findings:
    text = f"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      {expression}\n"
    return catalogue_findings([load(text)])


@pytest.mark.parametrize(
    "expression",
    [
        'wattledger_gpu_state{state="held"} == 1',
        'wattledger_gpu_state{state=~"held|parked", instance="a", cluster=~"b.*"}',
        'wattledger_gpu_state{state=~".*d", gpu="3", uuid!="x"}',
        'wattledger_gpu_baseline_watts{kind="bare",origin!="prior"}',
        'rate(wattledger_gpu_pcie_bytes_total{direction="receive"}[5m])',
        'wattledger_gpu_xid_errors_total{xid="79"} or wattledger_gpu_owner_info{owner="anyone"}',
        'wattledger_gpu_absent_info{value="device",reason="lost"}',
        'wattledger_gpu_clock_event_active{reason="hw_slowdown"}',
        'wattledger_source_success{source="nvml"} == 0',
        'ALERTS{alertname="x",anything="goes"} or ALERTS_FOR_STATE',
        '{__name__=~"wattledger_gpu_.*_joules_total", gpu="0"}',
        'wattledger_gpu_up{rack=""} or wattledger_gpu_up{unheard_of=""}',
        'wattledger_http_requests_total{code="500"}',
        'wattledger_emissions_grams_total{accounting="market",boundary="facility",zone="CN-ZJ"}',
        'wattledger_carbon_intensity_grams_per_kwh{kind!="factor",signal="average",factors="direct",gas="co2"}',
        'wattledger_feed_state_info{feed="supply:roof",level="0",state=~"late|stale"}',
        'wattledger_feed_failures_total{reason="timeout"} or wattledger_feed_skipped_values_total{reason="null"}',
        'wattledger_supply_energy_joules_total{layer!="grid"}',
        'wattledger_node_power_watts{source="rapl"} or wattledger_node_basis_info{basis="metered"}',
        'wattledger_facility_loss_joules_total{stage="ups"}',
    ],
)
def test_what_the_host_has_is_nothing_to_speak_of(expression: str) -> None:
    assert found(expression) == Findings((), ())


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        (
            'wattledger_gpu_stat{state="held"}',
            "A: wattledger has no metric `wattledger_gpu_stat`; did you mean `wattledger_gpu_state`?",
        ),
        (
            "1 - absent(wattledger_gpu_energy_joules)",
            "no metric `wattledger_gpu_energy_joules`; did you mean `wattledger_gpu_energy_joules_total`?",
        ),
        ("wattledger_zzzzzzzzzzzzzzzzzzzzzzzzzz", "docs/metrics.md lists them"),
    ],
)
def test_a_metric_of_ours_that_does_not_exist_is_a_problem(expression: str, told: str) -> None:
    findings = found(expression)
    assert findings.warnings == ()
    (problem,) = findings.problems
    assert str(problem).startswith("r.yml:5:11: groups[0].rules[0].expr: A: ")
    assert told in str(problem)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ('wattledger_gpu_state{stat="held"}', "`wattledger_gpu_state` has no label `stat`; did you mean `state`?"),
        (
            'wattledger_gpu_up{zzz!="1"}',
            "has no label `zzz`; it has gpu, uuid; only a Prometheus that adds the label",
        ),
        ('wattledger_tick_duration_seconds{zz="1"}', "it has none of its own"),
        (
            'wattledger_gpu_state{state="hold"}',
            "state is never `hold` in `wattledger_gpu_state`; did you mean `held`?",
        ),
        ('wattledger_gpu_state{state!="hold"}', "did you mean `held`?"),
        ('wattledger_gpu_state{state=~"held|parkd"}', "state is never `parkd` in `wattledger_gpu_state`"),
        ('wattledger_gpu_state{state!~"x.*"}', "state is never `x.*`"),
        ('wattledger_gpu_power_watts{reading="mean"}', "there are average, instant"),
        ('wattledger_gpu_throttle_seconds_total{reason="thermal"}', "did you mean `sw_thermal`?"),
        ('wattledger_gpu_absent_info{reason="gone"}', "there are unsupported, no_permission"),
        ('wattledger_source_info{source="nvm"}', "did you mean `nvml`?"),
        ('wattledger_source_failure_info{reason="gone"}', "there are unsupported, no_permission"),
        ('wattledger_gpu_energy_method_joules_total{method="guess"}', "there are counter, average_power"),
        ('wattledger_emissions_grams_total{accounting="place"}', "there are location, market"),
        ('wattledger_cost_total{boundary="house"}', "there are gpu, node, facility"),
        ('wattledger_supply_energy_joules_total{layer="on_site"}', "did you mean `onsite`?"),
        ('wattledger_feed_state_info{state="held"}', "there are fresh, late, stale"),
        ('wattledger_carbon_intensity_grams_per_kwh{kind="measured"}', "there are actual, estimated, forecast"),
        ('wattledger_feed_failures_total{reason="null"}', "there are unreachable, timeout, unauthorized"),
        ('wattledger_node_power_watts{source="nvml"}', "there are rapl, hwmon, ipmi, redfish"),
        ("up == 0", "nothing on this host is named `up`; the rule can work only in a Prometheus that has it"),
        ("wattledger:gpu_power_wats", "no rule here records `wattledger:gpu_power_wats`"),
        (
            '{__name__=~"wattledger_cpu_.*"}',
            'no metric of this host has a name such as `{__name__=~"wattledger_cpu_.*"}`',
        ),
    ],
)
def test_what_only_another_prometheus_could_have_is_a_warning(expression: str, told: str) -> None:
    findings = found(expression)
    assert findings.problems == ()
    (warning,) = findings.warnings
    assert str(warning).startswith("r.yml:5:11: groups[0].rules[0].expr: A: ")
    assert told in str(warning)


def test_the_same_thing_is_told_once_for_each_rule() -> None:
    assert len(found("wattledger_a_b_c / (wattledger_a_b_c offset 5m)").problems) == 1


RECORDS = "groups:\n- name: g\n  rules:\n  - {record: 'wattledger_own:sum', expr: 'sum(wattledger_gpu_up)'}\n"
READS = "groups:\n- name: h\n  rules:\n  - {alert: B, expr: 'wattledger_own:sum{any=\"label\"}'}\n"


def test_what_one_file_records_others_may_read() -> None:
    assert catalogue_findings([load(RECORDS), load(READS)]) == Findings((), ())
    assert catalogue_findings([load(READS)], recorded=["wattledger_own:sum"]) == Findings((), ())
    assert len(catalogue_findings([load(READS)]).problems) == 1


TEXTS = """\
groups:
- name: g
  labels:
    owner: '{{ with query "wattledger_gpu_owner_inf" }}{{ . | first | label "owner" }}{{ end }}'
  rules:
  - alert: A
    expr: wattledger_gpu_up == 0
    annotations:
      summary: |
        GPU {{ $labels.gpu }}
        {{ range query (printf "wattledger_gpu_owner_info{gpu=%q,uuidd='%s'}" .Labels.gpu .Labels.uuid) }}{{ end }}
      description: |
        {{ query (printf "wattledger_gpu_baseline_wats{kind=%q}" $value) | len }}
        {{ query (printf "wattledger_gpu_%s{kindd='%s'}" .Labels.a .Labels.b) | len }}
        {{ query (printf "wattledger_gpu_baseline_watts{kind='%s'}" .Labels.a) | len }}
        {{ query .Labels.text | len }}
"""


def test_queries_in_texts_are_checked_as_far_as_they_are_written_out() -> None:
    findings = catalogue_findings([load(TEXTS)])
    owner, watts = map(str, findings.problems)
    assert owner.startswith("r.yml:4:12: groups[0].rules[0].labels.owner: A: at 1:9 of the template: ")
    assert owner.endswith("no metric `wattledger_gpu_owner_inf`; did you mean `wattledger_gpu_owner_info`?")
    assert watts.startswith("r.yml:12:20: groups[0].rules[0].annotations.description: A: at 1:4 of the template: ")
    assert watts.endswith("no metric `wattledger_gpu_baseline_wats`; did you mean `wattledger_gpu_baseline_watts`?")
    (warning,) = findings.warnings
    assert "annotations.summary: A: at 2:10 of the template: `wattledger_gpu_owner_info` has no label `uuidd`" in str(
        warning
    )


def test_closed_labels_come_from_the_catalogue() -> None:
    closed = closed_labels()
    names = {family.name: family.all_labels for family in FAMILIES}
    assert all(set(labels) <= set(names[name]) for name, labels in closed.items())
    # Free text, states of requests, and those of feeds.
    others = {"wattledger_gpu_state_detail_info", "wattledger_service_requests", "wattledger_feed_state_info"}
    states = {name for name, labels in names.items() if "state" in labels} - others
    assert states
    assert all(set(closed[name]["state"]) == set(State) for name in states)
    assert set(closed["wattledger_service_requests"]["state"]) == {"running", "waiting"}
    assert set(closed["wattledger_feed_state_info"]["state"]) == set(FeedState)
    assert "pod" in closed["wattledger_workload_energy_joules_total"]["kind"]
    assert set(closed["wattledger_gpu_clock_hertz"]["domain"]) == {"graphics", "sm", "memory", "video"}
    # Free texts, and numbers of the vendor, are never closed.
    assert not {"owner", "xid", "path", "detail", "file", "rule", "code", "zone", "feed", "level"} & {
        label for one in closed.values() for label in one
    }


@pytest.mark.parametrize("name", pack_names())
def test_the_shipped_packs_read_only_what_there_is(name: str) -> None:
    others = [load_pack(other, {}) for other in pack_names() if other != name]
    records = [rule.name for file in others for group in file.groups for rule in group.rules]
    if name == FLEET_PACK:
        records.append("up")  # of Prometheus itself, where alone this pack works
    findings = catalogue_findings([load_pack(name, {})], recorded=records)
    assert [str(finding) for finding in (*findings.problems, *findings.warnings)] == []


def check(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, list[str]]:
    path = tmp_path / "rules.yml"
    path.write_text(text)
    code = main(["check", str(path)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err.replace(f"{path}:", "").splitlines()


def test_check_refuses_a_misspelt_metric_that_promtool_accepts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: wattledger_gpu_stat > up}\n"
    code, out, err = check(text, tmp_path, capsys)
    assert (code, out) == (1, "")
    assert err[0].startswith("4:22: groups[0].rules[0].expr: A: wattledger has no metric")
    assert err[1].startswith("warning: 4:22: groups[0].rules[0].expr: A: nothing on this host is named `up`")
    path = tmp_path / "rules.yml"
    promtool = [need("promtool", "prometheus"), "check", "rules", str(path)]
    assert subprocess.run(promtool, capture_output=True, timeout=60, check=False).returncode == 0


def test_check_tells_duplicates_and_lets_them_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = "  - {record: 'wattledger:up', expr: wattledger_gpu_up}\n"
    code, out, err = check(f"groups:\n- name: g\n  rules:\n{rule}{rule}", tmp_path, capsys)
    assert (code, out) == (0, f"{tmp_path / 'rules.yml'}: ok\n")
    (line,) = err
    assert line.startswith(
        "warning: 5:5: groups[0].rules[1]: `wattledger:up` with the same labels stands in line 4 too"
    )


def test_check_knows_what_the_packs_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'wattledger:gpu_power_watts > 5'}\n"
    assert check(text, tmp_path, capsys) == (0, f"{tmp_path / 'rules.yml'}: ok\n", [])


def test_check_stops_at_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'sum('}\n  - {alert: B, expr: wattledger_gpu_stat}\n"
    code, out, err = check(text, tmp_path, capsys)
    assert (code, out, len(err)) == (1, "", 1)
