"""What a workload is and what holds a device at one moment; how either is found out is the agent's matter."""

from dataclasses import dataclass
from enum import StrEnum

from wattledger.rules.instant import Instant
from wattledger.rules.state import State

Names = tuple[tuple[str, str], ...]
"""Label names with their values, in the order in which they are shown; no value is empty."""


class WorkloadKind(StrEnum):
    """What sort of thing uses a device, the most telling first."""

    POD = "pod"  # a container of a Kubernetes pod
    SLURM = "slurm"  # a Slurm job
    CONTAINER = "container"  # a container that no orchestrator is known for
    UNIT = "unit"  # a systemd unit
    USER = "user"  # processes of a user, in no container, job or unit
    OWNER = "owner"  # to whom the configuration gives the device
    FOLDED = "folded"  # workloads beyond the limit of the page, together
    UNATTRIBUTED = "unattributed"  # nobody, or nobody that could be found out


class ShareMethod(StrEnum):
    """How a workload's part of a device's energy was determined, the surest first."""

    EXCLUSIVE = "exclusive"  # nobody else held the device
    ALLOCATED = "allocated"  # given to it by a scheduler or the configuration, and unused
    SM_SHARE = "sm_share"  # by the use that each holder's processes made of the SMs; the idle part equally
    ESTIMATED = "estimated"  # by the size and the activity of MIG instances
    EQUAL = "equal"  # several holders and no signal that tells them apart
    REMAINDER = "remainder"  # what belongs to nobody


WorkloadKey = tuple[WorkloadKind, str]


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload of this host. Kind and id are its identity; title and names are for people and may be learnt later.

    `title` is the label `workload`. `names` holds what else is known of it (namespace, pod, container, job, user),
    cut down already to the labels that the configuration allows.
    """

    kind: WorkloadKind
    id: str
    title: str
    names: Names = ()

    @property
    def key(self) -> WorkloadKey:
        """Give the identity."""
        return self.kind, self.id


UNATTRIBUTED = Workload(WorkloadKind.UNATTRIBUTED, "", "unattributed")
FOLDED = Workload(WorkloadKind.FOLDED, "", "folded")


@dataclass(frozen=True, slots=True)
class Holder:
    """Processes of one workload (and, where it serves a model, of one service) that hold a context on a device.

    `sm_ppm` is the sum of what its processes used of the SMs lately, in millionths; None where that is not known.
    `gpu_instance` is the MIG GPU instance they run on; None on a device that is not cut.
    """

    workload: Workload
    service: str = ""
    sm_ppm: int | None = None
    gpu_instance: int | None = None


@dataclass(frozen=True, slots=True)
class Allocation:
    """A device, or one MIG GPU instance of it, given to a workload whether it uses it or not."""

    workload: Workload
    gpu_instance: int | None = None


@dataclass(frozen=True, slots=True)
class Holding:
    """Who has to do with one device during one interval.

    `holders` are in a fixed order, at most one for each workload, service and GPU instance. `service` is the one
    service that the configuration gives the whole device to; then all of its energy counts for it.
    """

    holders: tuple[Holder, ...] = ()
    allocations: tuple[Allocation, ...] = ()
    service: str = ""


NOBODY = Holding()


@dataclass(frozen=True, slots=True)
class Part:
    """The part of one booked interval that belongs to one workload. Whole millijoules.

    The parts of an interval sum to it exactly, in `energy_mj` as in `avoidable_mj`. The time is that of the whole
    interval: everyone who holds a device holds it all the time.
    """

    uuid: str
    workload: Workload
    state: State
    method: ShareMethod
    start: Instant
    end: Instant
    energy_mj: int
    avoidable_mj: int = 0
    service: str = ""

    @property
    def duration_ns(self) -> int:
        """Give the length of the interval by the monotonic clock."""
        return self.end.mono_ns - self.start.mono_ns
