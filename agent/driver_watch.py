"""Whether a driver has come to a host that `auto` took for one without GPU."""

import logging
from collections.abc import Mapping
from pathlib import Path

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.reading import SourceKind

from .config import Config, SourceMode
from .detect import detect

logger = logging.getLogger(__name__)

_LOOK_FOR_DRIVER_NS = 60 * NS_PER_SECOND


class DriverWatch:
    """On a host that `auto` took for one without GPU, looks once a minute whether a driver has come."""

    def __init__(
        self, config: Config, kind: SourceKind, environment: Mapping[str, str], root: Path = Path("/")
    ) -> None:
        self._wanted = config.source.kind is SourceMode.AUTO and kind is SourceKind.SIM
        self._environment = environment
        self._root = root
        self._due_ns: int | None = None

    def __call__(self, now: Instant) -> bool:
        """Tell whether there is a driver now and was none at the start."""
        if not self._wanted:
            return False
        if self._due_ns is None or now.mono_ns < self._due_ns:
            self._due_ns = self._due_ns or now.mono_ns + _LOOK_FOR_DRIVER_NS
            return False
        self._due_ns = now.mono_ns + _LOOK_FOR_DRIVER_NS
        found = detect(self._environment, root=self._root)
        if found.kind is SourceKind.NVML:
            logger.warning("an NVIDIA driver has come: %s; starting anew on it", found.why)
        return found.kind is SourceKind.NVML
