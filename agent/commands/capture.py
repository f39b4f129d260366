"""`wattledger capture`: record what the driver answers, for replay, for tests and for bug reports."""

import argparse
import math
import signal
import sys
import threading
from collections.abc import Mapping
from types import FrameType

from wattledger.agent.capture.format import CaptureError
from wattledger.agent.capture.record import record
from wattledger.agent.clock import SystemClock
from wattledger.agent.sampler.build import build_source
from wattledger.agent.source_choice import choose_source, sampler_settings
from wattledger.agent.sources.base import SourceError
from wattledger.agent.version import __version__
from wattledger.rules.reading import SourceKind

from .settings import load_or_explain


def capture(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Record until the time is over or Ctrl-C; give the exit code."""
    loaded = load_or_explain(options, environment)
    if loaded is None:
        return 1
    if not 0 < options.seconds < math.inf:
        print(f"--seconds {options.seconds:g}: must be a number above 0", file=sys.stderr)
        return 2
    stop = _stop_on_signal()
    clock = SystemClock()
    source = choose_source(loaded.config, environment)
    if source.kind is SourceKind.SIM:
        print(f"SIMULATED: {source.why}; the capture says so", file=sys.stderr)
    try:
        result = record(
            build_source(sampler_settings(loaded.config, source.kind), clock),
            clock,
            options.output,
            seconds=options.seconds,
            interval_ns=loaded.config.interval_ns,
            anonymise=not options.identify,
            stop_event=stop,
            product=f"wattledger {__version__}",
        )
    except SourceError as error:
        print(f"{source.kind}: {error.gap}: {error.detail}", file=sys.stderr)
        return 1
    except CaptureError as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{options.output}: {result.samples} samples, {result.failures} failures, {result.ticks_missed} ticks missed"
        f"; play it with --source replay:{options.output}"
    )
    return 0


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handler)
    return stop
