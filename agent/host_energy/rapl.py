"""Energy counters of the processor: packages, memory and platform, by the kernel's powercap folder."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wattledger.rules.chain.node_model import PSYS, NodeReading, NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

from ..sources.base import SourceError
from ..sources.host import gap_of
from .sysfs import Attribute, number_of, text_of

# The same counters can be there by registers, by TPMI and by MMIO: the first that names a domain is taken.
_CONTROLS = ("intel-rapl", "intel-rapl-tpmi", "intel-rapl-mmio")
_ZONE = re.compile(r"(?P<control>intel-rapl(?:-tpmi|-mmio)?):(?P<zone>[0-9]+)(?P<sub>:[0-9]+)?")
_PACKAGE = re.compile(r"package-(?P<number>[0-9]+(?:-die-[0-9]+)?)")
HIDDEN = "hidden by the container runtime (/sys/devices/virtual/powercap)"
HIDDEN_CURE = (
    "with docker --security-opt systempaths=unconfined; in a pod ask the management controller by Redfish instead"
)
_CURE = "give the unit AmbientCapabilities=CAP_DAC_READ_SEARCH, or run as root"


@dataclass(frozen=True, slots=True)
class _Zone:
    domain: str
    counter: Attribute
    wraps_uj: int | None


class RaplMeter:
    """Reads every counter that is not inside another: cores and graphics are in their package and left out."""

    source = NodeSource.RAPL
    period_ns = NS_PER_SECOND

    def __init__(self, sys_root: Path) -> None:
        self._folder = sys_root / "class/powercap"
        self._zones: tuple[_Zone, ...] | None = None

    def is_there(self) -> bool:
        """Tell whether the host has such counters, readable or not."""
        return bool(self._find())

    def is_hidden(self) -> bool:
        """Tell whether there are links to such counters alone, of a container that may not see where they lead."""
        return any(_ZONE.fullmatch(path.name) and not path.exists() for path in _folders(self._folder))

    def read(self, at: Instant) -> tuple[NodeReading, ...]:
        """Give the counters. Raises SourceError where none can be read."""
        if self._zones is None:
            self._zones = self._find()
        if not self._zones:
            self._zones = None
            if self.is_hidden():
                raise SourceError(Gap.NO_PERMISSION, f"{self._folder}: {HIDDEN}; {HIDDEN_CURE}")
            raise SourceError(Gap.UNSUPPORTED, f"{self._folder} has no RAPL domain; modprobe intel_rapl_msr")
        readings: list[NodeReading] = []
        failure: SourceError | None = None
        for zone in self._zones:
            try:
                energy_uj = zone.counter.read()
            except OSError as error:
                failure = _failure(zone, error)
            except ValueError as error:
                failure = SourceError(Gap.FAILED, str(error))
            else:
                readings.append(
                    NodeReading(
                        zone.domain,
                        self.source,
                        at,
                        energy_uj=energy_uj,
                        wraps_uj=zone.wraps_uj,
                        period_ns=self.period_ns,
                    )
                )
        if failure is not None and not readings:
            self.close()
            raise failure
        return tuple(readings)

    def close(self) -> None:
        """Let go of the files; the domains are looked for anew by the next read."""
        for zone in self._zones or ():
            zone.counter.close()
        self._zones = None

    def _find(self) -> tuple[_Zone, ...]:
        found: dict[str, _Zone] = {}
        for domain, path in self._domains():
            if domain not in found:
                found[domain] = _Zone(domain, Attribute(path / "energy_uj"), number_of(path / "max_energy_range_uj"))
        return tuple(found.values())

    def _domains(self) -> Iterator[tuple[str, Path]]:
        """Give each domain with its folder, of the best way to read it first."""
        zones = [(match, path) for path in _folders(self._folder) if (match := _ZONE.fullmatch(path.name))]
        zones.sort(key=lambda zone: (_CONTROLS.index(zone[0]["control"]), zone[1].name))
        names = {path.name: text_of(path / "name") for _, path in zones}
        for match, path in zones:
            name = names[path.name]
            if match["sub"] is None:
                if name == PSYS or _PACKAGE.fullmatch(name):
                    yield name, path
            elif name == "dram":
                package = _PACKAGE.fullmatch(names.get(f"{match['control']}:{match['zone']}", ""))
                if package is not None:
                    yield f"dram-{package['number']}", path


def _folders(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _failure(zone: _Zone, error: OSError) -> SourceError:
    gap = gap_of(error)
    cure = f"; {_CURE}" if gap is Gap.NO_PERMISSION else ""
    return SourceError(gap, f"{zone.counter.path}: {error.strerror}{cure}")
