"""The shipped packs: Prometheus takes them as they are, each alert is tested, documented and reads what exists."""

import io
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.prometheus3 import Program, prometheus3
from tests.servers import need
from wattledger.agent.config.document import read_document
from wattledger.agent.rulefiles import LoadedRules, load_rule_file, run_rule_tests
from wattledger.agent.rulefiles.unit_tests import UnitTestFile, read_unit_tests
from wattledger.exporter.catalog import FAMILIES
from wattledger.rules.alerting import AlertingRule, RecordingRule
from wattledger.rules.history import interests_of
from wattledger.rules.promql.expression import Expression, compile_expression
from wattledger.rules.promql.matcher import Matcher, MatchOp
from wattledger.rules.promql.model import METRIC_NAME
from wattledger.rules.templates import Template

ROOT = Path(__file__).parents[3]
TESTS = Path(__file__).parent
PACKS = tuple(sorted((ROOT / "rules" / "packs").glob("*.yml")))
ALERTS_PAGE = ROOT / "docs" / "alerts.md"
RUNBOOK = "docs/alerts.md#"
SEVERITIES = {"info", "warning", "critical"}
TARGET_LABELS = {"cluster", "instance", "job"}  # what a scrape configuration adds to every series

OF_THE_SCRAPE: dict[str, tuple[str, ...]] = {"up": ()}  # a series of Prometheus itself, with the labels of the target
LABELS_OF = {family.name: family.all_labels for family in FAMILIES} | OF_THE_SCRAPE
OPTIONAL_LABELS_OF = {family.name: frozenset(family.optional_labels) for family in FAMILIES} | {
    "up": frozenset[str]()
}
# What a scrape makes of labels of ours that it has itself, unless it honours ours.
EXPORTED_LABELS = {"exported_job", "exported_namespace"}
# Those of a service whose models share its energy, and of a file without a zone; Prometheus has no empty labels.
EMPTY_LABELS = {"model", "zone"}

# The last number or duration before the comment is the default.
MARKER = re.compile(r"^(?P<code>[^#]*)#\s*var:(?P<name>.*)$", re.MULTILINE)
LITERAL = re.compile(r"(?<![\w.])(?:\d+(?:ms|[smhdwy]))+(?![\w.])|(?<![\w.])\d+(?:\.\d+)?(?![\w.])")

each_pack = pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.stem)


@cache
def rules_of(pack: Path) -> LoadedRules:
    return load_rule_file(pack)


@cache
def unit_tests_of(pack: Path) -> UnitTestFile:
    return read_unit_tests(read_document(unit_test_file(pack)))


def unit_test_file(pack: Path) -> Path:
    return TESTS / f"{pack.stem}.test.yml"


def alerts_of(pack: Path) -> list[AlertingRule]:
    return [rule for group in rules_of(pack).groups for rule in group.rules if isinstance(rule, AlertingRule)]


def recorded_by(pack: Path) -> set[str]:
    rules = (rule for group in rules_of(pack).groups for rule in group.rules)
    return {rule.record for rule in rules if isinstance(rule, RecordingRule)}


def severity_of(rule: AlertingRule) -> str:
    return dict(rule.labels)["severity"].source


def variables_of(pack: Path) -> list[tuple[str, str]]:
    """Give name and default at each marker, an empty default where no literal stands before it."""
    found = []
    for marker in MARKER.finditer(pack.read_text()):
        literals = LITERAL.findall(marker["code"])
        found.append((marker["name"].strip(), literals[-1] if literals else ""))
    return found


def all_variables() -> dict[str, str]:
    return {name: default for pack in PACKS for name, default in variables_of(pack)}


def queries_of(template: Template) -> Iterator[Expression]:
    for use in template.queries():
        assert use.text is not None, f"what `{template.source}` reads is known only when it is expanded"
        yield compile_expression(use.text)


def matchers_of(expression: Expression) -> Iterator[tuple[str, list[Matcher]]]:
    """Give the metric name of each selector and its other conditions."""
    for selector in expression.selectors():
        names = [one.value for one in selector.matchers if one.name == METRIC_NAME and one.op is MatchOp.EQUAL]
        assert len(names) == 1, f"a selector of `{expression.text}` leaves the metric open"
        yield names[0], [one for one in selector.matchers if one.name != METRIC_NAME]


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [need("promtool", "prometheus"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@each_pack
def test_promtool_takes_the_pack_without_a_warning(pack: Path) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", str(pack))
    assert (done.returncode, done.stderr) == (0, "")
    count = sum(len(group.rules) for group in rules_of(pack).groups)
    assert done.stdout == f"Checking {pack}\n  SUCCESS: {count} rules found\n\n"
    assert count > 0


@each_pack
def test_our_loader_takes_the_pack_without_a_warning(pack: Path) -> None:
    assert (rules_of(pack).problems, rules_of(pack).warnings) == ((), ())


@each_pack
def test_promtool_and_we_find_the_unit_tests_to_hold(pack: Path) -> None:
    done = promtool("test", "rules", str(unit_test_file(pack)))
    out, err = io.StringIO(), io.StringIO()
    code = run_rule_tests([unit_test_file(pack)], out, err)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert (code, err.getvalue()) == (0, ""), err.getvalue()
    assert out.getvalue() == done.stdout


@pytest.mark.nightly
@each_pack
def test_promtool_3_finds_the_unit_tests_to_hold(pack: Path, request: pytest.FixtureRequest) -> None:
    command = [prometheus3(Program.PROMTOOL, request.config), "test", "rules", str(unit_test_file(pack))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@each_pack
def test_the_unit_tests_are_of_their_pack(pack: Path) -> None:
    (rule_file,) = unit_tests_of(pack).rule_files
    assert (TESTS / rule_file).resolve() == pack
    assert unit_tests_of(pack).tests


@each_pack
def test_expressions_are_written_out(pack: Path) -> None:
    """Prometheus 2 reads the name of a YAML alias as the expression, or as the name of the rule."""
    assert re.findall(r"^\s*-?\s*(?:expr|alert|record): *[*&].*$", pack.read_text(), re.MULTILINE) == []


@each_pack
def test_each_alert_tells_what_where_and_what_to_do(pack: Path) -> None:
    anchors = {heading.lower() for heading in headings()}
    for rule in alerts_of(pack):
        texts = {name: template.source for name, template in rule.annotations}
        assert set(texts) == {"summary", "description", "runbook_url"}, rule.alert
        assert rule.alert.startswith("Wattledger")
        assert severity_of(rule) in SEVERITIES, rule.alert
        assert "\n" not in texts["summary"].strip(), rule.alert
        assert texts["runbook_url"] == RUNBOOK + rule.alert.lower()
        assert texts["runbook_url"].removeprefix(RUNBOOK) in anchors, f"{rule.alert} has no section in {ALERTS_PAGE}"


def test_severities_of_an_alert_differ() -> None:
    told = [(rule.alert, severity_of(rule)) for pack in PACKS for rule in alerts_of(pack)]
    # One alert may have several rules of a severity where their conditions exclude each other: none does so far.
    assert sorted(set(told)) == sorted(told)


@each_pack
def test_each_series_that_a_rule_reads_exists(pack: Path) -> None:
    recorded = recorded_by(pack)
    groups = rules_of(pack).groups
    expressions = [expression for group in groups for expression in group.expressions()]
    expressions += [query for group in groups for template in group.templates() for query in queries_of(template)]
    for expression in expressions:
        for name, matchers in matchers_of(expression):
            if name in recorded:
                continue
            assert name in LABELS_OF, f"no family {name}: {expression.text}"
            known = {*LABELS_OF[name], *OPTIONAL_LABELS_OF[name], *TARGET_LABELS}
            unknown = {matcher.name for matcher in matchers} - known
            assert unknown == set(), f"{name} has no label {unknown}: {expression.text}"


@each_pack
def test_the_history_of_a_host_keeps_only_what_the_pack_names(pack: Path) -> None:
    """A query in a text whose name may be filled in by printf would have every series of the page kept."""
    assert interests_of(rules_of(pack).groups).names() is not None


@each_pack
def test_each_series_that_a_unit_test_feeds_in_exists(pack: Path) -> None:
    recorded = recorded_by(pack)
    for test in unit_tests_of(pack).tests:
        for series in test.input_series:
            labels = dict(series.labels)
            name = labels.pop(METRIC_NAME)
            assert name not in recorded, f"{test.name}: feed in what {name} is made of"
            assert name in LABELS_OF, f"{test.name}: no family {name}"
            optional = OPTIONAL_LABELS_OF[name] | EXPORTED_LABELS if OPTIONAL_LABELS_OF[name] else frozenset()
            given, wanted = set(labels) - TARGET_LABELS - optional, set(LABELS_OF[name])
            complete = given <= wanted and (name.endswith("_info") or wanted - given <= EMPTY_LABELS)
            assert complete, f"{test.name}: {name} has the labels {sorted(wanted)}, not {sorted(given)}"


@each_pack
def test_each_alert_is_seen_firing_in_each_severity_and_quiet(pack: Path) -> None:
    asked = [alert for test in unit_tests_of(pack).tests for alert in test.alert_tests]
    firing = {(one.alertname, dict(found.labels)["severity"]) for one in asked for found in one.expected}
    quiet = {one.alertname for one in asked if not one.expected}
    rules = alerts_of(pack)
    assert {(rule.alert, severity_of(rule)) for rule in rules} == firing
    assert {rule.alert for rule in rules} <= quiet


@each_pack
def test_each_recorded_series_is_compared_or_read_by_an_alert(pack: Path) -> None:
    asked = [one for test in unit_tests_of(pack).tests for one in test.expression_tests if one.expected]
    expressions = [compile_expression(one.expr) for one in asked] + [rule.expression for rule in alerts_of(pack)]
    assert recorded_by(pack) <= {name for expression in expressions for name, _ in matchers_of(expression)}
    assert all(name.startswith("wattledger:") for name in recorded_by(pack))


def test_a_setting_has_one_default_wherever_it_stands() -> None:
    settings = {setting for pack in PACKS for setting in variables_of(pack)}
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) and default for name, default in settings), settings
    assert len({name for name, _ in settings}) == len(settings), sorted(settings)


@each_pack
def test_each_time_that_an_alert_waits_can_be_set(pack: Path) -> None:
    waits = re.findall(r"^ *(?:for|keep_firing_for):.*$", pack.read_text(), re.MULTILINE)
    assert [wait for wait in waits if not MARKER.search(wait)] == []


def headings() -> list[str]:
    return re.findall(r"^### (Wattledger\w+)$", ALERTS_PAGE.read_text(), re.MULTILINE)


def test_the_page_of_alerts_has_a_section_for_each_alert_and_no_other() -> None:
    assert sorted(headings()) == sorted({rule.alert for pack in PACKS for rule in alerts_of(pack)})


def test_the_page_of_alerts_lists_each_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", ALERTS_PAGE.read_text(), re.MULTILINE)
    assert set(rows) == set(all_variables().items())


def test_the_page_of_alerts_lists_each_recorded_series() -> None:
    text = ALERTS_PAGE.read_text()
    assert [name for pack in PACKS for name in sorted(recorded_by(pack)) if f"`{name}`" not in text] == []


def test_alertmanager_takes_the_configuration_of_the_page(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", ALERTS_PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (configuration,) = [block for block in blocks if "inhibit_rules:" in block]
    path = tmp_path / "alertmanager.yml"
    path.write_text(configuration)
    command = [need("amtool", "prometheus-alertmanager"), "check-config", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
