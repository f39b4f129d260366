"""`wattledger once`: one page on stdout. It keeps no books, so its counters begin with the command."""

import argparse
import sys
from collections.abc import Mapping

from wattledger.agent.clock import Clock, SystemClock
from wattledger.agent.ledger import MemoryLedger
from wattledger.agent.pipeline import Pipeline, SamplerHealth, fresh_limit_ns
from wattledger.agent.policy import host_policy
from wattledger.agent.price_desk import PriceDesk
from wattledger.agent.price_parts import PriceSettings
from wattledger.agent.sampler.supervisor import SamplerSupervisor
from wattledger.agent.source_choice import choose_source, sampler_settings
from wattledger.agent.version import __version__
from wattledger.agent.wiring import usage_desk
from wattledger.exporter.render import Format, Renderer
from wattledger.exporter.snapshot import AgentHealth, ConfigHealth, Snapshot
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Sample, SourceKind

from .settings import load_or_explain

# Energy, activity and rates need an interval, and the hardware counter steps only every 100 ms.
SPAN_NS = NS_PER_SECOND
PATIENCE_NS = 40 * NS_PER_SECOND
LOOK_NS = NS_PER_SECOND // 20


def once(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Print the page; exit code 1 when the source gave nothing, with the reason on stderr and on the page."""
    options.log_level = options.log_level or "warning"
    loaded = load_or_explain(options, environment)
    if loaded is None:
        return 1
    config = loaded.config
    clock = SystemClock()
    source = choose_source(config, environment)
    if source.kind is SourceKind.SIM:
        print(f"SIMULATED: {source.why}; nothing on this page is measured", file=sys.stderr)
    supervisor = SamplerSupervisor(sampler_settings(config, source.kind, realtime=False), clock=clock)
    fresh_ns = fresh_limit_ns(config.interval_ns)
    ledger = MemoryLedger()
    pipeline = Pipeline(
        kind=source.kind,
        ledger=ledger,
        clock=clock,
        policy=host_policy(config),
        usage=usage_desk(config, source.kind, clock=clock, ledger=ledger, lasts=False),
        # A page of a second has no hour that could be priced.
        prices=PriceDesk(ledger.load_prices(), PriceSettings(open_ns=0)),
        fresh_ns=fresh_ns,
    )
    span_ns = None if source.kind is SourceKind.REPLAY else SPAN_NS
    try:
        _collect(supervisor, pipeline, clock, span_ns=span_ns)
    finally:
        supervisor.stop()
        pipeline.close()
    snapshot = _snapshot(pipeline, clock)
    sys.stdout.write(Renderer().render(snapshot, Format.TEXT).decode())
    sys.stdout.flush()
    if not snapshot.source.success:
        print(f"{snapshot.source.kind}: {snapshot.source.reason}: {snapshot.source.detail}", file=sys.stderr)
        return 1
    return 0


def _collect(supervisor: SamplerSupervisor, pipeline: Pipeline, clock: Clock, *, span_ns: int | None) -> None:
    """Take samples over *span_ns*, or until a failure or the end of patience.

    Without *span_ns* all that the source has is taken: patience is for the next frame.
    """
    deadline_ns = clock.now().mono_ns + PATIENCE_NS
    first_ns: int | None = None
    while not supervisor.state.ended and (now_ns := clock.now().mono_ns) < deadline_ns:
        # In short looks: the end of a source is no frame, and shows in the state.
        frame = supervisor.poll(min(deadline_ns, now_ns + LOOK_NS))
        if frame is None:
            continue
        pipeline.take(frame)
        if span_ns is None:
            deadline_ns = now_ns + PATIENCE_NS
        if not isinstance(frame, Sample):
            return
        first_ns = frame.at.mono_ns if first_ns is None else first_ns
        if span_ns is not None and frame.at.mono_ns - first_ns >= span_ns and not _awaits_collection(frame):
            return


def _awaits_collection(sample: Sample) -> bool:
    """Tell whether a collector has nothing new yet since the first look: energy and power come with that."""
    if sample.pace is None:
        return False
    return any(reading.up and Gap.TIMEOUT in reading.gaps.values() for reading in sample.devices)


def _snapshot(pipeline: Pipeline, clock: Clock) -> Snapshot:
    now = clock.now()
    return pipeline.snapshot(
        SamplerHealth(),
        ConfigHealth(loaded_wall_ns=now.wall_ns),
        AgentHealth(version=__version__, started_wall_ns=now.wall_ns),
    )
