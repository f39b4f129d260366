"""The simulated host as a source: it asks for the boot id once and otherwise knows only the moments it is given."""

from pathlib import Path

from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import Sample, SourceKind

from .base import SourceError
from .sim_fleet import Fleet, SimHost


class SimSource:
    """Samples of a host that does not exist. Its numbers are marked: kind `sim`, driver and names `simulated`."""

    def __init__(self, fleet: Fleet | None = None, *, proc_root: Path = Path("/proc")) -> None:
        self._fleet = fleet or Fleet()
        self._boot_id_path = proc_root / "sys/kernel/random/boot_id"
        self._host: SimHost | None = None
        self._last: Instant | None = None

    @property
    def kind(self) -> SourceKind:
        """Give the name under which its numbers are shown."""
        return SourceKind.SIM

    @property
    def host(self) -> SimHost:
        """Give the simulated host, for its truth. Raises SourceError before `open`."""
        if self._host is None:
            raise SourceError(Gap.FAILED, "the simulated source is not open")
        return self._host

    def open(self) -> None:
        """Read the boot id, from which the counters' epoch follows. Raises SourceError when it cannot be read."""
        try:
            boot_id = self._boot_id_path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(Gap.FAILED, f"{self._boot_id_path}: boot id: {error}") from error
        self._host = SimHost(self._fleet, boot_id=boot_id)
        self._last = None

    def read(self, at: Instant) -> Sample:
        """Give the sample of this tick. Raises SourceError before `open`."""
        sample = self.host.sample(at, self._last)
        self._last = at
        return sample

    def close(self) -> None:
        """Forget the host."""
        self._host = None
