"""How many series a host shows, by what they are about: counted on pages that the product has rendered."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import chain

from tests.fleet.host import FULL, FleetHost, Shape
from wattledger.exporter.catalog import FAMILIES, carbon, node, rules
from wattledger.exporter.catalog.family import AlertFamily, DeviceFamily, Family, InstanceFamily, WorkloadFamily
from wattledger.exporter.render import Format, Renderer

START_S = 1_790_000_000
STEP_S = 15
PAGES = 80  # twenty minutes, in which each board goes through all of its story
_LINE = re.compile(r"(\w+)(?:\{(.*)\})? \S+")


class About(StrEnum):
    """What a series is about: how often its family is on the page."""

    GPU = "GPU"
    INSTANCE = "MIG instance"
    WORKLOAD = "workload on a GPU"
    SERVICE = "service"
    HOST = "host"
    PRICED = "host with carbon, supply, tariff and a meter"
    RULED = "host that evaluates the packs"
    ALERT = "alert that is pending or fires"


# What tells one from another; the classes of hosts have one of each.
_KEYS: Mapping[About, tuple[str, ...]] = {
    About.GPU: ("uuid",),
    About.INSTANCE: ("mig_uuid",),
    About.WORKLOAD: ("uuid", "kind", "workload"),
    About.SERVICE: ("service",),
    About.ALERT: ("alertname", "severity", "uuid", "workload", "service"),
}
SHAPES: Mapping[str, Shape] = {
    "8 GPUs, whose processes are nobody's": Shape(workloads=False),
    "8 GPUs with workloads": Shape(),
    "8 GPUs with 4 workloads on each": Shape(processes=4),
    "the same, and one GPU cut into 2 MIG instances": Shape(mig=None),
    "8 GPUs, all cut into 7 MIG instances, with workloads": Shape(mig=tuple(range(8)), mig_instances=7),
    "8 GPUs with workloads and 3 services": Shape(services=True),
    "8 GPUs with workloads, carbon, supply, tariff and a meter": Shape(carbon=True),
    "8 GPUs with workloads, and rules on the host": Shape(rules=True),
    "8 GPUs with everything": FULL,
    "1 GPU with workloads": Shape(boards=1),
    "16 GPUs with workloads": Shape(boards=16),
    "8 A100 with workloads": Shape(profile="a100"),
    "8 RTX 4090 with workloads": Shape(profile="rtx4090"),
}


@dataclass(frozen=True, slots=True)
class Count:
    """The largest page of a host: its series, and of each class the most that any one of it had."""

    shape: Shape
    series: int
    page_bytes: int
    most: Mapping[About, int]
    families: Mapping[str, int]


@cache
def about() -> Mapping[str, About]:
    """Give the class of each family."""
    priced = {family.name for family in chain(carbon.FAMILIES, node.FAMILIES)}
    ruled = {family.name for family in rules.FAMILIES}
    return {family.name: _about(family, priced, ruled) for family in FAMILIES}


def _about(family: Family, priced: set[str], ruled: set[str]) -> About:
    kinds = {
        DeviceFamily: About.GPU,
        InstanceFamily: About.INSTANCE,
        WorkloadFamily: About.WORKLOAD,
        AlertFamily: About.ALERT,
    }
    for kind, found in kinds.items():
        if isinstance(family, kind):
            return found
    if "uuid" in family.all_labels:
        return About.GPU
    if "service" in family.all_labels:
        return About.SERVICE
    if family.name in priced:
        return About.PRICED
    return About.RULED if family.name in ruled else About.HOST


@cache
def count(shape: Shape) -> Count:
    """Count the series of a host of *shape* over twenty minutes from its boot."""
    renderer = Renderer()
    most: Counter[About] = Counter()
    families: Counter[str] = Counter()
    series = page_bytes = 0
    for snapshot in FleetHost(7, shape, START_S, STEP_S).pages(PAGES):
        page = renderer.render(snapshot, Format.TEXT).decode()
        names, ones = _counted(page)
        series, page_bytes = max(series, names.total()), max(page_bytes, len(page))
        for name, number in names.items():
            families[name] = max(families[name], number)
        for kind, numbers in ones.items():
            most[kind] = max(most[kind], *numbers.values())
    return Count(shape, series, page_bytes, most, families)


def _counted(page: str) -> tuple[Counter[str], Mapping[About, Counter[tuple[str, ...]]]]:
    """Give the series of *page* by family, and of each class by what they are about."""
    names: Counter[str] = Counter()
    ones: defaultdict[About, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for line in page.splitlines():
        if line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        assert found is not None, line
        labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[2] or ""))
        names[found[1]] += 1
        kind = about()[found[1]]
        ones[kind][tuple(labels.get(name, "") for name in _KEYS.get(kind, ()))] += 1
    return names, ones


def budget_table() -> str:
    """Give the series for each class: the most that any host of the shapes has of it."""
    counts = [count(shape) for shape in SHAPES.values()]
    lines = ["| for each | series, at most |", "|---|---:|"]
    lines += [f"| {kind} | {max(one.most.get(kind, 0) for one in counts)} |" for kind in About]
    return "\n".join(lines)


def shapes_table() -> str:
    """Give the series of the largest page of each shape."""
    lines = ["| host | series | for each GPU | page, kB |", "|---|---:|---:|---:|"]
    return "\n".join((*lines, *(shapes_row(name) for name in SHAPES)))


def shapes_row(name: str) -> str:
    """Give its row of a shape of SHAPES."""
    shape = SHAPES[name]
    one = count(shape)
    return f"| {name} | {one.series} | {one.series / shape.boards:.0f} | {one.page_bytes / 1000:.0f} |"
