"""Two hosts whose counters grow by so much an hour, and a server that answers range queries about them."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from tests.agent.feeds.feed_server import Asked, Reply
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND

START = datetime(2024, 11, 4, tzinfo=UTC)
START_NS = int(START.timestamp()) * NS_PER_SECOND
START_HOUR = START_NS // NS_PER_HOUR
HOURS = 6
END_NS = START_NS + HOURS * NS_PER_HOUR
KWH = 3_600_000.0  # joules

Growth = Callable[[int], float]
"""Gives how much a counter grows in an hour, by the number of the hour from the start."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A series of a family."""

    name: str
    labels: Mapping[str, str]
    growth: Growth
    is_gauge: bool = False


def always(number: float) -> Growth:
    """Give the same in every hour."""
    return lambda _: number


A, B = "gpu-a:9889", "gpu-b:9889"
TRAIN, NOTEBOOK, CHAT = "4711 train", "research/nb-0/jupyter", "serving/chat-0/server"
UUIDS = {"a0": "GPU-a0", "a1": "GPU-a1", "b0": "GPU-b0"}
STATE, STATE_SECONDS = "wattledger_gpu_state_energy_joules_total", "wattledger_gpu_state_seconds_total"
WORK, WORK_SECONDS = "wattledger_workload_energy_joules_total", "wattledger_workload_seconds_total"
SCRAPED = {"namespace": "monitoring"}  # what a scrape of pods puts on every series
GRAMS, COST = "wattledger_emissions_grams_total", "wattledger_cost_total"


def counters() -> list[Counter]:
    """Give the series of both hosts.

    Board a0 trains at 500 W; a1 is held by a notebook at 100 W, 60 of them avoidable; b0 serves for half of each
    hour at 400 W and is held for the other at 80 W. The grid has 400 g/kWh at a, which a contract covers wholly, and
    600 at b; a kWh costs 0.2. The PUE of both is 1.5.
    """
    return [*_boards(), *_workloads(), *_services(), *_prices()]


def _boards() -> Iterator[Counter]:
    for host, board, model in ((A, "a0", "H100"), (A, "a1", "H100"), (B, "b0", "L40S")):
        labels = {"instance": host, "gpu": board[1], "uuid": UUIDS[board], "name": model, **SCRAPED}
        yield Counter("wattledger_gpu_info", labels, always(1), is_gauge=True)
    for host in (A, B):
        yield Counter("wattledger_source_info", {"instance": host, "source": "nvml"}, always(1), is_gauge=True)
    for host, board, state, joules, seconds in (
        (A, "a0", "active", 0.5 * KWH, 3600),
        (A, "a0", "parked", 0, 0),
        (A, "a1", "held", 0.1 * KWH, 3600),
        (B, "b0", "active", 0.2 * KWH, 1800),
        (B, "b0", "held", 0.04 * KWH, 1800),
    ):
        labels = {"instance": host, "gpu": board[1], "uuid": UUIDS[board], "state": state}
        yield Counter(STATE, labels, always(joules))
        yield Counter(STATE_SECONDS, labels, always(seconds))
    avoidable = "wattledger_gpu_avoidable_energy_joules_total"
    yield Counter(avoidable, {"instance": A, "gpu": "1", "uuid": UUIDS["a1"]}, always(0.06 * KWH))


def _workloads() -> Iterator[Counter]:
    rows = (
        (A, "a0", "slurm", TRAIN, "active", "exclusive", {"exported_job": "4711", "user": "chen"}, 0.5, 3600),
        (A, "a1", "pod", NOTEBOOK, "held", "exclusive", {"exported_namespace": "research"}, 0.1, 3600),
        # Two methods, which are added up.
        (B, "b0", "pod", CHAT, "active", "sm_share", {"exported_namespace": "serving"}, 0.15, 900),
        (B, "b0", "pod", CHAT, "active", "exclusive", {"exported_namespace": "serving"}, 0.05, 900),
        (B, "b0", "pod", CHAT, "held", "exclusive", {"exported_namespace": "serving"}, 0.04, 1800),
    )
    for host, board, kind, title, state, method, names, kwh, seconds in rows:
        labels = {"instance": host, "gpu": board[1], "uuid": UUIDS[board], "kind": kind, "workload": title}
        split = {**labels, **names, **SCRAPED, "state": state, "method": method}
        yield Counter(WORK, split, always(kwh * KWH))
        yield Counter(WORK_SECONDS, split, always(seconds))
    names = {"exported_namespace": "research", **SCRAPED}
    labels = {"instance": A, "gpu": "1", "uuid": UUIDS["a1"], "kind": "pod", "workload": NOTEBOOK, **names}
    yield Counter("wattledger_workload_avoidable_energy_joules_total", labels, always(0.06 * KWH))


def _services() -> Iterator[Counter]:
    labels = {"instance": B, "exported_service": "chat", "service": "wattledger", "model": "llama-8b"}
    energy = "wattledger_service_energy_joules_total"
    yield Counter(energy, {**labels, "scope": "active"}, always(0.2 * KWH))
    yield Counter(energy, {**labels, "scope": "total"}, always(0.24 * KWH))
    for kind, tokens in (("prompt", 400_000), ("output", 100_000)):
        yield Counter("wattledger_service_tokens_total", {**labels, "kind": kind}, always(tokens))


def _prices() -> Iterator[Counter]:
    for host, kwh, per_kwh, market in ((A, 0.6, 400, 0), (B, 0.24, 600, 650)):
        facility = kwh * 1.5
        yield Counter("wattledger_facility_energy_joules_total", {"instance": host}, always(facility * KWH))
        for boundary, load in (("gpu", kwh), ("facility", facility)):
            labels = {"instance": host, "zone": "DE", "boundary": boundary}
            yield Counter(GRAMS, {**labels, "accounting": "location"}, always(load * per_kwh))
            if market:
                yield Counter(GRAMS, {**labels, "accounting": "market"}, always(load * market))
            yield Counter(COST, {"instance": host, "currency": "EUR", "boundary": boundary}, always(load * 0.2))
        layers = {"contract_intra": facility, "grid": 0.0} if host == A else {"grid": facility}
        for layer, load in layers.items():
            yield Counter(
                "wattledger_supply_energy_joules_total", {"instance": host, "layer": layer}, always(load * KWH)
            )
        matched = facility if host == A else 0
        yield Counter("wattledger_hourly_matched_energy_joules_total", {"instance": host}, always(matched * KWH))
    # The other host knows a share of its grid, of half of the hours, and nothing matched there.
    for of, load in (("energy", 0.06), ("load", 0.18)):
        name = f"wattledger_hourly_matched_with_grid_{of}_joules_total"
        yield Counter(name, {"instance": B}, always(load * KWH))


def openmetrics(found: list[Counter], *, minutes: int = 5, hours: int = HOURS) -> str:
    """Give the samples of all series, each some minutes, as promtool reads them: grown evenly within each hour."""
    lines = []
    for name in dict.fromkeys(counter.name for counter in found):
        own = [counter for counter in found if counter.name == name]
        kind = "gauge" if own[0].is_gauge else "counter"
        lines.append(f"# TYPE {name.removesuffix('_total') if kind == 'counter' else name} {kind}")
        for counter in own:
            labels = ",".join(f"{key}={json.dumps(value)}" for key, value in counter.labels.items())
            for minute in range(0, hours * 60 + 1, minutes):
                second = START_NS // NS_PER_SECOND + minute * 60
                lines.append(f"{name}{{{labels}}} {_value(counter, minute)} {second}")
    return "\n".join([*lines, "# EOF", ""])


def _value(counter: Counter, minute: int) -> float:
    hour, rest = divmod(minute, 60)
    if counter.is_gauge:
        return counter.growth(hour)
    whole = sum(counter.growth(number) for number in range(hour))
    return 1000.0 + whole + counter.growth(hour) * rest / 60


@dataclass
class FleetServer:
    """Answers the queries of a report: growth by the hour, grouped as the query says. It refuses what is too much.

    `most_samples` limits an answer, `warnings` stand in each, `broken` is what it answers to everything.
    """

    found: list[Counter] = field(default_factory=counters)
    most_samples: int = 10**9
    warnings: tuple[str, ...] = ()
    broken: Reply | None = None
    times: int = 1
    asked: list[Mapping[str, str]] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)

    def __call__(self, request: Asked) -> Reply:
        """Answer a request."""
        query = request.query or _form(request.body)
        self.asked.append(query)
        self.methods.append(request.method)
        if self.broken is not None:
            return self.broken
        if request.path != "/api/v1/query_range":
            return Reply("404 page not found", status=404)
        times = _times(query)
        rows = self._rows(query["query"], times)
        if len(rows) * len(times) > self.most_samples:
            text = "query processing would load too many samples into memory in query execution"
            return Reply({"status": "error", "errorType": "execution", "error": text}, status=422)
        data = {"resultType": "matrix", "result": rows}
        warnings = {"warnings": list(self.warnings)} if self.warnings else {}
        return Reply({"status": "success", "data": data, **warnings})

    def _rows(self, query: str, times: list[int]) -> list[dict[str, object]]:
        if query.startswith("max(count by"):
            return [{"metric": {}, "values": [[second, str(self.times)] for second in times]}]
        name = next(found for found in re.findall(r"[a-z_]{12,}", query) if found.startswith("wattledger_"))
        own = [counter for counter in self.found if counter.name == name and _matches(query, counter)]
        if query.startswith("count("):
            return [{"metric": {}, "values": [[second, str(len(own))] for second in times]}] if own else []
        grouped: dict[tuple[tuple[str, str], ...], list[Counter]] = {}
        by = re.search(r"by \(([^)]*)\)", query)
        assert by is not None
        for counter in own:
            key = tuple((label, counter.labels[label]) for label in by[1].split(", ") if label in counter.labels)
            grouped.setdefault(key, []).append(counter)
        rows: list[dict[str, object]] = []
        for key, members in grouped.items():
            values = []
            for second in times:
                hour = second // 3600 - 1 - START_HOUR
                total = sum(counter.growth(hour) for counter in members)
                if total > 0 or "> 0" not in query:
                    values.append([second, repr(float(total))])
            if values:
                rows.append({"metric": dict(key), "values": values})
        return rows


def _form(body: bytes) -> Mapping[str, str]:
    return dict(parse_qsl(body.decode()))


def _times(query: Mapping[str, str]) -> list[int]:
    start, end, step = (int(float(query[name])) for name in ("start", "end", "step"))
    return list(range(start, end + 1, step))


def _matches(query: str, counter: Counter) -> bool:
    selector = re.search(r"\{(.*?)\}", query)
    assert selector is not None
    for label, sign, value in re.findall(r'(\w+)(=|!=)"([^"]*)"', selector[1]):
        if (counter.labels.get(label, "") == value) is (sign == "!="):
            return False
    return True
