"""Series of queries as the rows of devices, owners and services of a fleet."""

from collections.abc import Container, Iterable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from wattledger.rules.report.rows import DeviceHour, OwnerHour, ServiceHour
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.usage.workload import Names, WorkloadKind

from .prometheus_api import Series

KindT = TypeVar("KindT", bound=StrEnum)
DeviceKey = tuple[str, int, str, State]
OwnerKey = tuple[str, int, str, WorkloadKind, str, Names, State]
ServiceKey = tuple[str, int, str, str]
ScrapedLabel = tuple[str, str, str]
"""Host, name and value of a label that the scrape puts on every series of the host, also where we have none."""

OWNER_NAMES = ("namespace", "user")  # those that owners are grouped by

MJ = Decimal(10**3)  # in a joule
NS = Decimal(10**9)  # in a second
PRODUCT = Decimal(36 * 10**14)  # in a gram, or in one of the currency
ONE = Decimal(1)
_SECONDS_PER_HOUR = 3_600


def growths(series: Series, unit: Decimal) -> Iterator[tuple[int, int]]:
    """Give each hour, by its number since the Unix epoch, with the growth in it as a whole number of 1/*unit*.

    A sample stands for the hour that ends with it. What is no number, or below 0, is left out.
    """
    for second, text in series.values:
        try:
            number = int((Decimal(text) * unit).to_integral_value(ROUND_HALF_EVEN))
        except (InvalidOperation, ValueError, OverflowError):
            continue
        if number >= 0:
            yield int(second) // _SECONDS_PER_HOUR - 1, number


def member(kinds: type[KindT], text: str) -> KindT | None:
    """Give the member with this name; None for what only a later agent knows."""
    try:
        return kinds(text)
    except ValueError:
        return None


def host_of(series: Series) -> str:
    """Give the host of a series."""
    return series.metric.get("instance", "")


def label(series: Series, name: str) -> str:
    """Give one of our labels, which a scrape configuration may have moved aside."""
    return series.metric.get(f"exported_{name}") or series.metric.get(name, "")


def device_rows(energy: Iterable[Series], seconds: Iterable[Series], avoidable: Iterable[Series]) -> list[DeviceHour]:
    """Give the rows of devices, all of their energy open: it gets its part of what its host came to."""
    cells: dict[DeviceKey, list[int]] = {}
    for place, unit, found in ((0, MJ, energy), (1, NS, seconds)):
        for series in found:
            host, uuid = host_of(series), series.metric.get("uuid", "")
            state = member(State, series.metric.get("state", "")) or State.UNKNOWN
            for hour, number in growths(series, unit):
                cells.setdefault((host, hour, uuid, state), [0, 0, 0])[place] += number
    for series in avoidable:
        host, uuid = host_of(series), series.metric.get("uuid", "")
        for hour, number in growths(series, MJ):
            cell = cells.get((host, hour, uuid, State.HELD))
            if cell is not None:
                cell[2] = min(number, cell[0])
    return [
        DeviceHour(*key, energy_mj, duration_ns, avoidable_mj, open_mj=energy_mj)
        for key, (energy_mj, duration_ns, avoidable_mj) in cells.items()
    ]


def owner_rows(
    energy: Iterable[Series], seconds: Iterable[Series], avoidable: Iterable[Series], scraped: Container[ScrapedLabel]
) -> list[OwnerHour]:
    """Give the rows of workloads, in the same way. *scraped* are labels that are of the scrape and not of ours."""
    cells: dict[OwnerKey, list[int]] = {}
    for place, unit, found in ((0, MJ, energy), (1, NS, seconds)):
        for series in found:
            host, uuid, kind, title, names = _owner(series, scraped)
            state = member(State, series.metric.get("state", "")) or State.UNKNOWN
            for hour, number in growths(series, unit):
                cells.setdefault((host, hour, uuid, kind, title, names, state), [0, 0, 0])[place] += number
    for series in avoidable:
        host, uuid, kind, title, names = _owner(series, scraped)
        for hour, number in growths(series, MJ):
            cell = cells.get((host, hour, uuid, kind, title, names, State.HELD))
            if cell is not None:
                cell[2] = min(number, cell[0])
    return [
        OwnerHour(*key, energy_mj, duration_ns, avoidable_mj, open_mj=energy_mj)
        for key, (energy_mj, duration_ns, avoidable_mj) in cells.items()
    ]


def _owner(series: Series, scraped: Container[ScrapedLabel]) -> tuple[str, str, WorkloadKind, str, Names]:
    host = host_of(series)
    names = tuple(
        (name, value)
        for name in OWNER_NAMES
        if (value := label(series, name))
        and (f"exported_{name}" in series.metric or (host, name, value) not in scraped)
    )
    kind = member(WorkloadKind, series.metric.get("kind", "")) or WorkloadKind.UNATTRIBUTED
    return host, series.metric.get("uuid", ""), kind, series.metric.get("workload", ""), names


def service_rows(energy: Iterable[Series], tokens: Iterable[Series]) -> list[ServiceHour]:
    """Give the rows of services and models."""
    energies: dict[ServiceKey, dict[str, int]] = {}
    counts: dict[ServiceKey, dict[TokenKind, int]] = {}
    for series in energy:
        host, service, model = _service(series)
        for hour, number in growths(series, MJ):
            energies.setdefault((host, hour, service, model), {})[series.metric.get("scope", "")] = number
    for series in tokens:
        host, service, model = _service(series)
        kind = member(TokenKind, series.metric.get("kind", ""))
        for hour, number in growths(series, ONE):
            if kind is not None:
                counts.setdefault((host, hour, service, model), {})[kind] = number
    rows = []
    for key in {**energies, **counts}:
        scopes = energies.get(key, {})
        total_mj = scopes.get("total", 0)
        active_mj = min(scopes.get("active", 0), total_mj)
        rows.append(ServiceHour(*key, active_mj, total_mj, counts.get(key, {}), open_mj=total_mj))
    return rows


def _service(series: Series) -> tuple[str, str, str]:
    return host_of(series), label(series, "service"), series.metric.get("model", "")
