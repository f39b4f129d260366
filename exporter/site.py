"""Answers the daemon's few addresses from the published snapshot; sockets, TLS and limits are the server's matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .http.model import TEXT, Request, Response, brief
from .page import NoSnapshotError, PageCache
from .render import Format, storable
from .render_choice import accepts_gzip, page_format

if TYPE_CHECKING:
    from wattledger.rules.instant import Instant

    from .dcgm.page import DcgmPage

NO_SNAPSHOT = "no sample yet; the daemon has just started"


class Site:
    """The pages of one daemon: `/`, `/metrics`, `/-/healthy`, `/-/ready`; anything else is 404.

    *now* gives the present moment, for the age of the data. With *dcgm* there is `/dcgm/metrics` too. *scheme* tells
    whether clients speak http or https with the server. A request reads the snapshot and changes nothing.
    """

    def __init__(
        self,
        pages: PageCache,
        *,
        now: Callable[[], Instant],
        version: str,
        dcgm: DcgmPage | None = None,
        scheme: Callable[[], str] = lambda: "http",
    ) -> None:
        self._pages = pages
        self._now = now
        self._version = version
        self._scheme = scheme
        self._has_dcgm = dcgm is not None
        self._routes: dict[str, Callable[[Request], Response]] = {
            "/": self._landing,
            "/metrics": self._metrics,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
        }
        if dcgm is not None:
            self._routes["/dcgm/metrics"] = lambda request: self._dcgm_metrics(dcgm, request)

    def __call__(self, request: Request) -> Response:
        """Answer *request*."""
        route = self._routes.get(request.path)
        if route is None:
            *others, last = self._routes
            return brief(404, f"try {', '.join(others)} or {last}")
        return route(request)

    def _metrics(self, request: Request) -> Response:
        self._withdraw_expired()
        chosen = page_format(request.headers.get("accept"))
        gzip = accepts_gzip(request.headers.get("accept-encoding"))
        try:
            body = self._pages.get(chosen, gzip=gzip)
        except NoSnapshotError:
            return brief(503, NO_SNAPSHOT)
        return _scraped(chosen, body, vary="Accept, Accept-Encoding", gzip=gzip)

    def _dcgm_metrics(self, dcgm: DcgmPage, request: Request) -> Response:
        self._withdraw_expired()
        snapshot = self._pages.snapshot
        if snapshot is None:
            return brief(503, NO_SNAPSHOT)
        gzip = accepts_gzip(request.headers.get("accept-encoding"))
        return _scraped(Format.TEXT, dcgm.get(snapshot, gzip=gzip), vary="Accept-Encoding", gzip=gzip)

    def _withdraw_expired(self) -> None:
        """Take values off the page that the tick thread, were it alive, would have replaced or withdrawn."""
        snapshot = self._pages.snapshot
        now = self._now()
        if snapshot is not None and snapshot.is_expired(now):
            self._pages.replace(snapshot, snapshot.expired(now))

    def _healthy(self, _request: Request) -> Response:
        return Response(200, TEXT, b"ok\n")

    def _ready(self, _request: Request) -> Response:
        snapshot = self._pages.snapshot
        reason = NO_SNAPSHOT if snapshot is None else snapshot.stale_reason(self._now())
        return brief(503, storable(reason)) if reason else Response(200, TEXT, b"ready\n")

    def _landing(self, request: Request) -> Response:
        self._withdraw_expired()
        from .landing import CONTENT_TYPE, HEADERS, Asked, landing_page  # noqa: PLC0415 - scrapers never load it

        page = landing_page(
            self._pages.snapshot,
            now=self._now(),
            version=self._version,
            asked=Asked(
                address=request.headers.get("host", ""),
                tls=self._scheme() == "https",
                password="authorization" in request.headers,
                has_dcgm=self._has_dcgm,
            ),
            no_snapshot=NO_SNAPSHOT,
        )
        return Response(200, CONTENT_TYPE, page, HEADERS)


def _scraped(page_format: Format, body: bytes, *, vary: str, gzip: bool) -> Response:
    headers = [("Vary", vary), ("Cache-Control", "no-store")]
    if gzip:
        headers.append(("Content-Encoding", "gzip"))
    return Response(200, page_format.value, body, tuple(headers))
