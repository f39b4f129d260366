"""Pages of dcgm-exporter's names for tests, and what a scraper reads from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.exporter.snapshots import CHAT, JOB, NOW, instances, snapshot, view
from wattledger.exporter.dcgm.names import Generation
from wattledger.exporter.dcgm.rates import RateWindow
from wattledger.exporter.dcgm.render import DcgmRenderer
from wattledger.exporter.snapshot import DeviceView, Snapshot
from wattledger.rules.account import Carried
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Quantity
from wattledger.rules.usage.workload import Holder, Holding

HOST = "node-1"
HELD = Holding((Holder(CHAT), Holder(JOB)))


def page_of(made: Snapshot, generation: Generation = Generation.LEGACY, rates: RateWindow | None = None) -> str:
    """Give the page of *made* as a scraper gets it."""
    return DcgmRenderer(generation, HOST, rates).render(made).decode()


def host(*devices: DeviceView, **changes: object) -> Snapshot:
    """Give a host with *devices*, each held by a pod and a job."""
    return snapshot(*(replace(one, holding=HELD) for one in devices), **changes)


def full_page(generation: Generation) -> str:
    """Give a page with every name: a whole board, one cut in two, and traffic for twelve seconds."""
    rates = RateWindow()
    rates.see(host(view(), instances(view(1), 2)))
    return page_of(later(host(view(), instances(view(1), 2)), 12, lambda total: total + 24_000), generation, rates)


def later(made: Snapshot, seconds: int, grown: Callable[[int], int] = lambda total: total) -> Snapshot:
    """Give *made* some time after, with the PCIe counters of each device grown."""
    at = Instant(NOW.mono_ns + seconds * NS_PER_SECOND, NOW.wall_ns + seconds * NS_PER_SECOND)
    return replace(made, at=at, sample_at=at, devices=tuple(_later(one, at, grown) for one in made.devices))


def _later(made: DeviceView, at: Instant, grown: Callable[[int], int]) -> DeviceView:
    counters = dict(made.account.counters)
    for quantity in (Quantity.PCIE_TRANSMIT_BYTES, Quantity.PCIE_RECEIVE_BYTES):
        counters[quantity] = Carried(grown(counters[quantity].total), 7)
    return replace(made, reading=replace(made.reading, at=at), account=replace(made.account, counters=counters))


def samples_of(page: str) -> dict[str, list[Sample]]:
    """Give the samples by name. The parser adds _total to the names of counters, as OpenMetrics wants it."""
    found: dict[str, list[Sample]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name.removesuffix("_total"), []).append(sample)
    return found


def types_of(page: str) -> dict[str, str]:
    """Give the type of each family."""
    lines = (line.split() for line in page.splitlines() if line.startswith("# TYPE "))
    return {name: kind for _, _, name, kind in lines}
