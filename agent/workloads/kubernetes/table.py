"""Pods as the kubelet lists them, joined with their uids and container ids: pure, made once and never changed."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ..pods import PodContainer
from .device_ids import devices_of
from .messages import ListedPod
from .pod_logs import LoggedPod, PodLogs


@dataclass(frozen=True, slots=True)
class Held:
    """A container that was given devices, also where it cannot be told which."""

    container: PodContainer
    devices: frozenset[str]

    def holds(self, devices: Collection[str]) -> bool:
        """Tell whether all of *devices* are here, by their UUIDs or else by their numbers: the same has both."""
        uuids = {device for device in devices if not device.startswith("nvidia")}
        return any(kind and kind <= self.devices for kind in (uuids, {*devices} - uuids))


@dataclass(frozen=True, slots=True)
class PodTable:
    """What is known of the pods at one moment. `pods` is how many are listed; None: there is no list.

    `fresh` tells that the list is of the same moment, and not kept from an earlier one.
    """

    logs: PodLogs = field(default_factory=PodLogs)
    held: Mapping[tuple[str, str], tuple[Held, ...]] = field(default_factory=dict)  # by namespace and pod
    allocations: Mapping[str, tuple[PodContainer, ...]] = field(default_factory=dict)
    unresolved: tuple[str, ...] = ()
    pods: int | None = None
    fresh: bool = False

    def find(
        self, *, pod_uid: str, container_id: str, devices: Collection[str], complete: bool
    ) -> PodContainer | None:
        """Give the container with these ids; by its devices only where ids cannot be looked up.

        Where they can, a container without known ids is none of a pod, whatever pod its device was given to.
        *complete* tells that all of this was read after the container began to use its devices. Before, what is
        not here may only be late, and a device may still be listed for who had it before.
        """
        found = self.logs.containers.get(container_id)
        if found is not None:
            return found
        logged = self.logs.pods.get(pod_uid)
        if logged is not None:
            return self._of_pod(logged, pod_uid, devices, complete=complete)
        if not complete or not self.fresh or self.logs.knows_all:
            return None
        return _only(held for containers in self.held.values() for held in containers if held.holds(devices))

    def _of_pod(
        self, logged: LoggedPod, pod_uid: str, devices: Collection[str], *, complete: bool
    ) -> PodContainer | None:
        held = self.held.get((logged.namespace, logged.pod), ())
        found = _only(held)
        if found is None and complete:
            found = _only(one for one in held if one.holds(devices))
            if found is None:
                # That a pod has one container only says who it is where none of them is known to have devices.
                name = logged.containers[0] if len(logged.containers) == 1 and not held else ""
                found = PodContainer(logged.namespace, logged.pod, name)
        return None if found is None else replace(found, pod_uid=pod_uid, container_id="")


def assemble(listed: tuple[ListedPod, ...] | None, logs: PodLogs, *, fresh: bool) -> PodTable:
    """Put together what the kubelet listed, None for nothing at all, and what its folders of logs tell."""
    uids, ids = _names_of(logs)
    held: dict[tuple[str, str], tuple[Held, ...]] = {}
    allocations: dict[str, dict[PodContainer, None]] = {}
    unresolved: set[str] = set()
    for pod in listed or ():
        key = (pod.namespace, pod.name)
        containers: list[Held] = []
        for container in pod.containers:
            devices = devices_of(container)
            if not devices.ids and not devices.unresolved:
                continue
            unresolved.update(devices.unresolved)
            found = PodContainer(*key, container.name, uids.get(key, ""), ids.get((*key, container.name), ""))
            containers.append(Held(found, devices.ids))
            for device in devices.ids:
                allocations.setdefault(device, {})[found] = None
        if containers:
            held[key] = (*held.get(key, ()), *containers)
    return PodTable(
        logs=logs,
        held=held,
        allocations={device: tuple(sorted(given, key=_order)) for device, given in allocations.items()},
        unresolved=tuple(sorted(unresolved)),
        pods=None if listed is None else len(listed),
        fresh=fresh and listed is not None,
    )


def _names_of(logs: PodLogs) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str, str], str]]:
    """Give uids by pod and ids by container, without those that more than one has: some of them are over."""
    uids: dict[tuple[str, str], str] = {}
    for uid, pod in logs.pods.items():
        key = (pod.namespace, pod.pod)
        uids[key] = "" if key in uids else uid
    ids: dict[tuple[str, str, str], str] = {}
    for container_id, one in logs.containers.items():
        name = (one.namespace, one.pod, one.container)
        ids[name] = "" if name in ids else container_id
    return uids, ids


def _only(held: Iterable[Held]) -> PodContainer | None:
    """Give the container of *held* where there is exactly one."""
    found = list(held)
    return found[0].container if len(found) == 1 else None


def _order(container: PodContainer) -> tuple[str, str, str]:
    return container.namespace, container.pod, container.container
