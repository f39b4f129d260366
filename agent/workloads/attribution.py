"""Who holds each device, and to whom it is given, tick by tick; energy is shared out elsewhere."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from wattledger.rules.instant import Instant
from wattledger.rules.reading import DeviceIdentity, GpuProcess, ProcessKind, Reading, Sample
from wattledger.rules.usage.workload import UNATTRIBUTED, Allocation, Holder, Holding, Workload, WorkloadKind

from ..clock import Clock
from .job_map import JobCgroups, JobMap, JobMapWatch, MappedJob
from .known import KnownProcesses
from .naming import job_workload, owner_workload, pod_workload
from .pods import Pods
from .processes import Processes
from .procfs import Unresolved
from .slurm import UNNAMED

_log = logging.getLogger(__name__)

_MILLION = 1_000_000
# What an operator can mend, said once when it begins.
_CURES = {
    Unresolved.PID_NAMESPACE_MISMATCH: "the agent must run in the PID namespace of the host (hostPID: true)",
    Unresolved.NO_PERMISSION: "the agent may not read /proc of other users (hidepid, or a security policy)",
}


# Kinds whose names stay over restarts of what they name.
_LASTING = frozenset({WorkloadKind.POD, WorkloadKind.UNIT})


@dataclass(frozen=True, slots=True)
class WorkloadSettings:
    """What the configuration says of workloads.

    `labels` are the names that are shown, in order. `owners` gives to whom a device is given, "" for nobody.
    """

    labels: tuple[str, ...]
    job_map_dir: Path | None
    owners: Callable[[DeviceIdentity], str]


@dataclass(frozen=True, slots=True)
class AttributionHealth:
    """How well the last sample could be attributed.

    `processes` is the number of those that hold a device; `unresolved` of how many it is not known what they belong
    to, by reason, each reason present. `slurm_problem` is empty where job files are read well, or not at all.
    """

    processes: int
    unresolved: Mapping[Unresolved, int]
    slurm_problem: str = ""


class Attribution:
    """Answers for one host, of whose processes *processes* tells. Every method is called by the tick thread."""

    def __init__(
        self,
        clock: Clock,
        processes: Processes,
        *,
        settings: WorkloadSettings,
        pods: Pods | None = None,
        service_of: Callable[[int], str] = lambda _: "",
        device_service: Callable[[str], str] = lambda _: "",
        cgroup_root: Path = Path("/sys/fs/cgroup"),
    ) -> None:
        self._clock = clock
        self._processes = processes
        self._settings = settings
        self._pods = pods
        self._service_of = service_of
        self._device_service = device_service
        self._cgroups = JobCgroups(cgroup_root)
        self._known = KnownProcesses(processes, pods, settings.labels)
        self._listed: dict[str, frozenset[int]] = {}  # by device, what its list last named
        self._owners: dict[str, str] = {}
        self._watch = self._watch_of(settings)
        self._map = JobMap()
        self._jobs: list[tuple[MappedJob, Workload]] = []
        self._counts: Mapping[Unresolved | None, int] = {}
        self._told: set[Unresolved] = set()

    def holdings(self, sample: Sample) -> dict[str, Holding]:
        """Give for each device of *sample* who has to do with it in the interval that ends now."""
        now = self._clock.now()
        self._read_jobs(now)
        devices_of = _Places(sample)
        found: dict[str, Holding] = {}
        for reading in sample.devices:
            uuid = reading.identity.uuid
            allocations = self._allocations(reading, now)
            holders = self._holders(reading, sample.at, now.mono_ns, allocations, devices_of)
            found[uuid] = Holding(holders, allocations, self._device_service(uuid))
            self._owners[uuid] = allocations[0].workload.title if allocations else ""
        self._counts = self._known.seen(now.mono_ns)
        self._tell()
        return found

    def owner_of(self, uuid: str) -> str:
        """Give to whom the device is given, as its first allocation is called; "" for nobody."""
        return self._owners.get(uuid, "")

    def title_of(self, pid: int) -> str | None:
        """Give what a process's workload is called where that outlives it, else ""; None where it may come yet.

        Any thread may ask.
        """
        known = self._known.peek(pid)
        if known is None or known.reason is Unresolved.PENDING:
            return None
        workload = known.workload
        return workload.title if workload is not None and workload.kind in _LASTING else ""

    def health(self) -> AttributionHealth:
        """Give how well the last sample could be attributed."""
        return AttributionHealth(
            processes=sum(self._counts.values()),
            unresolved={reason: self._counts.get(reason, 0) for reason in Unresolved},
            slurm_problem=self._map.problem,
        )

    def apply(self, settings: WorkloadSettings) -> None:
        """Go on by other settings."""
        before, self._settings = self._settings, settings
        if settings.job_map_dir != before.job_map_dir:
            if self._watch is not None:
                self._watch.close()
            self._watch = self._watch_of(settings)
            self._map = JobMap()
        self._jobs = self._named_jobs()
        self._known.apply(settings.labels)

    def close(self) -> None:
        """Look nothing up any more."""
        if self._watch is not None:
            self._watch.close()
        self._processes.close()

    def _holders(
        self,
        reading: Reading,
        at: Instant,
        now_ns: int,
        allocations: tuple[Allocation, ...],
        devices_of: "_Places",
    ) -> tuple[Holder, ...]:
        if reading.processes is None:
            return ()
        # A display server alone holds no device.
        listed = [process for process in reading.processes if process.kind is not ProcessKind.GRAPHICS]
        pids = frozenset(process.pid for process in listed)
        changed = pids != self._listed.get(reading.identity.uuid)
        self._listed[reading.identity.uuid] = pids
        merged: dict[tuple[str, str, str, int], Holder] = {}
        for process in listed:
            known = self._known.get(process.pid, at, now_ns, check=changed, devices_of=devices_of)
            workload = known.workload
            if workload is None:
                workload = _fallback(known.reason, process, allocations)
            holder = Holder(workload, self._service_of(process.pid), _sm_ppm(process), process.gpu_instance)
            instance = -1 if process.gpu_instance is None else process.gpu_instance
            key = (*workload.key, holder.service, instance)
            before = merged.get(key)
            merged[key] = holder if before is None else _together(before, holder)
        return tuple(merged[key] for key in sorted(merged))

    def _allocations(self, reading: Reading, now: Instant) -> tuple[Allocation, ...]:
        """Give to whom a device is given: what a scheduler says comes before the configuration."""
        for source in (self._from_pods(reading), self._from_jobs(reading, now), self._from_owner(reading)):
            # Several lines of one source may name the same workload.
            distinct = {(one.workload.key, one.gpu_instance): one for one in source}
            if distinct:
                return tuple(distinct.values())
        return ()

    def _from_pods(self, reading: Reading) -> Iterator[Allocation]:
        given = {} if self._pods is None else self._pods.allocations()
        if not given:
            return
        for gpu_instance, _, device_id in _device_ids(reading):
            for pod in given.get(device_id, ()):
                workload = pod_workload(pod, labels=self._settings.labels)
                if workload is not None:
                    yield Allocation(workload, gpu_instance)

    def _from_jobs(self, reading: Reading, now: Instant) -> Iterator[Allocation]:
        for mapped, workload in self._jobs:
            if mapped.gpu != reading.identity.index:
                continue
            alive = mapped.pid is not None or not mapped.over(now) or self._known.job(mapped.job) is not None
            if alive:
                yield Allocation(workload, mapped.gpu_instance)

    def _from_owner(self, reading: Reading) -> Iterator[Allocation]:
        owner = self._settings.owners(reading.identity)
        workload = owner_workload(owner, labels=self._settings.labels)
        if workload is not None:
            yield Allocation(workload)

    def _watch_of(self, settings: WorkloadSettings) -> JobMapWatch | None:
        if settings.job_map_dir is None:
            return None
        return JobMapWatch(settings.job_map_dir, process_of=self._cgroups.process_of)

    def _read_jobs(self, now: Instant) -> None:
        fresh = JobMap() if self._watch is None else self._watch.current(now)
        if fresh is not self._map and (fresh.jobs or self._map.jobs or fresh.problem != self._map.problem):
            self._map = fresh
            self._jobs = self._named_jobs()

    def _named_jobs(self) -> list[tuple[MappedJob, Workload]]:
        named = []
        for mapped in self._map.jobs:
            workload = self._known.job(mapped.job)
            if workload is None:
                names = UNNAMED if mapped.pid is None else self._processes.job_names(mapped.job, mapped.pid)
                workload = job_workload(mapped.job, labels=self._settings.labels, names=names)
            if workload is not None:
                named.append((mapped, workload))
        return named

    def _tell(self) -> None:
        for reason, cure in _CURES.items():
            number = self._counts.get(reason, 0)
            if number and reason not in self._told:
                self._told.add(reason)
                _log.warning("%d GPU processes cannot be attributed (%s): %s", number, reason.value, cure)
            elif not number and reason in self._told:
                self._told.discard(reason)
                _log.info("all GPU processes can be attributed again (no %s)", reason.value)


class _Places:
    """On which devices, or instances of them, each process of a sample is; counted up only when someone asks."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._places: dict[int, set[str]] | None = None

    def __call__(self, pid: int) -> Collection[str]:
        if self._places is None:
            self._places = {}
            for reading in self._sample.devices:
                ids: dict[tuple[int | None, int | None], list[str]] = {}
                for *instance, device_id in _device_ids(reading):
                    ids.setdefault((instance[0], instance[1]), []).append(device_id)
                for process in reading.processes or ():
                    place = process.gpu_instance, process.compute_instance
                    self._places.setdefault(process.pid, set()).update(ids.get(place, ()))
        return self._places.get(pid, ())


def _device_ids(reading: Reading) -> Iterator[tuple[int | None, int | None, str]]:
    """Give the names that Kubernetes may have for a device and its MIG instances, each after its two numbers."""
    identity = reading.identity
    yield None, None, identity.uuid
    yield None, None, f"nvidia{identity.index}"
    for instance in reading.instances:
        numbers = instance.gpu_instance, instance.compute_instance
        yield *numbers, instance.uuid
        yield *numbers, f"nvidia{identity.index}/gi{instance.gpu_instance}"


def _fallback(reason: Unresolved | None, process: GpuProcess, allocations: tuple[Allocation, ...]) -> Workload:
    """Give the workload of a process that cannot be looked at: the only one that its device was given to, if any."""
    if reason is Unresolved.PENDING:
        return UNATTRIBUTED
    fitting = [one for one in allocations if one.gpu_instance in (None, process.gpu_instance)]
    return fitting[0].workload if len(fitting) == 1 else UNATTRIBUTED


def _together(one: Holder, other: Holder) -> Holder:
    """Join processes of one holder. Use that is told of some of them counts; the driver lists only users."""
    known = [part.sm_ppm for part in (one, other) if part.sm_ppm is not None]
    # One process may be better named than another.
    workload = max(one.workload, other.workload, key=lambda workload: (len(workload.names), workload.names))
    return replace(one, workload=workload, sm_ppm=sum(known) if known else None)


def _sm_ppm(process: GpuProcess) -> int | None:
    return None if process.sm_ratio is None else max(0, round(process.sm_ratio * _MILLION))
