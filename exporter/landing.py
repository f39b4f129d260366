"""The page at `/`: what this host's GPUs draw and waste, for a person; it loads nothing and runs no script."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import SourceKind

from .landing_alerts import alert_section
from .landing_devices import device_table, legend, totals
from .landing_prices import price_section
from .landing_services import service_section
from .landing_style import STYLE, STYLE_SHA256
from .landing_text import duration, escaped
from .landing_usage import usage_section

if TYPE_CHECKING:
    from wattledger.rules.instant import Instant

    from .snapshot import Snapshot

CONTENT_TYPE = "text/html; charset=utf-8"

_POLICY = (
    f"default-src 'none'; style-src 'sha256-{STYLE_SHA256}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)

_DEFAULT_ADDRESS = "127.0.0.1:9889"
_ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")

# A browser asks for /favicon.ico where none is given, and reports the 404.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Cpath fill='%23bc4c00' d='M9 1 3 9h4l-1 6 6-8H8z'/%3E%3C/svg%3E"
)

_NOT_HARDWARE = {
    SourceKind.SIM: (
        "Simulated",
        "These numbers come from a simulated host. No GPU of this machine is measured.",
    ),
    SourceKind.REPLAY: (
        "Replayed",
        "These numbers come from a recorded capture. No GPU of this machine is measured.",
    ),
}


_WEB_CONFIG = "It is wrong as it stands, and the agent would not start with it; the log has the place and the cure."


@dataclass(frozen=True, slots=True)
class Asked:
    """How the page was asked for, as Prometheus must ask too: *address* is the Host header.

    *password* says whether one was shown, *has_dcgm* whether there is a page of dcgm-exporter's names.
    """

    address: str
    tls: bool = False
    password: bool = False
    has_dcgm: bool = False


def landing_page(snapshot: Snapshot | None, *, now: Instant, version: str, asked: Asked, no_snapshot: str) -> bytes:
    """Give the page as HTML bytes; *no_snapshot* are the words for having none."""
    parts = [_head(version)]
    if snapshot is None:
        parts.append(_banner("No data", no_snapshot, bad=True))
    else:
        parts += _body(snapshot, now)
    parts.append(_foot(asked))
    return "".join(parts).encode()


def _head(version: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>wattledger</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="{_ICON}">\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f"<header><h1>wattledger <small>{escaped(version)}</small></h1>"
        '<p class="dim">Every joule of this host&#39;s GPUs, and what it was spent on.</p></header>\n'
    )


def _body(snapshot: Snapshot, now: Instant) -> list[str]:
    parts = []
    if snapshot.source.kind in _NOT_HARDWARE:
        title, text = _NOT_HARDWARE[snapshot.source.kind]
        parts.append(_banner(title, text))
    stale = snapshot.stale_reason(now)
    if stale:
        parts.append(_banner("Not fresh", stale, bad=True))
    if not snapshot.ledger.writable:
        where = f" ({snapshot.ledger.path})" if snapshot.ledger.path else ""
        parts.append(_banner("Ledger not writable", f"{snapshot.ledger.detail}{where}", bad=True))
    if not snapshot.config.success:
        parts.append(_banner("Configuration not in force", snapshot.config.detail, bad=True))
    if snapshot.agent.web_config_ok is False:
        parts.append(_banner("Web config not in force", _WEB_CONFIG, bad=True))
    parts.append(_provenance(snapshot, now))
    parts.append(alert_section(snapshot.rules, now))
    if snapshot.devices:
        parts += [totals(snapshot.devices), "<h2>GPUs</h2>\n", device_table(snapshot.devices, now), legend()]
    elif not stale:
        parts.append('<p class="banner">The source lists no GPU.</p>\n')
    parts += [
        usage_section(snapshot.usage, fresh=not stale),
        service_section(snapshot.services),
        price_section(snapshot.prices, snapshot.feeds),
    ]
    return parts


def _banner(title: str, text: str, *, bad: bool = False) -> str:
    return f'<p class="banner{" bad" if bad else ""}"><b>{title}.</b> {escaped(text)}</p>\n'


def _provenance(snapshot: Snapshot, now: Instant) -> str:
    facts = [f"Source: <b>{escaped(snapshot.source.kind)}</b>"]
    if snapshot.host.driver_version:
        facts.append(f"driver {escaped(snapshot.host.driver_version)}")
    if snapshot.sample_at is not None:
        taken = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(snapshot.sample_at.wall_ns // NS_PER_SECOND))
        facts.append(f"sample of {taken} UTC ({duration(now.ns_since(snapshot.sample_at))} old)")
    return f'<p class="dim">{", ".join(facts)}</p>\n'


def _foot(asked: Asked) -> str:
    target = asked.address if _ADDRESS.fullmatch(asked.address) else _DEFAULT_ADDRESS
    more = "  scheme: https\n" if asked.tls else ""
    more += "  basic_auth: {username: NAME, password_file: FILE}\n" if asked.password else ""
    dcgm = (
        '<li><a href="/dcgm/metrics">/dcgm/metrics</a>: the names of dcgm-exporter</li>\n' if asked.has_dcgm else ""
    )
    return (
        "<h2>Pages</h2>\n<ul>\n"
        '<li><a href="/metrics">/metrics</a> for Prometheus, text or OpenMetrics</li>\n'
        f"{dcgm}"
        '<li><a href="/-/healthy">/-/healthy</a>: the process lives</li>\n'
        '<li><a href="/-/ready">/-/ready</a>: the data is fresh</li>\n</ul>\n'
        "<h2>Scrape it</h2>\n<pre>scrape_configs:\n- job_name: wattledger\n"
        f"{more}  static_configs:\n"
        f'  - targets: ["{escaped(target)}"]\n</pre>\n</body>\n</html>\n'
    )
