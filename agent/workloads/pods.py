"""What attribution asks of Kubernetes: names of a pod's containers, and which devices they were given; no socket."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PodContainer:
    """A container of a pod. Empty text: whoever tells of it does not know."""

    namespace: str
    pod: str
    container: str
    pod_uid: str = ""
    container_id: str = ""


class Pods(Protocol):
    """The pods of this node as they were last seen. No call blocks or raises."""

    def find(self, *, pod_uid: str, container_id: str, devices: Collection[str]) -> PodContainer | None:
        """Give the container with these ids, or that these devices were given to; None while it is not known.

        One that is not known makes the background look again soon. Devices are named as in `allocations`.
        """
        ...

    def allocations(self) -> Mapping[str, tuple[PodContainer, ...]]:
        """Give who was given what, by device id: GPU-<uuid>, MIG-<uuid>, or on GKE nvidia0, nvidia0/gi3."""
        ...
