"""Which class reads which kind of source; imports only the one that is asked for."""

import dataclasses

from wattledger.agent.clock import Clock
from wattledger.agent.sources.base import Source, SourceError
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import SourceKind

from .settings import SamplerSettings

# ruff: noqa: PLC0415  (each source brings megabytes of its own: pynvml, the simulated physics, the capture's format)


def build_source(settings: SamplerSettings, clock: Clock) -> Source:
    """Give the source that *settings* name, not yet opened. Raises SourceError when they contradict themselves."""
    if settings.source is SourceKind.NVML:
        from wattledger.agent.sources.nvml_source import NvmlSource

        return NvmlSource(clock, exclude=settings.exclude)
    if settings.source is SourceKind.REPLAY:
        from pathlib import Path

        from wattledger.agent.sources.replay import ReplaySource

        return ReplaySource(Path(settings.replay_path), realtime=settings.replay_realtime, loop=settings.replay_loop)
    if settings.source is SourceKind.DCGM:
        from wattledger.agent.sources.dcgm import DcgmSource

        return DcgmSource(settings.dcgm_url, clock, exclude=settings.exclude)
    from wattledger.agent.sources.sim import SimSource
    from wattledger.agent.sources.sim_fleet import Fleet

    try:
        return SimSource(Fleet(**dataclasses.asdict(settings.sim)))
    except ValueError as error:
        raise SourceError(Gap.FAILED, f"simulated host: {error}") from error
