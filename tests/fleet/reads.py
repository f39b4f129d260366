"""Which families dashboards, rules and `wattledger report` read, and what to drop where series are too many."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import promql_parser
import yaml

from tests.deploy.dashboard_files import NAMES, QUERIES, fill, load
from tests.deploy.promql_names import PACKS, families, selectors
from tests.fleet.cardinality import count
from tests.fleet.host import FULL

# Dashboards of one host: a store of many hosts can do without what only they read.
_OF_ONE_HOST = ("agent", "host")
# What asks a fleet's Prometheus for a report.
_REPORT = Path(__file__).parents[2] / "agent/report/fleet_queries.py"
_WIDTH = 100


@cache
def read_by_others() -> frozenset[str]:
    """Give every family that a query of a dashboard, a rule of a pack, the text of its alert or a report reads."""
    packs = [path.stem for path in sorted(PACKS.glob("*.yml"))]
    return _named((*_of_dashboards(NAMES), *_of_packs(packs))) | _of_texts(packs) | _of_report()


@cache
def read_by_fleet() -> frozenset[str]:
    """Give what the dashboards over many hosts, the pack `fleet` and a report read."""
    dashboards = [name for name in NAMES if name not in _OF_ONE_HOST]
    return _named((*_of_dashboards(dashboards), *_of_packs(["fleet"]))) | _of_texts(["fleet"]) | _of_report()


@cache
def unread() -> frozenset[str]:
    """Give the families that none of these reads. Joules are none of them: what was not kept cannot be had again."""
    return frozenset(name for name in families().keys() - read_by_others() if not name.endswith("_joules_total"))


def drop_config() -> str:
    """Give the relabelling that drops what nothing reads."""
    return _relabelling("metric_relabel_configs", "drop", unread())


def keep_config() -> str:
    """Give the relabelling that keeps what is read over many hosts, and what rules have recorded."""
    read = {name for name in read_by_fleet() if not name.startswith("wattledger:")}
    return _relabelling("write_relabel_configs", "keep", {*read, "up", "ALERTS", "wattledger:.+"})


def savings_table() -> str:
    """Give what is left of a host with everything after each of them."""
    pages = count(FULL)
    whole = sum(pages.families.values())
    dropped = sum(number for name, number in pages.families.items() if name in unread())
    kept = sum(number for name, number in pages.families.items() if name in read_by_fleet())
    rows = (
        ("everything", whole),
        ("what nothing reads is dropped", whole - dropped),
        ("only what is read over many hosts is kept", kept),
    )
    lines = ["| host of 8 GPUs with everything | series | for each GPU |", "|---|---:|---:|"]
    return "\n".join((*lines, *(f"| {what} | {number} | {number / FULL.boards:.0f} |" for what, number in rows)))


def _named(texts: Iterable[str]) -> frozenset[str]:
    found = (one.name for text in texts for one in selectors(promql_parser.parse(text)))
    return frozenset(str(name) for name in found if name is not None)


def _of_report() -> frozenset[str]:
    return frozenset(re.findall(r"\bwattledger_\w+", _REPORT.read_text(encoding="utf-8"))) & families().keys()


def _of_dashboards(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from (query.filled() for query in QUERIES if query.dashboard == name)
        document = load(name)
        yield fill(document["annotations"]["list"][0]["expr"])
        for variable in document["templating"]["list"]:
            if variable["type"] == "query":
                text = variable["query"]["query"].removeprefix("label_values(").removesuffix(")")
                yield fill(text.rpartition(", ")[0])


def _of_packs(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        for group in yaml.safe_load((PACKS / f"{name}.yml").read_text(encoding="utf-8"))["groups"]:
            yield from (str(rule["expr"]) for rule in group["rules"])


def _of_texts(names: Iterable[str]) -> frozenset[str]:
    """Give what templates of annotations ask for, such as the profile of an instance or the reason of a failure."""
    found: set[str] = set()
    for name in names:
        for group in yaml.safe_load((PACKS / f"{name}.yml").read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                found.update(re.findall(r"\bwattledger_\w+", " ".join(rule.get("annotations", {}).values())))
    return frozenset(found) & families().keys()


def _relabelling(key: str, action: str, names: Iterable[str]) -> str:
    """Give the configuration; a rule a line's width of names, which `keep` needs all in one."""
    stems = sorted(name.removeprefix("wattledger_") for name in names if name.startswith("wattledger_"))
    others = sorted(name for name in names if not name.startswith("wattledger_"))
    lines = [""]
    for stem in stems:
        if len(lines[-1]) + len(stem) > _WIDTH:
            lines.append("")
        lines[-1] += f"{stem}|"
    lines[-1] = lines[-1].removesuffix("|")
    body = "\n".join(f"    {line}\\" for line in lines).removesuffix("\\")
    tail = "".join(f"|{name}" for name in others)
    return (
        f"```yaml\n{key}:\n- source_labels: [__name__]\n  action: {action}\n"
        f'  regex: "wattledger_(?:\\\n{body}\\\n    ){tail}"\n```'
    )
