# ruff: noqa: E501  (lines of YAML stand whole)
"""Unit-test files of rules, with the rule files they name: what holds and what does not; who runs them is unknown here."""

import json

RULES = {
    "idle.yml": """
groups:
- name: recorded
  rules:
  - record: gpu:power_watts:sum
    expr: sum by (gpu) (power_watts)
  - record: host:power_watts:sum
    expr: sum(gpu:power_watts:sum)
    labels: {level: host, empty: ""}
- name: alerts
  rules:
  - alert: Idle
    expr: power_watts{state="held"} > 50
    for: 5m
    labels: {severity: warning, from: "{{ $externalLabels.cluster }}", nothing: "{{ if false }}x{{ end }}"}
    annotations:
      summary: GPU {{ $labels.gpu }} draws {{ $value | humanize }}W and does nothing
      link: "{{ $externalURL }}/x"
  - alert: Kept
    expr: power_watts > 100
    keep_firing_for: 3m
  - alert: Total
    expr: host:power_watts:sum > 200
    annotations:
      sum: '{{ with query "host:power_watts:sum" }}{{ . | first | value }}{{ end }}'
""",
    "limit.yml": """
groups:
- name: limited
  limit: 1
  rules:
  - alert: Many
    expr: power_watts > 0
""",
    "limit_record.yml": """
groups:
- name: limited
  limit: 1
  rules:
  - record: many
    expr: power_watts
""",
    "same_labels.yml": """
groups:
- name: g
  rules:
  - alert: Same
    expr: power_watts > 0
    labels: {gpu: one, state: one}
""",
    "same_series.yml": """
groups:
- name: g
  rules:
  - record: same
    expr: power_watts
    labels: {gpu: one, state: one}
""",
    "matrix.yml": """
groups:
- name: g
  rules:
  - alert: A
    expr: '"text"'
""",
    "subquery.yml": """
groups:
- name: g
  rules:
  - record: steps
    expr: count_over_time(vector(1)[4m10s:])
""",
    "broken.yml": "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum((\n",
    "chain.yml": """
groups:
- name: second
  rules:
  - record: b
    expr: a + 1
- name: first
  rules:
  - record: a
    expr: power_watts + 1
""",
}

INPUT = """
  input_series:
  - {series: 'power_watts{gpu="0", state="held"}', values: '60x3 120x6 _x3 60x20'}
  - {series: 'power_watts{gpu="1", state="active"}', values: '300+10x4 stale _x3 50x4'}
"""


# Groups that are not put in order promtool evaluates in any.
IN_ORDER = "group_eval_order: [recorded, alerts]\n"


def one_test(body: str, *, rules: str = "idle.yml", head: str = IN_ORDER) -> str:
    """Give a file with one test over INPUT."""
    return f"rule_files: [{rules}]\n{head}tests:\n- interval: 1m\n  name: n\n{INPUT}{body}"


HOLDS = {
    "nothing is expected": one_test(""),
    "an alert fires after its time": one_test(
        """  external_labels: {cluster: c1}
  external_url: http://h/p
  alert_rule_test:
  - {eval_time: 4m, alertname: Idle}
  - eval_time: 5m
    alertname: Idle
    exp_alerts:
    - exp_labels: {gpu: "0", state: held, severity: warning, from: c1}
      exp_annotations: {summary: GPU 0 draws 120W and does nothing, link: http://h/p/x}
"""
    ),
    "between two evaluations the earlier counts": one_test(
        "  alert_rule_test:\n  - {eval_time: 4m59s, alertname: Idle}\n  - {eval_time: 4m1s, alertname: Idle}\n"
    ),
    "an alert is kept firing": one_test(
        """  alert_rule_test:
  - {eval_time: 13m, alertname: Kept, exp_alerts: [{exp_labels: {gpu: "0", state: held}}]}
  - {eval_time: 6m, alertname: Kept, exp_alerts: [{exp_labels: {gpu: "0", state: held}}, {exp_labels: {gpu: "1", state: active}}]}
  - {eval_time: 30m, alertname: Kept, exp_alerts: []}
"""
    ),
    "recorded series": one_test(
        """  promql_expr_test:
  - {expr: "host:power_watts:sum", eval_time: 2m, exp_samples: [{labels: 'host:power_watts:sum{level="host"}', value: 380}]}
  - {expr: "gpu:power_watts:sum", eval_time: 6m, exp_samples: [{labels: 'gpu:power_watts:sum{gpu="0"}', value: 1.2e2}]}
  - {expr: "count_over_time(power_watts[9m30s])", eval_time: 9m, exp_samples: [
      {labels: '{gpu="1", state="active"}', value: 6}, {labels: '{state="held", gpu="0"}', value: 10}]}
  - {expr: "nothing", eval_time: 2m}
  - {expr: "1 + 1", eval_time: 0, exp_samples: [{value: 2}]}
  - {expr: "1 + 1", eval_time: 0, exp_samples: [{labels: '{}', value: 2.0}]}
"""
    ),
    "series of alerts": one_test(
        """  promql_expr_test:
  - {expr: "ALERTS{alertname='Idle'}", eval_time: 2m, exp_samples: [
      {labels: 'ALERTS{alertname="Idle", alertstate="pending", from="", gpu="0", state="held", severity="warning"}', value: 1}]}
  - {expr: "count(ALERTS)", eval_time: 2m, exp_samples: [{value: 3}]}
  - {expr: "count by (alertstate) (ALERTS)", eval_time: 6m, exp_samples: [{labels: '{alertstate="firing"}', value: 3}]}
  - {expr: "sum(ALERTS_FOR_STATE{alertname='Kept', gpu='0'})", eval_time: 6m, exp_samples: [{value: 240}]}
""".replace('from="", ', 'from="{{ $externalLabels.cluster }}", nothing="{{ if false }}x{{ end }}", ')
    ),
    "a label that expanded to nothing shows its template in ALERTS": one_test(
        """  promql_expr_test:
  - {expr: "count(ALERTS{nothing!=''})", eval_time: 2m, exp_samples: [{value: 1}]}
"""
    ),
    "a query in a template": one_test(
        """  alert_rule_test:
  - {eval_time: 2m, alertname: Total, exp_alerts: [{exp_labels: {level: host}, exp_annotations: {sum: "380"}}]}
"""
    ),
    "samples between the last evaluation and the test have not appeared": (
        "rule_files: []\nevaluation_interval: 1m\ntests:\n- interval: 15s\n  input_series: [{series: m, values: '0+1x9'}]\n"
        "  promql_expr_test: [{expr: m, eval_time: 100s, exp_samples: [{labels: m, value: 4}]}]\n"
    ),
    "groups in the order asked for": one_test(
        "  promql_expr_test: [{expr: 'min(b)', eval_time: 0, exp_samples: [{labels: '{}', value: 62}]}]\n",
        rules="chain.yml",
        head="group_eval_order: [first, second]\n",
    ),
    "another interval of evaluation": one_test(
        """  alert_rule_test:
  - {eval_time: 5m, alertname: Kept, exp_alerts: [{exp_labels: {gpu: "0", state: held}}, {exp_labels: {gpu: "1", state: active}}]}
""",
        head=IN_ORDER + "evaluation_interval: 30s\n",
    ),
    "a subquery takes the interval of evaluation": one_test(
        "  promql_expr_test:\n  - {expr: 'count_over_time(vector(1)[4m10s:])', eval_time: 6m, exp_samples: [{value: 9}]}\n",
        head=IN_ORDER + "evaluation_interval: 30s\n",
    ),
    "a subquery in a rule takes it too": one_test(
        "  promql_expr_test:\n  - {expr: steps, eval_time: 6m, exp_samples: [{labels: steps, value: 9}]}\n",
        rules="subquery.yml",
        head="evaluation_interval: 30s\n",
    ),
    "stale markers one after the other": (
        "tests:\n- interval: 1m\n  input_series: [{series: m, values: '1 stale stale 5 stale'}, {series: n, values: 1x6}]\n"
        "  promql_expr_test:\n  - {expr: 'm', eval_time: 3m, exp_samples: [{labels: m, value: 5}]}\n"
    ),
    "no match for a pattern": one_test("", rules="nope-*.yml"),
    "a pattern": one_test("  alert_rule_test: [{eval_time: 0, alertname: Idle}]\n", rules="'idl[a-e].y?l'"),
    "an alert that no rule has": one_test("  alert_rule_test: [{eval_time: 5m, alertname: None}]\n"),
    "all notations": (
        "tests:\n- interval: 1m\n  input_series:\n"
        "  - {series: 'b{a=\"\"}', values: '1x2 _x2 stale 5 -1-2x2 1e3 Inf -Inf +3 _ .5 1.x2 0x2'}\n"
        "  - {series: '{__name__=\"c\", x=`q`,}', values: '1 2 3'}\n  - {series: d, values: ''}\n  - {series: e, values: ' 1 '}\n"
        "  promql_expr_test:\n"
        "  - {expr: 'sum_over_time(b[5m30s])', eval_time: 9m, exp_samples: [{labels: '{}', value: -4}]}\n"
        "  - {expr: 'count_over_time(b[100m])', eval_time: 30m, exp_samples: [{labels: '{}', value: 18}]}\n"
        "  - {expr: 'e or c', eval_time: 0, exp_samples: [{labels: '{__name__=\"e\"}', value: 1}, {labels: 'c{x=\"q\"}', value: 1}]}\n"
        "  - {expr: 'b', eval_time: 11m, exp_samples: [{labels: b, value: .inf}]}\n"
        "  - {expr: 'b', eval_time: 10m, exp_samples: [{labels: b, value: 1e3}]}\n"
    ),
    "the same input twice, of which the later counts": (
        "tests:\n- interval: 1m\n  input_series: [{series: m, values: 1 2 3}, {series: m, values: 4 5 6}]\n"
        "  promql_expr_test: [{expr: m, eval_time: 2m, exp_samples: [{labels: m, value: 6}]}]\n"
    ),
    "broken rules that no test uses": "rule_files: [broken.yml]\n",
    "an empty file": "",
    "no tests": "tests: []\n",
}

DOES_NOT_HOLD = {
    "an alert that is not expected": one_test(
        "  alert_rule_test: [{eval_time: 6m, alertname: Kept, exp_alerts: []}]\n"
    ),
    "an alert that does not fire yet": one_test(
        '  alert_rule_test: [{eval_time: 4m, alertname: Idle, exp_alerts: [{exp_labels: {gpu: "0"}}]}]\n'
    ),
    "another label": one_test(
        '  alert_rule_test: [{eval_time: 2m, alertname: Total, exp_alerts: [{exp_labels: {level: x}, exp_annotations: {sum: "380"}}]}]\n'
    ),
    "another annotation": one_test(
        '  alert_rule_test: [{eval_time: 2m, alertname: Total, exp_alerts: [{exp_labels: {level: host}, exp_annotations: {sum: "381"}}]}]\n'
    ),
    "a missing annotation": one_test(
        "  alert_rule_test: [{eval_time: 2m, alertname: Total, exp_alerts: [{exp_labels: {level: host}}]}]\n"
    ),
    "several failures at several times": one_test(
        """  alert_rule_test:
  - {eval_time: 6m, alertname: Kept, exp_alerts: [{exp_labels: {z: "9"}}, {exp_labels: {a: "q\\"x"}}]}
  - {eval_time: 2m, alertname: Total}
  - {eval_time: 1h1m30s, alertname: Nope, exp_alerts: [{exp_labels: {a: b}, exp_annotations: {c: "d\\ne"}}]}
  promql_expr_test:
  - {expr: "power_watts", eval_time: 90s}
  - {expr: "nope", eval_time: 2m, exp_samples: [{labels: 'x{b="c"}', value: 1e6}, {value: -0.5}, {labels: a, value: .nan}]}
"""
    ),
    "another value": one_test("  promql_expr_test: [{expr: '1', eval_time: 0, exp_samples: [{value: 2}]}]\n"),
    "the neighbouring float": one_test(
        "  promql_expr_test: [{expr: '0.1 + 0.2', eval_time: 0, exp_samples: [{value: 0.3}]}]\n"
    ),
    "not a number is equal to nothing": one_test(
        "  promql_expr_test: [{expr: 'vector(NaN)', eval_time: 0, exp_samples: [{labels: '{}', value: .nan}]}]\n"
    ),
    "a written empty label is none": one_test(
        "  promql_expr_test: [{expr: 'vector(1)', eval_time: 0, exp_samples: [{labels: '{a=\"\"}', value: 1}]}]\n"
    ),
    "too many alerts": one_test("  alert_rule_test: [{eval_time: 2m, alertname: Many}]\n", rules="limit.yml"),
    "too many series": one_test("", rules="limit_record.yml"),
    "alerts of the same labels": one_test("", rules="same_labels.yml"),
    "series of the same labels": one_test("", rules="same_series.yml"),
    "a text as the result": one_test("", rules="matrix.yml"),
    "a broken rule file": one_test("", rules="broken.yml"),
    "a rule that writes what the input says otherwise": (
        "rule_files: [chain.yml]\ntests:\n- interval: 1m\n"
        "  input_series: [{series: power_watts, values: 1 2 3}, {series: a, values: 2 3 9}]\n"
        "  promql_expr_test: [{expr: m, eval_time: 3m}]\n"
    ),
}

MALFORMED = {
    "an unknown field": "nope: 1\n",
    "an unknown field of a test": "tests: [{nope: 1}]\n",
    "an unknown field of an alert": "tests: [{alert_rule_test: [{eval_time: 1m, alertname: A, severity: x}]}]\n",
    "an alert without a name": "tests: [{interval: 1m, alert_rule_test: [{eval_time: 1m}]}]\n",
    "a group named twice": "group_eval_order: [a, a]\n",
    "a wrong duration": "evaluation_interval: often\n",
    "a wrong time": "tests: [{interval: 1m, promql_expr_test: [{expr: up, eval_time: 5}]}]\n",
    "a value that is a text": "tests: [{promql_expr_test: [{expr: up, exp_samples: [{value: NaN}]}]}]\n",
    "tests that are no list": "tests: {a: b}\n",
    "a wrong expression": "tests: [{interval: 1m, promql_expr_test: [{expr: 'rate(', eval_time: 1m}]}]\n",
    "a range vector": "tests: [{interval: 1m, promql_expr_test: [{expr: 'up[5m]', eval_time: 1m}]}]\n",
    "a text": "tests: [{interval: 1m, promql_expr_test: [{expr: '\"a\"', eval_time: 1m}]}]\n",
    "wrong labels of a sample": "tests: [{interval: 1m, promql_expr_test: [{expr: '1', exp_samples: [{labels: '{a', value: 1}]}]}]\n",
    "no YAML": "tests: [\n",
}

BAD_SERIES = (
    "{}",
    'm {a="1"}',
    "m{,}",
    "",
    "m{a=1}",
    'm{a:b="1"}',
    'm{a="1" b="2"}',
    'm{a!="1"}',
    'm{a="1"',
    "m a",
    "1m",
    "inf",
    "nan",
    "bool",
    "on",
    "group_left",
    "m}",
    "m # c",
    'm{1a="x"}',
    'm{x="1",x="2"}',
    'm{a="\\q"}',
)
BAD_VALUES = (
    "1x",
    "1 x2",
    "1+2",
    "1+x2",
    "1+2x-1",
    "a",
    "1,2",
    "NaNx2",
    "--1",
    "1+-2x2",
    "1x0x2",
    "1_2",
    "1e400",
    "{{schema:1}}",
    "1x2.5",
    "'1'",
    "1+2x2 # c",
    "1.2.3",
    "_ x2",
    "1x 2",
    "1 + 2x2",
    "_1",
    "stalex3",
    "1 stale x2",
    "0x1f",
    "_+1x3",
)
GOOD_SERIES = (
    "m",
    "m{}",
    'm{a = "1" , b="2"}',
    'a:b{a="1"}',
    "sum",
    'm{by="1"}',
    'm{a="é\\n\\""}',
    "by",
    "m{a=`x`,}",
    "start",
)
GOOD_VALUES = (
    "0x10",
    "1 2x1 stale stale _x0",
    "InF nan",
    "-1.5e-3-.5x3",
    "+Inf -Inf NaN",
    "",
    "1.x3",
    "1e2+1e1x2 _x0",
)

TICK = {"expr": "vector(1)", "eval_time": "0s", "exp_samples": [{"labels": "{}", "value": 1}]}


def series_file(series: str, values: str) -> str:
    loaded = {"series": series, "values": values}
    return json.dumps({"tests": [{"interval": "1m", "input_series": [loaded], "promql_expr_test": [TICK]}]})
