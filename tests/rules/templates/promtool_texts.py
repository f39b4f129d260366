"""What the real promtool makes of annotation texts, read back from its report: an alert a series, a note a text."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import need
from wattledger.rules.templates.go_quote import unquoted

_LITERAL = r'"(?:[^"\\]|\\.)*"'
_ALERT = re.compile(r"Labels:\{(?P<labels>.*)\}\n\s*Annotations:\{(?P<annotations>.*)\}")
_PAIR = re.compile(rf"(\w+)=({_LITERAL})")
EXTERNAL_LABELS = {"cluster": "c1", "empty": ""}
EXTERNAL_URL = "http://prometheus.example.org:9090/path"


@dataclass(frozen=True, slots=True)
class InputSeries:
    """A series `m` with one value, told apart by the label `case`."""

    labels: Mapping[str, str]
    value: str


def expanded(
    texts: Sequence[str], series: Sequence[InputSeries], folder: Path, *, other_series: Sequence[tuple[str, str]] = ()
) -> list[list[str]]:
    """Give, for each of *series*, what promtool expands *texts* to."""
    annotations = {f"a{index:04d}": text for index, text in enumerate(texts)}
    rule = {"alert": "A", "expr": "m == m or m != m", "annotations": annotations}
    (folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    loaded = [
        {"series": "m" + _selector({**one.labels, "case": f"{index:04d}"}), "values": one.value}
        for index, one in enumerate(series)
    ]
    loaded += [{"series": name, "values": values} for name, values in other_series]
    test = {
        "interval": "1m",
        "input_series": loaded,
        "external_labels": EXTERNAL_LABELS,
        "external_url": EXTERNAL_URL,
        "alert_rule_test": [{"eval_time": "0s", "alertname": "A", "exp_alerts": [{"exp_labels": {"no": "such"}}]}],
    }
    (folder / "test.yml").write_text(json.dumps({"rule_files": ["rules.yml"], "tests": [test]}))
    done = subprocess.run(
        [need("promtool", "prometheus"), "test", "rules", "test.yml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    report = done.stderr.partition("got:[")[2]
    found: dict[int, list[str]] = {}
    for match in _ALERT.finditer(report):
        labels = {name: unquoted(value) for name, value in _PAIR.findall(match["labels"])}
        pairs = {name: unquoted(value) for name, value in _PAIR.findall(match["annotations"])}
        found[int(labels["case"])] = [pairs[name] for name in annotations]
    assert len(found) == len(series), done.stdout + done.stderr
    return [found[index] for index in range(len(series))]


def accepted(text: str, folder: Path) -> bool:
    """Tell whether `promtool check rules` takes *text* as an annotation."""
    rule = {"alert": "A", "expr": "up", "annotations": {"text": text}}
    file = folder / "check.yml"
    file.write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
    done = subprocess.run(
        [need("promtool", "prometheus"), "check", "rules", str(file)], capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


def _selector(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"
