"""The node's power as its management controller tells it over the network, by Redfish."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from wattledger.rules.chain.node_model import NODE, NodeReading, NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

from ..feeds.base import FeedError, Secret, Trouble, Web
from ..sources.base import SourceError
from .redfish_tree import SERVICE_ROOT, Route, find_route, metered_by
from .redfish_values import Document, decode

_log = logging.getLogger(__name__)

PERIOD_NS = 30 * NS_PER_SECOND
_LONGEST_PATH = 512
_HEADERS = {"Accept": "application/json", "OData-Version": "4.0"}
_GAPS = {
    Trouble.UNREACHABLE: Gap.LOST,
    Trouble.TIMEOUT: Gap.TIMEOUT,
    Trouble.UNAUTHORIZED: Gap.NO_PERMISSION,
    Trouble.NOT_FOUND: Gap.UNSUPPORTED,
}


@dataclass(frozen=True, slots=True)
class RedfishAccess:
    """Where the controller is and what it is shown. Secrets are asked for at each use.

    *token* is one of a session, sent as X-Auth-Token; else *username* and *password* are sent each time.
    """

    url: str
    username: str = ""
    password: Secret | None = None
    token: Secret | None = None
    chassis: str = ""


class RedfishMeter:
    """Looks once where the power stands, then reads that document alone; looks again when it is not there."""

    source = NodeSource.REDFISH

    def __init__(self, web: Web, access: RedfishAccess, *, period_ns: int = PERIOD_NS) -> None:
        self._web = web
        self._access = access
        self._period_ns = period_ns
        self._route: Route | None = None

    @property
    def period_ns(self) -> int:
        """Give how often it is to be read."""
        return self._period_ns

    def read(self, at: Instant) -> tuple[NodeReading, ...]:
        """Give the node's power. Raises SourceError."""
        try:
            if self._route is None:
                self._route = find_route(self._get, chassis=self._access.chassis)
                _log.info("redfish: power of the node is at %s", ", ".join(self._route.paths))
            metered = metered_by(self._route, self._get)
        except FeedError as error:
            if error.trouble in (Trouble.NOT_FOUND, Trouble.INVALID):
                self._route = None
            raise SourceError(_GAPS.get(error.trouble, Gap.FAILED), f"{self._access.url}: {error.detail}") from None
        if not metered:
            place = self._route.paths[0]
            self._route = None
            raise SourceError(Gap.FAILED, f"{self._access.url}{place}: has no power, or one that cannot be")
        return (
            NodeReading(
                NODE,
                self.source,
                at,
                energy_uj=metered.energy_uj,
                power_mw=metered.power_mw,
                period_ns=self._period_ns,
            ),
        )

    def close(self) -> None:
        """Forget where the power stands."""
        self._route = None

    def _get(self, path: str) -> Document:
        # Links come from the controller: none may lead the credentials elsewhere.
        if not f"{path}/".startswith(SERVICE_ROOT) or len(path) > _LONGEST_PATH or ".." in path or not path.isascii():
            raise FeedError(Trouble.INVALID, f"a link leads to {path[:80]!r}, which is not below {SERVICE_ROOT}")
        headers, basic = self._credentials()
        response = self._web.get(self._access.url.rstrip("/") + path, headers=headers, basic=basic)
        try:
            return decode(response.body)
        except ValueError as error:
            raise FeedError(Trouble.INVALID, f"{path}: {error}") from None

    def _credentials(self) -> tuple[Mapping[str, str], tuple[str, str] | None]:
        access = self._access
        if access.token is not None:
            return {**_HEADERS, "X-Auth-Token": access.token()}, None
        if access.password is not None:
            return _HEADERS, (access.username, access.password())
        return _HEADERS, None
