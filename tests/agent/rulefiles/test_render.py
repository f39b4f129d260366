"""Rendered rules are the shipped ones: the same groups, acceptable to Prometheus, changed where a setting says so."""

import argparse
import io
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import yaml

from tests.agent.rulefiles.pack_texts import two_packs
from tests.servers import need
from wattledger.agent.cli import main, parser
from wattledger.agent.commands.rules_render import render_command
from wattledger.agent.config.document import parse_document
from wattledger.agent.config.problem import Origin
from wattledger.agent.rulefiles import DEFAULT_PACKS, load_pack, pack_names
from wattledger.agent.rulefiles.load import load_rules
from wattledger.agent.rulefiles.packs import Pack
from wattledger.agent.rulefiles.render import KubernetesObject, Rendering, wrong_runbook_base
from wattledger.rules.alerting import AlertingRule, Rule, RuleGroup

Written = list[tuple[object, ...]]


def of_rule(rule: Rule) -> tuple[object, ...]:
    if not isinstance(rule, AlertingRule):
        return rule.record, rule.expression.text, rule.labels
    texts = [(name, text.source) for name, text in (*rule.labels, *rule.annotations)]
    return rule.alert, rule.expression.text, rule.for_ms, rule.keep_firing_for_ms, texts


def of_groups(groups: Iterable[RuleGroup], names: Mapping[str, str]) -> Written:
    return [
        (
            names.get(f"{group.file}/{group.name}", group.name),
            group.interval_ms,
            group.limit,
            *map(of_rule, group.rules),
        )
        for group in groups
    ]


def loaded(text: str) -> Written:
    rules = load_rules(parse_document(text, Origin("r.yml", Path())))
    assert [str(problem) for problem in rules.problems] == []
    return of_groups(rules.groups, {})


def loaded_one_by_one(packs: Iterable[Pack], values: Mapping[str, str]) -> Written:
    documents = (parse_document(pack.text_with(values), pack.origin) for pack in packs)
    groups = [group for document in documents for group in load_rules(document).groups]
    return of_groups(groups, {"two.yml/shared": "two-shared"})


def promtool(text: str, folder: Path) -> None:
    path = folder / "rules.yml"
    path.write_text(text)
    done = subprocess.run(
        [need("promtool", "prometheus"), "check", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "SUCCESS" in done.stdout


def render(*arguments: str, packs: Iterable[str] = DEFAULT_PACKS) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    options = parser().parse_args(["rules", "render", *arguments])
    return render_command(options, tuple(packs), {}, out=out, err=err), out.getvalue(), err.getvalue()


def rendered(*arguments: str) -> str:
    code, text, err = render(*arguments)
    assert (code, err) == (0, "")
    return text


@pytest.mark.parametrize("values", [{}, {"low_ratio": "0.5", "held_for": "2h"}])
def test_merging_keeps_every_group_whatever_the_layout(values: dict[str, str], tmp_path: Path) -> None:
    packs = two_packs()
    text = Rendering(packs, values, "1.0").rule_file()
    assert loaded(text) == loaded_one_by_one(packs, values)
    assert [name for name, *_ in loaded(text)] == ["shared", "two-shared", "other"]
    promtool(text, tmp_path)


def test_comments_come_along_and_the_header_names_what_was_set() -> None:
    text = Rendering(two_packs(), {"low_ratio": "0.5", "held_for": "15m"}, "1.0").rule_file()
    for comment in (
        "# Pack one: what it is for.",
        "# A comment at the margin.",
        "# Twice on purpose.",
        "# Pack two.",
    ):
        assert comment in text
    assert text.startswith("# Rules of wattledger 1.0, packs: one, two.\n# Settings: low_ratio=0.5 (default 0.2).\n")
    assert "# Every setting has its default.\n" in Rendering(two_packs(), {}, "1.0").rule_file()


def test_the_object_of_kubernetes_has_the_same_groups(tmp_path: Path) -> None:
    named = KubernetesObject("gpu-rules", "monitoring", {"release": "kube-prometheus-stack", "on": "true"})
    rendering = Rendering(two_packs(), {"low_for": "2h"}, "1.0")
    made = yaml.safe_load(rendering.kubernetes(named))
    assert made["apiVersion"] == "monitoring.coreos.com/v1"
    assert made["kind"] == "PrometheusRule"
    assert made["metadata"] == {
        "name": "gpu-rules",
        "namespace": "monitoring",
        "labels": {"release": "kube-prometheus-stack", "on": "true"},
    }
    assert list(made["spec"]) == ["groups"]
    assert made["spec"] == yaml.safe_load(rendering.rule_file())
    assert loaded(json.dumps(made["spec"])) == loaded(rendering.rule_file())
    promtool(json.dumps(made["spec"]), tmp_path)


def test_no_namespace_is_written_where_none_was_named() -> None:
    made = yaml.safe_load(Rendering(two_packs(), {}, "1.0").kubernetes(KubernetesObject()))
    assert made["metadata"] == {"name": "wattledger"}


def test_runbooks_get_their_address_and_nothing_else_does() -> None:
    plain = Rendering(two_packs(), {}, "1.0").rule_file()
    linked = Rendering(two_packs(), {}, "1.0", "https://wiki.example/gpu/").rule_file()
    assert linked.count("https://wiki.example/gpu/docs/alerts.md#wattledger") == 2
    assert linked.replace("https://wiki.example/gpu/docs/", "docs/") == plain
    assert yaml.safe_load(linked)["groups"][1]["rules"][0]["annotations"]["runbook_url"] == (
        "https://wiki.example/gpu/docs/alerts.md#wattledgerlow"
    )


@pytest.mark.parametrize(
    "base", ["wiki.example", "https://", "https://a b", "https://a'", "https://{{x}}", "https://a#b"]
)
def test_an_address_that_would_break_the_file_is_refused(base: str) -> None:
    assert wrong_runbook_base(base)
    assert render("--runbook-base", base)[0] == 1


def test_the_shipped_packs_render_as_they_are_shipped(tmp_path: Path) -> None:
    text = rendered()
    groups = [group for name in (*DEFAULT_PACKS, "fleet") for group in load_pack(name, {}).groups]
    assert loaded(text) == of_groups(groups, {})
    promtool(text, tmp_path)
    assert text.count("{{") == sum(
        Path(str(file)).read_text().count("{{") for file in Path("rules/packs").glob("*.yml")
    )


def test_the_shipped_packs_render_for_kubernetes(tmp_path: Path) -> None:
    made = yaml.safe_load(rendered("--kubernetes", "--label", "release=prometheus"))
    assert made["spec"] == yaml.safe_load(rendered())
    assert made["metadata"] == {"name": "wattledger", "labels": {"release": "prometheus"}}
    promtool(json.dumps(made["spec"]), tmp_path)


def test_a_setting_changes_exactly_the_places_that_it_marks() -> None:
    before, after = rendered().splitlines(), rendered("--var", "held_warning=77m").splitlines()
    differing = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert differing[0][1].startswith("# Settings: held_warning=77m")
    assert [(old.replace("15m", "77m"), "# var: held_warning" in new) for old, new in differing[1:]] == [
        (new, True) for _, new in differing[1:]
    ]
    assert len(differing) == 1 + sum(line.endswith("# var: held_warning") for line in before)


def test_packs_and_fleet_are_chosen() -> None:
    assert "# ---- pack fleet" not in rendered("--no-fleet")
    assert [line for line in rendered("--pack", "power").splitlines() if line.startswith("# ----")] == [
        "# ---- pack power",
        "# ---- pack fleet",
    ]


def test_the_table_lists_every_setting_with_its_default() -> None:
    lines = rendered("--list-vars", "--var", "held_warning=20m").splitlines()
    assert lines[0].split() == ["setting", "default", "set", "to", "packs"]
    assert ["held_warning", "15m", "20m", "idle"] in [line.split() for line in lines]
    assert ["held_notice", "5m", "-", "idle"] in [line.split() for line in lines]


def test_every_pack_is_listed_with_what_it_is_for() -> None:
    lines = rendered("--list-packs").splitlines()
    assert [line.split()[0] for line in lines] == list(pack_names())
    assert all(20 < len(line) < 200 for line in lines)
    assert [pack.title for pack in two_packs()] == ["what it is for", "Pack two"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--pack", "idel"], "pack idel: is no pack of rules; did you mean `idle`?"),
        (
            ["--var", "held_warnin=5m"],
            "setting held_warnin: is no setting of these packs; did you mean `held_warning`?",
        ),
        (["--var", "held_warning=5"], "setting held_warning: `5` has no unit; write 5s or 5m"),
        (["--pack", "power", "--var", "held_warning=5m"], "setting held_warning: belongs to the pack idle"),
        (["--name", "x"], "--name: belongs to --kubernetes"),
        (["--label", "a=b"], "--label: belongs to --kubernetes"),
        (["--kubernetes", "--name", "A_b"], "--name A_b: is no name of an object"),
        (["--kubernetes", "--namespace", "a.b"], "--namespace a.b: is no namespace"),
        (["--kubernetes", "--label", "a b=c"], "`a b` is no name of a label"),
        (["--kubernetes", "--label", "a=b c"], "`b c` is no value of a label"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_printed(arguments: list[str], told: str) -> None:
    code, out, err = render(*arguments)
    assert (code, out) == (1, "")
    assert told in err


def test_a_setting_of_the_configuration_may_belong_to_a_pack_that_is_not_rendered() -> None:
    out, err = io.StringIO(), io.StringIO()
    options = parser().parse_args(["rules", "render", "--pack", "power"])
    assert render_command(options, DEFAULT_PACKS, {"held_warning": "20m"}, out=out, err=err) == 0
    assert err.getvalue() == ""


def test_a_flag_overrides_the_configuration() -> None:
    out = io.StringIO()
    options = parser().parse_args(["rules", "render", "--var", "held_warning=30m"])
    render_command(options, DEFAULT_PACKS, {"held_warning": "20m", "held_notice": "6m"}, out=out)
    assert "# Settings: held_notice=6m (default 5m), held_warning=30m (default 15m)." in out.getvalue()


def test_packs_and_settings_come_from_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "w.yml"
    config.write_text("rules: {packs: [idle], vars: {held_warning: 25m, host_avoidable_ratio: 0.5}}\n")
    assert main(["rules", "render", "--config", str(config)]) == 0
    text = capsys.readouterr().out
    assert "packs: idle, fleet.\n" in text
    assert "# Settings: held_warning=25m (default 15m), host_avoidable_ratio=0.5 (default 0.2)." in text


@pytest.mark.parametrize("arguments", [["--var", "x"], ["--label", "=x"], ["--nonsense"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["rules", "render", *arguments])
    assert left.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage: wattledger" in captured.err


def test_the_help_explains_every_option_and_warns_of_helm() -> None:
    (commands,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    (kinds,) = (a for a in commands.choices["rules"]._actions if isinstance(a, argparse._SubParsersAction))
    help_text = kinds.choices["render"].format_help()
    assert "Helm" in help_text
    assert all(action.help for action in kinds.choices["render"]._actions)


def test_every_pack_can_be_rendered_alone() -> None:
    for name in pack_names():
        assert loaded(rendered("--no-fleet", "--pack", name)) == of_groups(load_pack(name, {}).groups, {})
