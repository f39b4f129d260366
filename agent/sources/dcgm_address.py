"""Where a dcgm-exporter is, read from its URL; it opens no connection and looks no name up."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

USUAL: Final = "http://127.0.0.1:9400/metrics"  # dcgm-exporter, `-a :9400`
_USUAL_PATH: Final = "/metrics"
_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")
_SENDABLE: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class Exporter:
    """One page. `shown` is how people read it."""

    host: str
    port: int
    path: str
    tls: bool
    host_header: str
    shown: str


def read_exporter(url: str) -> Exporter:
    """Read *url*; without a path it is that of the page. Raises ValueError with problem and cure."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(f"is not a URL; write dcgm:{USUAL}") from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not _HOST.fullmatch(host) or port == 0:
        raise ValueError(f"is not a URL of HTTP; write dcgm:{USUAL}")
    if parts.username is not None or parts.password is not None:
        # The sampler is told in its arguments, which every user of the host can see.
        raise ValueError(f"holds a user name, which is not sent; write dcgm:{USUAL}")
    path = (parts.path if parts.path not in ("", "/") else _USUAL_PATH) + (f"?{parts.query}" if parts.query else "")
    if parts.fragment or not _SENDABLE.fullmatch(path):
        raise ValueError(f"has a path that no request may have; write dcgm:{USUAL}")
    named = f"[{host}]" if ":" in host else host
    if port is not None and port != _PORTS[parts.scheme]:
        named += f":{port}"
    return Exporter(
        host=host,
        port=port or _PORTS[parts.scheme],
        path=path,
        tls=parts.scheme == "https",
        host_header=named,
        shown=f"{parts.scheme}://{named}{path.partition('?')[0]}",
    )
