"""Samples with the processes that a test wants, and pods that are known when the test says so."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tests.agent.fake_clock import FakeClock
from wattledger.agent.workloads.pods import PodContainer
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import (
    DeviceIdentity,
    GpuProcess,
    HostFacts,
    MigInstance,
    ProcessKind,
    Reading,
    Sample,
    SourceKind,
)


def uuid(index: int) -> str:
    """Give the uuid of a device."""
    return f"GPU-{index:08d}-0000-4000-8000-000000000000"


def process(
    pid: int,
    kind: ProcessKind = ProcessKind.COMPUTE,
    *,
    sm: float | None = None,
    gpu_instance: int | None = None,
    compute_instance: int | None = None,
) -> GpuProcess:
    """Give a process that holds a device."""
    if gpu_instance is not None and compute_instance is None:
        compute_instance = 0
    return GpuProcess(pid=pid, kind=kind, gpu_instance=gpu_instance, compute_instance=compute_instance, sm_ratio=sm)


def instance(gpu_instance: int, compute_instance: int = 0) -> MigInstance:
    """Give a MIG instance."""
    return MigInstance(f"MIG-{gpu_instance}-{compute_instance}", gpu_instance, compute_instance, "1g.10gb")


def sample(
    clock: FakeClock,
    *devices: tuple[GpuProcess, ...] | None,
    instances: Mapping[int, tuple[MigInstance, ...]] | None = None,
) -> Sample:
    """Give a sample of devices with these processes; None: their list cannot be read."""
    readings = tuple(
        Reading(
            identity=DeviceIdentity(uuid(index), index, "GPU"),
            at=clock.now(),
            gaps={Quantity.PROCESSES: Gap.TIMEOUT} if processes is None else {},
            processes=processes,
            instances=(instances or {}).get(index, ()),
        )
        for index, processes in enumerate(devices)
    )
    return Sample(clock.now(), SourceKind.NVML, HostFacts(), readings)


@dataclass(slots=True)
class KnownPods:
    """Pods of a node: those in `by_container`, by id; those in `given`, by device. `wanted` are ids not found."""

    by_container: dict[str, PodContainer] = field(default_factory=dict)
    given: dict[str, tuple[PodContainer, ...]] = field(default_factory=dict)
    wanted: list[tuple[str, str]] = field(default_factory=list)

    def find(self, *, pod_uid: str, container_id: str, devices: Collection[str]) -> PodContainer | None:
        """Give the container by its id, else the only one that one of the devices was given to."""
        found = self.by_container.get(container_id)
        if found is None:
            holders = {pod for device in devices for pod in self.given.get(device, ())}
            found = holders.pop() if len(holders) == 1 else None
        if found is None:
            self.wanted.append((pod_uid, container_id))
        return found

    def allocations(self) -> Mapping[str, tuple[PodContainer, ...]]:
        """Give what was given to whom."""
        return self.given
