"""The rows of a report out of a fleet's Prometheus, some hours of all hosts at a time."""

import sys
from collections.abc import Callable, Iterator, Mapping

from wattledger.agent.clock import Clock, SystemClock
from wattledger.exporter.landing_text import kwh
from wattledger.rules.feeds.model import Accounting
from wattledger.rules.instant import NS_PER_HOUR
from wattledger.rules.pricing.model import Boundary
from wattledger.rules.report.choices import Origin
from wattledger.rules.report.rows import ReportRows
from wattledger.rules.supply.model import Layer

from .fleet_hours import HostHours
from .fleet_queries import COST, EMISSIONS, SERVICE_TOKENS, STATE_ENERGY, SUPPLY, WORKLOAD_ENERGY, Queries
from .fleet_rows import (
    MJ,
    OWNER_NAMES,
    PRODUCT,
    ScrapedLabel,
    device_rows,
    growths,
    host_of,
    member,
    owner_rows,
    service_rows,
)
from .progress import Progress
from .prometheus_api import PrometheusApi, PrometheusPlace, Series, TooMuch
from .source import ReportError

_SAMPLES = 250_000  # of one answer: some 40 MB while it is read
_MOST_HOURS = 7 * 24  # of one answer; Prometheus gives at most 11,000 points a series
_HOSTS_AT_ONCE = 24  # times the hours: a host has fewer series than its devices
_LOOKS = 10  # at what is there over the stretch
_MOST_WAITS = 2  # for answers that take too long, before it is given up


class PrometheusSource:
    """Hours of all hosts that *place* knows and that overlap `[start, end)`. Raises ReportError.

    Memory holds the rows of one piece. How many hours that is depends on how many series there are, and an answer
    that is refused as too large is asked for again in halves.
    """

    def __init__(
        self,
        place: PrometheusPlace,
        start_wall_ns: int,
        end_wall_ns: int,
        *,
        environment: Mapping[str, str],
        clock: Clock | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._place = place
        self._clock = clock or SystemClock()
        self._api = PrometheusApi(place, environment=environment, clock=self._clock)
        self._queries = Queries(place.matchers)
        self._span = (start_wall_ns, end_wall_ns)
        self._progress = progress or Progress(sys.stderr)
        self._hours = 0  # of a piece, once it is known
        self._currency = ""
        self._other_currencies: set[str] = set()
        self._scraped: set[ScrapedLabel] = set()
        self._seen: set[str] = set()
        self._uncovered_mj: dict[Accounting, int] = {}

    def outline(self) -> Iterator[ReportRows]:
        """Give the hours of hosts with their energies alone."""
        return self._read(self._outline, "hosts", at_once=_HOSTS_AT_ONCE)

    def pieces(self) -> Iterator[ReportRows]:
        """Give all rows; the names of the boards come first, and what could not be had comes last."""
        self._seen.clear()
        self._uncovered_mj.clear()
        yield self._names()
        yield from self._read(self._piece, "devices and workloads")
        yield ReportRows(origin=Origin.PROMETHEUS, notes=tuple(self._notes()))

    def what_there_is(self) -> str:
        """Say whether there are any series at all."""
        now = self._clock.now().wall_ns
        found = [
            float(text)
            for series in self._api.range(self._queries.sizes[0], now, now, step_ns=NS_PER_HOUR)
            for _, text in series.values
        ]
        selector = self._queries.of(STATE_ENERGY)
        if not found:
            return f"{self._place.url} has no series {selector} now; check --match, and whether it scrapes the hosts"
        return f"{self._place.url} has {found[0]:,.0f} series {selector} now, and none that grew in that time"

    def close(self) -> None:
        """Nothing is open."""

    def _read(self, read: Callable[[int, int], ReportRows], words: str, *, at_once: int = 1) -> Iterator[ReportRows]:
        """Read piece by piece, each of *at_once* times the hours that all rows may have."""
        start, end = self._span
        self._hours = self._hours or self._hours_at_once()
        hours = min(_MOST_HOURS, self._hours * at_once)
        waits = 0
        first = start
        while first < end:
            self._progress.show(first - start, end - start, words)
            last = min(first + hours * NS_PER_HOUR, end)
            try:
                rows = read(first, last)
            except TooMuch as error:
                waits += error.is_late
                if last - first <= NS_PER_HOUR or waits > _MOST_WAITS:
                    raise
                hours = max(1, (last - first) // NS_PER_HOUR // 2)
                continue
            finally:
                self._progress.show(1, 1, words)  # for whoever tells a failure, or asks for the next piece
            waits = 0
            yield rows
            first = last

    def _hours_at_once(self) -> int:
        """Give how many hours an answer may have, by how many series there are at most. Raises ReportError."""
        most = max((self._highest(query) for query in self._queries.sizes), default=0)
        times = self._highest(self._queries.twice)
        if times > 1:
            raise ReportError(
                f"{self._place.url}: the same counter of the same device is there {times:.0f} times, as with two "
                'Prometheus that scrape the same hosts; choose one with --match, such as replica="a"'
            )
        return max(1, min(_MOST_HOURS, int(_SAMPLES // max(most, 1))))

    def _highest(self, query: str) -> float:
        return max((float(text) for series in self._looks(query) for _, text in series.values), default=0)

    def _looks(self, query: str) -> list[Series]:
        """Give what there was at some moments of the stretch, its end or now the last of them."""
        start, end = self._span
        last = min(end, self._clock.now().wall_ns)
        step = max(NS_PER_HOUR, -(-(end - start) // _LOOKS))
        first = max(last - _LOOKS * step, last - (last - start) // step * step)
        try:
            return self._api.range(query, first, last, step_ns=step)
        except TooMuch:
            moments = range(first, last + 1, step)
            return [one for moment in moments for one in self._api.range(query, moment, moment, step_ns=step)]

    def _names(self) -> ReportRows:
        """Give the boards by host and number, and the hosts whose boards are made up."""
        names: dict[tuple[str, str], str] = {}
        for series in self._looks(self._queries.boards):
            host, labels = host_of(series), series.metric
            model = f" ({labels['name']})" if labels.get("name") else ""
            # A board has no owner, so what it says of one is of the scrape.
            self._scraped.update((host, name, labels[name]) for name in OWNER_NAMES if name in labels)
            names[host, labels.get("uuid", "")] = f"{_without_port(host)} GPU {labels.get('gpu', '?')}{model}"
        made_up = {host_of(series) for series in self._looks(self._queries.made_up)}
        return ReportRows(names=names, origin=Origin.PROMETHEUS, simulated=tuple(sorted(made_up)))

    def _outline(self, first: int, last: int) -> ReportRows:
        found = HostHours()
        self._add_energies(found, self._grown(self._queries.host_energy, first, last), Boundary.GPU)
        self._add_beyond(found, first, last)
        return ReportRows(hours=tuple(found.rows()), origin=Origin.PROMETHEUS)

    def _piece(self, first: int, last: int) -> ReportRows:
        ask, queries = self._grown, self._queries
        devices = device_rows(
            ask(queries.state_energy, first, last),
            ask(queries.state_seconds, first, last),
            ask(queries.avoidable, first, last),
        )
        owners = owner_rows(
            self._noted(WORKLOAD_ENERGY, ask(queries.workload_energy, first, last)),
            ask(queries.workload_seconds, first, last),
            ask(queries.workload_avoidable, first, last),
            self._scraped,
        )
        services = service_rows(
            ask(queries.service_energy, first, last),
            self._noted(SERVICE_TOKENS, ask(queries.service_tokens, first, last)),
        )
        uncovered = ask(queries.uncovered, first, last)
        found = HostHours()
        self._add_money(found, first, last)
        for row in devices:
            found.add_energy((row.host, row.hour), Boundary.GPU, row.energy_mj)
        self._add_beyond(found, first, last)
        self._add_grams(found, first, last)
        self._add_supply(found, first, last)
        self._add_uncovered(uncovered)
        return ReportRows(
            devices=tuple(devices),
            owners=tuple(owners),
            services=tuple(services),
            hours=tuple(found.rows(self._currency)),
            origin=Origin.PROMETHEUS,
        )

    def _grown(self, query: str, first: int, last: int) -> list[Series]:
        """Give the growth in each hour of `[first, last)`: samples stand at the ends of the hours."""
        return self._api.range(query, first + NS_PER_HOUR, last, step_ns=NS_PER_HOUR)

    def _noted(self, metric: str, found: list[Series]) -> list[Series]:
        if found:
            self._seen.add(metric)
        return found

    def _add_energies(self, found: HostHours, series: list[Series], boundary: Boundary) -> None:
        for one in series:
            for hour, energy_mj in growths(one, MJ):
                found.add_energy((host_of(one), hour), boundary, energy_mj)

    def _add_beyond(self, found: HostHours, first: int, last: int) -> None:
        self._add_energies(found, self._grown(self._queries.node_energy, first, last), Boundary.NODE)
        self._add_energies(found, self._grown(self._queries.facility_energy, first, last), Boundary.FACILITY)

    def _add_grams(self, found: HostHours, first: int, last: int) -> None:
        for one in self._noted(EMISSIONS, self._grown(self._queries.grams, first, last)):
            boundary = member(Boundary, one.metric.get("boundary", ""))
            accounting = member(Accounting, one.metric.get("accounting", ""))
            if boundary is not None and accounting is not None:
                for hour, product in growths(one, PRODUCT):
                    found.add_emissions((host_of(one), hour), boundary, accounting, product)

    def _add_money(self, found: HostHours, first: int, last: int) -> None:
        costs = self._noted(COST, self._grown(self._queries.cost, first, last))
        for is_cost, series in ((True, costs), (False, self._grown(self._queries.credit, first, last))):
            for one in series:
                boundary = member(Boundary, one.metric.get("boundary", ""))
                currency = one.metric.get("currency", "")
                self._currency = self._currency or currency
                if boundary is None or currency != self._currency:
                    self._other_currencies.add(currency)
                    continue
                for hour, product in growths(one, PRODUCT):
                    cost, credit = (product, 0) if is_cost else (0, product)
                    found.add_money((host_of(one), hour), boundary, cost=cost, credit=credit)

    def _add_supply(self, found: HostHours, first: int, last: int) -> None:
        for one in self._noted(SUPPLY, self._grown(self._queries.supply, first, last)):
            layer = member(Layer, one.metric.get("layer", ""))
            if layer is not None:
                for hour, energy_mj in growths(one, MJ):
                    found.add_layer((host_of(one), hour), layer, energy_mj)
        for one in self._grown(self._queries.matched, first, last):
            for hour, energy_mj in growths(one, MJ):
                found.add_matched((host_of(one), hour), energy_mj)
        for one in self._grown(self._queries.with_grid, first, last):
            for hour, energy_mj in growths(one, MJ):
                found.add_with_grid((host_of(one), hour), energy_mj=energy_mj)
        for one in self._grown(self._queries.with_grid_load, first, last):
            for hour, energy_mj in growths(one, MJ):
                found.add_with_grid((host_of(one), hour), covered_mj=energy_mj)

    def _add_uncovered(self, series: list[Series]) -> None:
        for one in series:
            accounting = member(Accounting, one.metric.get("accounting", ""))
            if accounting is not None and one.metric.get("boundary") == Boundary.GPU:
                known_mj = self._uncovered_mj.get(accounting, 0)
                self._uncovered_mj[accounting] = known_mj + sum(energy_mj for _, energy_mj in growths(one, MJ))

    def _notes(self) -> Iterator[str]:
        missing = [
            name for name in (WORKLOAD_ENERGY, SERVICE_TOKENS, EMISSIONS, COST, SUPPLY) if name not in self._seen
        ]
        if missing:
            yield f"This Prometheus has none of {', '.join(missing)} in this time: what they tell is not known."
        if EMISSIONS in self._seen:
            yield "Of an hour in which a host told any gram all energy counts as covered."
        for accounting, energy_mj in sorted(self._uncovered_mj.items()):
            if energy_mj:
                yield (
                    f"Hours that closed in this time had {kwh(energy_mj)} kWh of GPUs without a {accounting}-based "
                    "factor: they are in no gram."
                )
        others = sorted(self._other_currencies - {self._currency})
        if others:
            yield f"Cost in {', '.join(others)} is left out: the report is in {self._currency}."
        for words in self._api.warnings:
            yield f"Prometheus warns that an answer is not whole: {words}"


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if name and port.isdigit() else host
