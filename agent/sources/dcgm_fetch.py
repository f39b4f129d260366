"""One look at a dcgm-exporter's page over HTTP, and what its failures mean to an operator.

Imported only where the page is asked for.
"""

from __future__ import annotations

import re
import socket
from typing import Final

from wattledger.agent.tokens.fetch import Body, Failure, FetchError, Target, fetch
from wattledger.exporter.outgoing import Wrap
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap

from .base import SourceError
from .dcgm_address import Exporter

# Less than the silence after which a sampler is replaced (agent/sampler/limits.py), a tick before it included.
TIMEOUT_NS: Final = 3 * NS_PER_SECOND
# 8 boards of 7 MIG instances with all rows and the labels of pods are 2 MB.
PAGE_BYTES: Final = 8 << 20
_STATUS: Final = re.compile(r"status (\d{3})")
_CURES: Final = {
    Failure.NO_CONNECTION: "start dcgm-exporter, or correct the address in `source`",
    Failure.SILENT: "see the log of dcgm-exporter, and whether nvidia-smi hangs; restart it",
    Failure.NOT_HTTP: "correct the address in `source`",
    Failure.REFUSED: "correct the address in `source`, such as dcgm:http://127.0.0.1:9400/metrics",
}
_CURES_BY_STATUS: Final = {
    "401": "passwords are not sent; let it answer on loopback without one",
    "403": "let it answer this host",
    "500": "see the log of dcgm-exporter; restart it",
    "503": "see the log of dcgm-exporter; restart it",
}


class PageFetch:
    """Asks one exporter; a connection for each time, since it is seldom."""

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._target = Target(exporter.host, exporter.port, host_header=exporter.host_header)

    def get(self) -> Body:
        """Give the page. Raises SourceError with the cure."""
        try:
            return fetch(
                self._target,
                self._exporter.path,
                timeout_ns=TIMEOUT_NS,
                most_bytes=PAGE_BYTES,
                wrap=self._wrap() if self._exporter.tls else None,
            )
        except FetchError as error:
            raise self._failure(error) from None

    def _failure(self, error: FetchError) -> SourceError:
        reason = str(error)
        status = _STATUS.match(reason)
        code = status.group(1) if status else ""
        gap = Gap.FAILED
        if reason.startswith("timeout"):
            gap = Gap.TIMEOUT
        elif code in ("401", "403"):
            gap = Gap.NO_PERMISSION
        cure = _CURES_BY_STATUS.get(code, _CURES[error.failure])
        return SourceError(gap, f"{self._exporter.shown}: {reason}; {cure}")

    def _wrap(self) -> Wrap:
        import ssl  # noqa: PLC0415  (only for an https address)

        # Made anew each time: the certificates of the system are renewed while we run.
        context, host = ssl.create_default_context(), self._exporter.host

        def wrap(sock: socket.socket) -> socket.socket:
            return context.wrap_socket(sock, server_hostname=host)

        return wrap
