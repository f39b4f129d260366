"""Which source of samples a configuration means, what its sampler is told, and in which books its energy stands."""

from collections.abc import Mapping
from pathlib import Path

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import REAL_SOURCES, SourceKind

from .clock import Clock
from .config import Config, SourceMode
from .detect import Detection, detect
from .ledger import Ledger, MemoryLedger, open_ledger
from .sampler.settings import SamplerSettings

_NS_PER_DAY = 86_400 * NS_PER_SECOND
_AT_ONCE_NS = 1_000_000  # between the frames of a capture that is not played but read


def choose_source(config: Config, environment: Mapping[str, str]) -> Detection:
    """Give the kind of source to run and why."""
    if config.source.kind is SourceMode.AUTO:
        return detect(environment)
    return Detection(SourceKind(config.source.kind.value), "as configured")


def sampler_settings(config: Config, kind: SourceKind, *, realtime: bool = True) -> SamplerSettings:
    """Give what the sampler process is told."""
    return SamplerSettings(
        source=kind,
        interval_ns=config.interval_ns if realtime or kind is not SourceKind.REPLAY else _AT_ONCE_NS,
        exclude=tuple(str(gpu) for gpu in config.gpus.exclude),
        replay_path="" if config.source.path is None else str(config.source.path),
        replay_loop=realtime,
        replay_realtime=realtime,
        dcgm_url=config.source.url,
        log_level=config.log.level,
        log_format=config.log.format,
    )


def choose_ledger(config: Config, kind: SourceKind, clock: Clock) -> Ledger:
    """Open the books of this kind of source. Simulated joules never enter the books of real ones.

    Raises LedgerError.
    """
    if kind is SourceKind.REPLAY:
        return MemoryLedger()  # a capture that is played twice was drawn once
    return open_ledger(state_folder(config, kind), clock=clock, history_days=config.history_ns // _NS_PER_DAY)


def state_folder(config: Config, kind: SourceKind) -> Path:
    """Give where the books of this kind of source are. A dcgm-exporter tells of the same boards and counters."""
    return config.state_dir if kind in REAL_SOURCES else config.state_dir / kind.value
