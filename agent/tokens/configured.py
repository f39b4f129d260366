"""Services that the configuration names: where they are asked, and what is shown of them; it asks nothing itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator

from wattledger.rules.tokens.model import Service, Withheld

from .access import ConfiguredAccess, Endpoint, read_endpoint
from .discovery import View
from .listing import configured_service
from .scraper import Source, Status
from .settings import ConfiguredService

_log = logging.getLogger(__name__)

StatusOf = Callable[[str], Status]


class _Desk:
    """A configured service with its access; without one `problem` says what is wrong with its endpoint."""

    def __init__(self, service: ConfiguredService) -> None:
        self.service = service
        self.endpoint: Endpoint | None = None
        self.access: ConfiguredAccess | None = None
        self.problem = ""
        try:
            self.endpoint = read_endpoint(service.endpoint)
            self.access = ConfiguredAccess(service, self.endpoint)
        except ValueError as error:
            self.problem = str(error)
            _log.warning("tokens service=%r problem=%r", service.name, self.problem)


class ConfiguredServices:
    """The services of the present configuration, by name. *devices_of* gives the uuids that it gives to each."""

    def __init__(self, devices_of: Callable[[str], tuple[str, ...]]) -> None:
        self._devices_of = devices_of
        self._desks: dict[str, _Desk] = {}

    def __bool__(self) -> bool:
        return bool(self._desks)

    def __contains__(self, name: str) -> bool:
        return name in self._desks

    def apply(self, services: Iterable[ConfiguredService]) -> None:
        """Go on with these; one that is as before is not begun anew."""
        before = self._desks
        self._desks = {
            service.name: desk if (desk := before.get(service.name)) and desk.service == service else _Desk(service)
            for service in services
        }

    def were_tried(self, status_of: StatusOf) -> bool:
        """Tell whether each of them was asked once, so that it is known by number."""
        return all(status_of(name).was_tried for name, desk in self._desks.items() if desk.access is not None)

    def numbers(self, status_of: StatusOf) -> dict[str, tuple[str, int]]:
        """Give host and port of each endpoint: as who answered, else as it is written."""
        return {
            name: status_of(name).peer or (desk.endpoint.target.host, desk.endpoint.target.port)
            for name, desk in self._desks.items()
            if desk.endpoint is not None
        }

    def sources(self, view: View, paths_of: Callable[[str], tuple[str, ...]]) -> Iterator[Source]:
        """Give what is to be read. *paths_of* gives the paths of a kind, for those whose URL has none."""
        for name, desk in self._desks.items():
            if desk.access is not None and desk.endpoint is not None:
                kind = desk.service.kind
                paths = (desk.endpoint.path,) if desk.endpoint.path else paths_of(kind)
                here = view.here.get(name)
                yield Source(name, desk.access, paths, kind, None if here is None else here.owner)

    def services(self, view: View, status_of: StatusOf) -> Iterator[Service]:
        """Give them as they are shown."""
        for name, desk in self._desks.items():
            here = view.here.get(name)
            status = Status(problem=Withheld.UNREACHABLE, detail=desk.problem) if desk.problem else status_of(name)
            yield configured_service(
                name,
                status,
                kind=desk.service.kind,
                endpoint="" if desk.endpoint is None else desk.endpoint.shown,
                devices=self._devices_of(name),
                pids=frozenset() if here is None else here.pids,
            )
