"""Random rules and series, and the unit test that states all that comes of them here; who runs it is unknown here."""

import json
import random
from pathlib import Path
from typing import Any

from wattledger.agent.rulefiles.load import load_rule_file
from wattledger.agent.rulefiles.memory_storage import MemoryStorage
from wattledger.agent.rulefiles.notation import parse_values
from wattledger.agent.rulefiles.unit_report import labels_text
from wattledger.rules.alerting import AlertState, GroupEngine
from wattledger.rules.promql.expression import compile_expression
from wattledger.rules.promql.model import Vector

MINUTES = 30
# Input lies 61 s apart and starts late, so that no sample is ever exactly as old as the lookback: there 2.42 differs.
STEP_S = 61
SERIES_QUERIES = ("ALERTS", "ALERTS_FOR_STATE", "r0", "r1", "count(ALERTS) by (alertname)", "s")


def random_rules(chance: random.Random) -> list[dict[str, Any]]:
    """Give a chain of rules: alerts of all kinds, recorded series that later rules read."""
    rules: list[dict[str, Any]] = [
        {"record": f"r{n}", "expr": f"m{{x='{n}'}} > {chance.choice((1, 2, 3))}"} for n in (0, 1)
    ]
    for number in range(4):
        rule: dict[str, Any] = {
            "alert": f"A{chance.randrange(3)}",
            "expr": chance.choice(
                ("m > 2", "m > bool 2 == 1", "r0 or r1", "sum by (x) (m) >= 3", "absent(r0)", "m != 2")
            ),
            "labels": {"rule": f"{number}{{{{ if gt $value 3.5 }}}}high{{{{ end }}}}"},
            "annotations": {"text": "{{ $labels.x }} is {{ $value }}"},
        }
        if chance.random() < 0.7:
            rule["for"] = chance.choice(("30s", "1m", "2m", "3m", "5m"))
        if chance.random() < 0.5:
            rule["keep_firing_for"] = chance.choice(("30s", "1m", "3m", "4m"))
        rules.append(rule)
    rules.append({"record": "s", "expr": "count(ALERTS{alertstate='firing'})", "labels": {"level": "host"}})
    return rules


def random_values(chance: random.Random) -> str:
    parts = ["_"]
    while len(parts) < 9:
        parts.append(chance.choice(("{n}x{k}", "{n}+1x{k}", "{n}-1x{k}", "_x{k}", "stale", "{n}")))
    return " ".join(p.format(n=chance.randrange(6), k=chance.randrange(1, 6)) for p in parts)


def expectations(folder: Path, name: str, series: dict[str, str], *, step_s: int) -> dict[str, Any]:
    """Evaluate the rules here, minute by minute, and write down all that is found as a unit test."""
    (group,) = load_rule_file(folder / name).groups
    storage, engine = MemoryStorage(), GroupEngine(group)
    for x, values in series.items():
        labels = (("__name__", "m"), ("x", x))
        storage.add_input(labels, parse_values(values), start_ms=0, interval_ms=step_s * 1000)
    alert_tests, expression_tests = [], []
    for minute in range(MINUTES + 1):
        storage.appear_until(minute * 60_000)
        engine.evaluate(storage, minute * 60_000)
        assert engine.errors() == ()
        for alertname in ("A0", "A1", "A2"):
            firing = [
                {"exp_labels": dict(alert.labels), "exp_annotations": dict(alert.annotations)}
                for rule, alert in engine.alerts()
                if rule.alert == alertname and alert.state is AlertState.FIRING
            ]
            alert_tests.append({"eval_time": f"{minute}m", "alertname": alertname, "exp_alerts": firing})
    for minute in range(MINUTES + 1):
        for query in SERIES_QUERIES:
            result = compile_expression(query).evaluate(storage, minute * 60_000)
            assert isinstance(result, Vector)
            samples = [{"labels": labels_text(one.labels), "value": one.value} for one in result.elements]
            expression_tests.append({"expr": query, "eval_time": f"{minute}m", "exp_samples": samples})
    loaded = [{"series": f'm{{x="{x}"}}', "values": values} for x, values in series.items()]
    return {
        "interval": f"{step_s}s",
        "input_series": loaded,
        "alert_rule_test": alert_tests,
        "promql_expr_test": expression_tests,
    }


def written(folder: Path, seed: int, *, step_s: int = STEP_S) -> str:
    """Write a random rule file and the unit test of what it does; give the test's name."""
    chance = random.Random(seed)  # noqa: S311  (cases, not secrets)
    rules = {"groups": [{"name": "g", "rules": random_rules(chance)}]}
    (folder / f"rules{seed}.yml").write_text(json.dumps(rules))
    series = {str(x): random_values(chance) for x in range(3)}
    test = expectations(folder, f"rules{seed}.yml", series, step_s=step_s)
    (folder / f"test{seed}.yml").write_text(json.dumps({"rule_files": [f"rules{seed}.yml"], "tests": [test]}))
    return f"test{seed}.yml"


def count_of(folder: Path, files: list[str]) -> tuple[int, int]:
    """Give how many alerts and how many samples the tests expect."""
    alerts = samples = 0
    for file in files:
        (test,) = json.loads((folder / file).read_text())["tests"]
        alerts += sum(len(one["exp_alerts"]) for one in test["alert_rule_test"])
        samples += sum(len(one["exp_samples"]) for one in test["promql_expr_test"])
    return alerts, samples
