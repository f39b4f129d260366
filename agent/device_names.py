"""The boards of the last sample by index and by uuid, for parts that run on threads of their own."""

from wattledger.rules.reading import Sample

from .config import GpuReference


class DeviceNames:
    """Written by the tick thread, whole at each change; read from any thread."""

    def __init__(self) -> None:
        self._uuids: dict[str, str] = {}

    def see(self, sample: Sample) -> None:
        """Take the boards of *sample*, each by its index and by its uuid."""
        names = {}
        for reading in sample.devices:
            uuid = reading.identity.uuid
            names[str(reading.identity.index)] = names[uuid] = uuid
        if names != self._uuids:
            self._uuids = names

    def uuid_of(self, name: str) -> str | None:
        """Give the uuid of the board that *name*, an index or a uuid, stands for; None where there is none."""
        return self._uuids.get(name)

    def uuids_of(self, gpus: tuple[GpuReference, ...]) -> tuple[str, ...]:
        """Give the uuids of *gpus*, without those that are not there."""
        found = (self.uuid_of(str(gpu)) for gpu in gpus)
        return tuple(uuid for uuid in found if uuid is not None)
