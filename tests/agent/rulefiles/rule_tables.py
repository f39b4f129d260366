"""Rule files, good and bad, one sentence each; who reads them is not their matter."""


def group(rules: str, head: str = "") -> str:
    """Give a file with one group named g of *rules*, each line of them a flow mapping."""
    items = "".join(f"  - {rule}\n" for rule in rules.strip().splitlines())
    return f"groups:\n- name: g\n{head}  rules:\n{items}"


GOOD = {
    "an empty file": "",
    "null groups": "groups:\n",
    "no groups": "groups: []\n",
    "a group without rules": "groups:\n- name: g\n",
    "null rules": "groups:\n- name: g\n  rules:\n",
    "a recording rule": group("{record: 'a:b_c', expr: 'sum(up)', labels: {x: y}}"),
    "an alert with everything": group(
        "{alert: A, expr: 'up == 0', for: 5m, keep_firing_for: 1m, labels: {s: c}, annotations: {t: '{{ $value }}'}}",
        "  interval: 15s\n  limit: 10\n",
    ),
    "an alert's name with blanks": group("{alert: 'A b.c!', expr: up}"),
    "a duration of zero without unit": group("{alert: A, expr: up, for: 0}"),
    "all units": group("{alert: A, expr: up, for: 1y2w3d4h5m6s7ms}"),
    "a null duration": group("{alert: A, expr: up, for: null}"),
    "a null interval": group("{alert: A, expr: up}", "  interval:\n"),
    "a null limit": group("{alert: A, expr: up}", "  limit: ~\n"),
    "numbers and truth values as labels": group(
        "{alert: A, expr: up, labels: {a: 1, b: true, c: 2024-01-01, d: 1.5}}"
    ),
    "a null label": group("{alert: A, expr: up, labels: {a: null}}"),
    "null labels": group("{alert: A, expr: up, labels: null, annotations: null}"),
    "a number as alert's name": group("{alert: 1, expr: up}"),
    "a number as expression": group("{alert: A, expr: 1}"),
    "a number as group's name": "groups:\n- name: 5\n  rules: []\n",
    "an anchor and its alias": "groups:\n- name: g\n  rules:\n"
    "  - &r {alert: A, expr: up, labels: {a: b}}\n  - {<<: *r, alert: B}\n",
    "a folded expression": "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: >\n      up\n      == 0\n",
    "a label that expands to nothing": group("{alert: A, expr: up, labels: {a: '{{ if false }}x{{ end }}'}}"),
    "a template in a recording rule's label": group("{record: a, expr: up, labels: {a: '{{ nope'}}"),
    "for: 0s in a recording rule": group("{record: a, expr: up, for: 0s}"),
    "no annotations in a recording rule": group("{record: a, expr: up, annotations: {}}"),
    "the same rule twice": group("{record: a, expr: up}\n{record: a, expr: up}"),
    "an annotation named __name__": group("{alert: A, expr: up, annotations: {__name__: x}}"),
    "two groups": "groups:\n- {name: a, rules: []}\n- {name: b, rules: []}\n",
    "a scalar expression": group("{record: a, expr: '1 + 1'}"),
    "a time function": group("{alert: A, expr: 'vector(time()) > 5'}"),
    "a comment": "# c\ngroups: # c\n- name: g # c\n",
    "a negative limit": group("{alert: A, expr: up}", "  limit: -1\n"),
    "a limit with underscores": group("{alert: A, expr: up}", "  limit: 1_000\n"),
    "a quoted interval": group("{alert: A, expr: up}", "  interval: '1m'\n"),
    "JSON": '{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up"}]}]}',
    "an empty label value": group("{alert: A, expr: up, labels: {a: ''}}"),
}

BAD = {
    "an unknown field of the file": "groups: []\nrules: []\n",
    "an unknown field of a group": "groups:\n- name: g\n  intervall: 1m\n",
    "an unknown field of a rule": group("{alert: A, expr: up, severity: x}"),
    "a group without a name": "groups:\n- rules: []\n",
    "an empty group's name": "groups:\n- name: ''\n",
    "the same group twice": "groups:\n- name: g\n- name: g\n",
    "groups that are no list": "groups: {a: b}\n",
    "groups that are a text": "groups: x\n",
    "a group that is a text": "groups: [x]\n",
    "rules that are no list": "groups:\n- name: g\n  rules: {alert: A}\n",
    "a rule that is a text": group("up == 0"),
    "neither alert nor record": group("{expr: up}"),
    "both alert and record": group("{alert: A, record: a, expr: up}"),
    "no expression": group("{alert: A}"),
    "an empty expression": group("{alert: A, expr: ''}"),
    "a wrong expression": group("{alert: A, expr: 'sum(('}"),
    "an unknown function": group("{alert: A, expr: 'ratee(up[5m])'}"),
    "a missing range": group("{alert: A, expr: 'rate(up)'}"),
    "a metric name with a dash": group("{record: a-b, expr: up}"),
    "an expression as a name": group("{record: 'sum(x)', expr: up}"),
    "annotations of a recording rule": group("{record: a, expr: up, annotations: {x: y}}"),
    "for in a recording rule": group("{record: a, expr: up, for: 1m}"),
    "keep_firing_for in a recording rule": group("{record: a, expr: up, keep_firing_for: 1m}"),
    "a label with a dash": group("{alert: A, expr: up, labels: {a-b: c}}"),
    "a label named __name__": group("{record: a, expr: up, labels: {__name__: c}}"),
    "a label that starts with a digit": group("{alert: A, expr: up, labels: {1a: c}}"),
    "an annotation with a dash": group("{alert: A, expr: up, annotations: {a-b: c}}"),
    "labels that are a list": group("{alert: A, expr: up, labels: [a]}"),
    "a label that is a list": group("{alert: A, expr: up, labels: {a: [b]}}"),
    "a duration without unit": group("{alert: A, expr: up, for: 5}"),
    "a duration with an unknown unit": group("{alert: A, expr: up, for: 5min}"),
    "a duration with a fraction": group("{alert: A, expr: up, for: 1.5m}"),
    "a duration with units out of order": group("{alert: A, expr: up, for: 5s1m}"),
    "a negative duration": group("{alert: A, expr: up, for: -5m}"),
    "an empty duration": group("{alert: A, expr: up, for: ''}"),
    "a duration out of range": group("{alert: A, expr: up, for: 300y}"),
    "a wrong interval": group("{alert: A, expr: up}", "  interval: often\n"),
    "a limit that is a text": group("{alert: A, expr: up}", "  limit: many\n"),
    "a limit beyond 64 bits": group("{alert: A, expr: up}", "  limit: 99999999999999999999\n"),
    "a limit in quotes": group("{alert: A, expr: up}", "  limit: '5'\n"),
    "a template that is not closed": group("{alert: A, expr: up, labels: {a: '{{ $value'}}"),
    "a template with an unknown function": group("{alert: A, expr: up, annotations: {a: '{{ humanise $value }}'}}"),
    "a template with an unknown variable": group("{alert: A, expr: up, annotations: {a: '{{ $vlaue }}'}}"),
    "a key twice": group("{alert: A, alert: B, expr: up}"),
    "a list at the top": "- a\n",
    "a text at the top": "groups\n",
    "a tab for indentation": "groups:\n\t- name: g\n",
    "an open bracket": "groups: [\n",
    "an unknown alias": "groups: *nope\n",
    "labels that are a text": group("{alert: A, expr: up, labels: x}"),
    "an expression that is a list": group("{alert: A, expr: [up]}"),
}

# Accepted here as Prometheus 3 accepts it; promtool 2.42 does not know the fields.
NEWER = {
    "query_offset": group("{alert: A, expr: up}", "  query_offset: 1m\n"),
    "labels of a group": group("{alert: A, expr: up}", "  labels: {team: x}\n"),
}

# promtool accepts these; here they are refused, because they always fail, say nothing, or are not supported.
STRICTER = {
    "a limit that is octal": group("{alert: A, expr: up}", "  limit: 010\n"),
    "a null rule": group("null"),
    "a null expression": group("{alert: A, expr: null}"),
    "a range vector as the result": group("{alert: A, expr: 'up[5m]'}"),
    "a second document that promtool leaves unread": "groups: []\n---\ngroups: []\n",
    "a wrong query in a template": group("""{alert: A, expr: up, annotations: {a: '{{ query "sum((" | first }}'}}"""),
    "an argument to no function": group("""{alert: A, expr: up, annotations: {a: '{{ $value "x" }}'}}"""),
}
