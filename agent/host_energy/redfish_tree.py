"""Where in a Redfish tree the power of the whole node stands: one chassis, and the best of its documents."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from ..feeds.base import FeedError, Trouble
from . import redfish_values as values
from .redfish_values import Document, Metered

Get = Callable[[str], Document]
"""Gives the document at a path. Raises FeedError."""

SERVICE_ROOT = "/redfish/v1/"
CHASSIS = "/redfish/v1/Chassis"  # where the root does not tell
_MOST_MEMBERS = 256  # a baseboard of GPUs alone lists dozens of chassis
_MOST_PAGES = 32
# Chassis that are parts of a node, or that hold several.
_NOT_A_NODE = frozenset(
    {
        *("Component", "Module", "Card", "Cartridge", "Drawer", "Expansion", "IPBasedDrive", "StorageEnclosure"),
        *("PowerStrip", "HeatExchanger", "Row", "Pod", "Rack", "RackGroup", "Facility", "Zone", "SideCar", "Shelf"),
    }
)
_SEVERAL_NODES = "Enclosure"
_TOTAL_POWER = frozenset(
    {"totalpower", "powertotalpower", "systempower", "powersystempower", "chassispower", "powerchassispower"}
)
# A controller that has no such document may say so with any of these.
_NOT_HERE = frozenset({Trouble.NOT_FOUND, Trouble.INVALID, Trouble.SERVER, Trouble.EMPTY})


class RouteKind(StrEnum):
    """Which document tells the power, the best first."""

    ENVIRONMENT = "EnvironmentMetrics"
    POWER = "Power"
    SUPPLIES = "PowerSupplies"
    SENSOR = "Sensors"


@dataclass(frozen=True, slots=True)
class Route:
    """The documents to read each time: one, or the metrics of every power supply, which are added up."""

    chassis: str
    kind: RouteKind
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Chassis:
    path: str
    document: Document

    @property
    def kind(self) -> str:
        return values.text(self.document, "ChassisType")


@dataclass(frozen=True, slots=True)
class _Candidate:
    chassis: _Chassis
    route: Route
    metered: Metered


def metered_by(route: Route, get: Get) -> Metered:
    """Read what *route* leads to; nothing where a part of it is missing. Raises FeedError."""
    match route.kind:
        case RouteKind.ENVIRONMENT:
            return values.of_environment(get(route.paths[0]))
        case RouteKind.POWER:
            return values.of_power(get(route.paths[0]))
        case RouteKind.SENSOR:
            return values.of_sensor(get(route.paths[0]))
        case RouteKind.SUPPLIES:
            powers = [values.of_supply(get(path)).power_mw for path in route.paths]
            known = [power_mw for power_mw in powers if power_mw is not None]
            # Without one of the supplies the sum would be of another node.
            return Metered(power_mw=sum(known) or None) if len(known) == len(powers) else Metered()


def find_route(get: Get, *, chassis: str = "") -> Route:
    """Give the way to the power of the node, of the chassis called *chassis* if given. Raises FeedError."""
    members = _members(_collection(get), get)
    if chassis:
        members = [path for path in members if _name(path) == chassis]
        if not members:
            raise FeedError(Trouble.NOT_FOUND, f"there is no chassis {chassis}; name one of facility.node.redfish")
    if len(members) > _MOST_MEMBERS:
        # Of a part of the list, what is inside of what would not be known.
        told = f"there are {len(members)} chassis; name the node's with facility.node.redfish.chassis"
        raise FeedError(Trouble.INVALID, told)
    known = [_Chassis(path, get(path)) for path in members]
    wanted = known if chassis else _nodes(known)
    found = [candidate for one in wanted if (candidate := _candidate(one, get)) is not None]
    if not found:
        raise FeedError(Trouble.NOT_FOUND, "no chassis has a reading of power; the controller may need a licence")
    if len(found) > 1:
        listed = ", ".join(f"{_name(one.chassis.path)} ({_shown(one.metered)})" for one in found)
        raise FeedError(
            Trouble.INVALID,
            f"several chassis have a reading of power: {listed}; name the node's with facility.node.redfish.chassis",
        )
    return found[0].route


def _collection(get: Get) -> str:
    """Give the path of the list of chassis as the controller writes it."""
    try:
        return values.link(get(SERVICE_ROOT), "Chassis") or CHASSIS
    except FeedError as error:
        if error.trouble not in _NOT_HERE:
            raise
        return CHASSIS


def _members(path: str, get: Get) -> list[str]:
    """Give the paths in the list at *path*, of all its pages; none without a path."""
    found: list[str] = []
    asked: set[str] = set()
    while path and path not in asked and len(asked) < _MOST_PAGES:
        asked.add(path)
        page = get(path)
        found += values.links(page)
        path = values.text(page, "Members@odata.nextLink")
    return found


def _nodes(known: list[_Chassis]) -> list[_Chassis]:
    """Leave out what is part of a node, by its kind or by what it is inside of, and what holds several nodes."""
    if len(known) == 1:
        return known
    single = [one for one in known if one.kind != _SEVERAL_NODES]
    holders = {one.path.rstrip("/") for one in single}
    return [
        one
        for one in single
        if one.kind not in _NOT_A_NODE and values.inside(one.document).rstrip("/") not in holders
    ]


def _candidate(chassis: _Chassis, get: Get) -> _Candidate | None:
    for route in _routes(chassis.path, chassis.document, get):
        metered = _tried(route, get)
        if metered:
            return _Candidate(chassis, route, metered)
    return None


def _tried(route: Route, get: Get) -> Metered:
    try:
        return metered_by(route, get)
    except FeedError as error:
        if error.trouble not in _NOT_HERE:
            raise
        return Metered()


def _routes(path: str, document: Document, get: Get) -> Iterator[Route]:
    name = _name(path)
    for kind in (RouteKind.ENVIRONMENT, RouteKind.POWER):
        found = values.link(document, kind.value)
        if found:
            yield Route(name, kind, (found,))
    supplies = _or_none(_supplies, document, get)
    if supplies:
        yield Route(name, RouteKind.SUPPLIES, supplies)
    yield from (Route(name, RouteKind.SENSOR, (sensor,)) for sensor in _or_none(_sensors, document, get))


def _or_none(find: Callable[[Document, Get], tuple[str, ...]], document: Document, get: Get) -> tuple[str, ...]:
    try:
        return find(document, get)
    except FeedError as error:
        if error.trouble not in _NOT_HERE:
            raise
        return ()


def _sensors(document: Document, get: Get) -> tuple[str, ...]:
    """Give the sensors that are called after the power of the whole."""
    collection = values.link(document, "Sensors")
    listed = _members(collection, get)
    return tuple(path for path in listed if _name(path).lower().translate(_PLAIN) in _TOTAL_POWER)


_PLAIN = str.maketrans("", "", "_- ")


def _supplies(document: Document, get: Get) -> tuple[str, ...]:
    """Give the metrics of every power supply that is plugged in; none where one has none."""
    subsystem = values.link(document, "PowerSubsystem")
    collection = values.link(get(subsystem), "PowerSupplies") if subsystem else ""
    members = _members(collection, get)
    if len(members) > _MOST_MEMBERS:
        return ()
    paths: list[str] = []
    for member in members:
        supply = get(member)
        if values.is_absent(supply):
            continue
        metrics = values.link(supply, "Metrics")
        if not metrics:
            return ()
        paths.append(metrics)
    return tuple(paths)


def _name(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _shown(metered: Metered) -> str:
    return "a counter" if metered.power_mw is None else f"{metered.power_mw // 1000} W"
