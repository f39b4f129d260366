"""`wattledger run`: the daemon from start to stop."""

import argparse
import logging
import os
import sys
from collections.abc import Mapping

from wattledger.agent.clock import SystemClock
from wattledger.agent.config import ConfigError
from wattledger.agent.daemon import RestartWanted
from wattledger.agent.ledger import LedgerError
from wattledger.agent.wiring import Running, build
from wattledger.exporter.http import ListenError, WebConfigError
from wattledger.rules.reading import SourceKind

from .settings import load, load_or_explain

logger = logging.getLogger(__name__)

_SIMULATED = """\
***************************************************************************
*  SIMULATED: the GPUs on this page are made up and nothing is measured.  *
*  On a host with an NVIDIA driver: wattledger run --source nvml          *
***************************************************************************"""


def run(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Run until SIGTERM; give the exit code."""
    loaded = load_or_explain(options, environment)
    if loaded is None:
        return 1
    try:
        running = build(
            loaded, environment=environment, clock=SystemClock(), reload=lambda: load(options, environment)
        )
    except (ConfigError, LedgerError, ListenError, WebConfigError) as error:
        print(error, file=sys.stderr)
        return 1
    running.daemon.install_signals()
    _greet(running)  # who reads it may stop or reload us at once
    try:
        running.daemon.run()
    except RestartWanted:
        running.close()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606  (ourselves, as we were started)
    running.close()
    logger.info("stopped")
    return 0


def _greet(running: Running) -> None:
    """Say on stdout where the page is, what to paste, and loudly when nothing is measured."""
    source = running.source
    logger.info("started: source=%s why=%r page=%s", source.kind, source.why, running.server.url)
    if source.kind is SourceKind.SIM:
        print(_SIMULATED, file=sys.stderr)
    url = running.server.url.rstrip("/")
    host = url.split("//", 1)[1]
    print(f"wattledger: source {source.kind}: {source.why}")
    print(f"page:    {url}/")
    print(f"metrics: {url}/metrics")
    print("to scrape it, paste under scrape_configs in prometheus.yml:")
    print("  - job_name: wattledger")
    print("    scrape_interval: 15s")
    if running.server.scheme == "https":
        print("    scheme: https")
    print("    static_configs:")
    print(f"      - targets: ['{host}']", flush=True)
