"""What the daemon tells its sampler at the start; plain data that crosses as JSON in one argument."""

from dataclasses import dataclass

import msgspec

from wattledger.agent.logs import LogFormat
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import SourceKind


class SettingsError(Exception):
    """The settings cannot be used; the text names place and value."""


@dataclass(frozen=True, slots=True)
class SimSettings:
    """What to simulate; the fields and their limits are those of the simulated source's `Fleet`."""

    count: int = 8
    profiles: tuple[str, ...] = ("h100",)
    seed: int = 0
    mig: tuple[int, ...] | None = None
    mig_instances: int = 2
    processes: int = 1


@dataclass(frozen=True, slots=True)
class SamplerSettings:
    """Which source is read, and how often. Nothing secret: every user of the host sees a process's arguments."""

    source: SourceKind
    interval_ns: int = NS_PER_SECOND
    exclude: tuple[str, ...] = ()  # devices left alone, by UUID or index
    sim: SimSettings = SimSettings()
    replay_path: str = ""
    replay_realtime: bool = True  # at the present; otherwise one frame a tick, with the times of the capture
    replay_loop: bool = False
    dcgm_url: str = "http://127.0.0.1:9400/metrics"  # without user and password
    released: bool = False  # start without the driver, as after SIGUSR1
    log_level: str = "info"
    log_format: LogFormat = LogFormat.AUTO

    @property
    def is_read_whole(self) -> bool:
        """Tell whether no frame may give way to a newer one: of a capture that is not played but read."""
        return self.source is SourceKind.REPLAY and not self.replay_realtime


def encode_settings(settings: SamplerSettings) -> str:
    """Give *settings* as one line of JSON."""
    return msgspec.json.encode(settings).decode()


def decode_settings(text: str) -> SamplerSettings:
    """Give the settings that *text* holds. Raises SettingsError."""
    try:
        settings = msgspec.json.decode(text, type=SamplerSettings)
    except msgspec.DecodeError as error:
        raise SettingsError(f"sampler settings {text!r}: {error}") from error
    if settings.interval_ns <= 0:
        raise SettingsError(f"sampler settings: interval_ns is {settings.interval_ns}, it must be above 0")
    return settings
