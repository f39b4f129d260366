"""What a query names and adds up, found by walking it with the parser that rule files go through."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser
import yaml

from wattledger.exporter.catalog import FAMILIES

PACKS = Path(__file__).parents[2] / "rules/packs"
# What a scrape adds to every series, and what it writes of itself.
TARGET_LABELS = frozenset({"instance", "job", "cluster"})
OF_PROMETHEUS = {
    "up": frozenset[str](),
    "scrape_duration_seconds": frozenset[str](),
    "scrape_samples_scraped": frozenset[str](),
}
# Labels whose values contain or repeat one another: to add over them is to count twice.
NESTED = {
    "accounting": None,
    "boundary": None,
    "scope": None,
    "domain": ("wattledger_node_",),
    "source": ("wattledger_node_",),
    "currency": None,
    "per": None,
    "reading": None,
    "limit": None,
    "sensor": None,
    "signal": None,
    "factors": None,
    "kind": ("wattledger_service_tokens_total", "wattledger_gpu_baseline_watts"),
    "reason": ("wattledger_gpu_throttle",),
}


def selectors(expr: promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    """Give every selector of a query."""
    found: list[promql_parser.VectorSelector] = []

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(expr, visit)
    return list({str(one): one for one in found}.values())


def labels_named(expr: promql_parser.Expr) -> set[str]:
    """Give the labels by which a query groups or matches."""
    found: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            found.update(node.modifier.labels)
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier is not None:
            if node.modifier.matching is not None:
                found.update(node.modifier.matching.labels)
            found.update(node.modifier.group_labels or ())

    promql_parser.walk(expr, visit)
    return found


@cache
def families() -> Mapping[str, frozenset[str]]:
    """Give the labels of each family of the catalogue."""
    return {one.name: frozenset((*one.all_labels, *one.optional_labels)) for one in FAMILIES}


@cache
def recording_rules() -> tuple[Mapping[str, Any], ...]:
    """Give the recording rules of all packs."""
    documents = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(PACKS.glob("*.yml"))]
    return tuple(
        rule for document in documents for group in document["groups"] for rule in group["rules"] if "record" in rule
    )


@cache
def recorded() -> Mapping[str, frozenset[str]]:
    """Give the labels that each recorded series may have: those of what it is made of, and those set or made."""
    found: dict[str, frozenset[str]] = {}
    for _ in range(5):  # rules are made of rules
        for rule in recording_rules():
            expr = promql_parser.parse(str(rule["expr"]))
            parts = (known_labels(str(one.name), found) for one in selectors(expr))
            made = re.findall(r'label_replace\([^"]*"(\w+)"|"(\w+)", "\$1"', str(rule["expr"]))
            names = {name for pair in made for name in pair if name}
            labels = frozenset().union(*parts, labels_named(expr), rule.get("labels", {}), names)
            found[rule["record"]] = found.get(rule["record"], frozenset()) | labels
    return found


def known_labels(name: str, rules: Mapping[str, frozenset[str]] | None = None) -> frozenset[str]:
    """Give the labels that series of a name may have besides those of the target; none for a name nobody writes."""
    if name == "ALERTS":
        return families()["ALERTS"] | {"severity", "gpu", "owner", "workload", "service"}
    rules = recorded() if rules is None else rules
    return families().get(name) or OF_PROMETHEUS.get(name) or rules.get(name, frozenset())


def is_known(name: str) -> bool:
    """Tell whether a page, Prometheus or a rule of a pack writes series of this name."""
    return name in families() or name in OF_PROMETHEUS or name in recorded()


def sums_of_nested(expr: promql_parser.Expr) -> Iterator[str]:
    """Give each sum that drops a label over which must not be added, and does not pin it to one value."""
    found: list[str] = []

    def visit(node: promql_parser.Expr) -> None:
        if not isinstance(node, promql_parser.AggregateExpr) or str(node.op) not in {"sum", "avg"}:
            return
        for one in selectors(node.expr):
            pinned = {matcher.name for matcher in one.matchers.matchers if str(matcher.op).endswith("Equal")}
            for label in _dropped(node, _kept(node.expr)) - pinned:
                spared = NESTED[label]
                if label in known_labels(str(one.name)) and (spared is None or str(one.name).startswith(spared)):
                    found.append(f"{one.name} over {label}")

    promql_parser.walk(expr, visit)
    yield from found


def _kept(expr: promql_parser.Expr) -> Iterable[str] | None:
    """Give the labels that are left by an aggregation right inside, None where all are."""
    while isinstance(expr, promql_parser.ParenExpr):
        expr = expr.expr
    modifier = expr.modifier if isinstance(expr, promql_parser.AggregateExpr) else None
    if modifier is not None and modifier.type == promql_parser.AggModifierType.By:
        return modifier.labels
    return None


def _dropped(node: promql_parser.AggregateExpr, inside: Iterable[str] | None) -> set[str]:
    there = set(NESTED) if inside is None else set(NESTED) & set(inside)
    if node.modifier is None:
        return there
    named = set(node.modifier.labels)
    return there - named if node.modifier.type == promql_parser.AggModifierType.By else there & named
