"""All services of a host as they are shown, and which processes and devices belong to each; it finds none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from wattledger.rules.tokens.model import CounterClass, Role, Service, Withheld

from .discovery import Found
from .scraper import Status

_VERSION_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Listing:
    """Services, the configured ones first; `of_pid` and `of_device` give the name of each one's.

    `folded` is how many there are beyond the limit; they are not listed.
    """

    services: tuple[Service, ...] = ()
    of_pid: Mapping[int, str] = field(default_factory=dict)
    of_device: Mapping[str, str] = field(default_factory=dict)
    folded: int = 0


def listing(services: Iterable[Service], limit: int) -> Listing:
    """Put *services* together. They come in the order of their weight: what two claim, the first has."""
    named: dict[str, Service] = {}
    for service in services:
        named.setdefault(service.name, service)
    kept = tuple(named.values())[:limit]
    of_pid: dict[int, str] = {}
    of_device: dict[str, str] = {}
    for service in kept:
        for pid in service.pids:
            of_pid.setdefault(pid, service.name)
        for uuid in service.devices:
            of_device.setdefault(uuid, service.name)
    return Listing(kept, of_pid, of_device, len(named) - len(kept))


def configured_service(
    name: str, status: Status, *, kind: str, endpoint: str, devices: tuple[str, ...], pids: frozenset[int]
) -> Service:
    """Give a configured service. Its devices, where it has some, are all that belongs to it."""
    server = kind if status.spec is None else status.spec.key
    return _service(
        name, server or "unknown", status, endpoint, pids=frozenset() if devices else pids, devices=devices
    )


def found_service(found: Found, status: Status) -> Service:
    """Give a service that was found."""
    if found.is_gone:
        status = replace(status, problem=Withheld.UNREACHABLE, detail="its process has ended")
    status = status if status.spec is not None else replace(status, spec=found.spec)
    endpoint = f"{found.access.shown}{found.path}"
    return _service(found.name, found.spec.key, status, endpoint, pids=found.pids, lasts=found.is_gone)


def _service(
    name: str,
    server: str,
    status: Status,
    endpoint: str,
    *,
    pids: frozenset[int],
    devices: tuple[str, ...] = (),
    lasts: bool = False,
) -> Service:
    facts = status.facts
    problem, detail = status.problem, status.detail
    if problem is Withheld.UNREACHABLE and facts is not None and not lasts:
        problem, detail = None, ""  # its reads tell how long that lasts
    if problem is None and facts is not None and facts.known_bad:
        problem, detail = Withheld.KNOWN_BAD, facts.known_bad
    if facts is None:
        ways = () if status.spec is None else status.spec.ways
        role, counter_class = Role.UNIFIED, ways[0].counter_class if ways else CounterClass.ITERATION
        version, remote, engine_devices = "", False, 1
    else:
        role, counter_class = facts.role, facts.counter_class
        version = "".join(character for character in facts.version if character.isprintable())[:_VERSION_CHARACTERS]
        # Where its own engines can be told from those of other hosts, its page is read for its own alone.
        remote = facts.remote and facts.local_engines is None
        engine_devices = facts.engine_devices
    return Service(
        name=name,
        server=server,
        role=role,
        counter_class=counter_class,
        pids=pids,
        devices=devices,
        endpoint=endpoint,
        version=version,
        remote=remote,
        engine_devices=engine_devices,
        problem=problem,
        detail=detail,
    )
