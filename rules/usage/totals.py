"""What the ledger keeps of workloads: totals for each device, workload, state and method."""

from dataclasses import dataclass

from wattledger.rules.state import State

from .workload import ShareMethod, Workload, WorkloadKey

UsageKey = tuple[str, WorkloadKey, State, ShareMethod]


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """What one workload has used of one device in one state since the ledger first saw it, by one method.

    `last_wall_ns` is when anything was last added. Totals never fall; one that rests is carried on when its workload
    comes back.
    """

    uuid: str
    workload: Workload
    state: State
    method: ShareMethod
    energy_mj: int = 0
    duration_ns: int = 0
    avoidable_mj: int = 0
    last_wall_ns: int = 0

    @property
    def key(self) -> UsageKey:
        """Give the identity."""
        return self.uuid, self.workload.key, self.state, self.method
