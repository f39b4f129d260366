"""The totals of workloads and services in memory, and which of them the file does not have; it writes nothing."""

from collections import Counter

from wattledger.rules.tokens.totals import ServiceKey, ServiceTotal
from wattledger.rules.usage.totals import UsageKey, UsageTotal
from wattledger.rules.usage.workload import Workload, WorkloadKey

from .base import Usage, UsageCommit


class UsageBooks:
    """All totals as last committed. `written` false: none of what it begins with is in the file."""

    def __init__(self, usage: Usage | None = None, *, written: bool = True) -> None:
        begun = Usage() if usage is None else usage
        self.totals: dict[UsageKey, UsageTotal] = {}
        self.services: dict[ServiceKey, ServiceTotal] = {}
        self.workloads: dict[WorkloadKey, Workload] = {}  # of the totals, with the names that are known last
        self.changed: dict[UsageKey, None] = {}
        self.changed_services: dict[ServiceKey, None] = {}
        self.dropped: dict[UsageKey, None] = {}
        self.dropped_services: dict[ServiceKey, None] = {}
        self._rows: Counter[WorkloadKey] = Counter()
        self.merge(UsageCommit(changed=begun.totals, services=begun.services))
        if written:
            self.settle()

    def merge(self, usage: UsageCommit) -> None:
        """Take the totals of a commit; what it has of history is not looked at."""
        for key in usage.dropped:
            if self.totals.pop(key, None) is not None:
                self._rows[key[1]] -= 1
                if not self._rows[key[1]]:
                    del self._rows[key[1]], self.workloads[key[1]]
            self.changed.pop(key, None)
            self.dropped[key] = None
        for total in usage.changed:
            key = total.key
            if key not in self.totals:
                self._rows[key[1]] += 1
            self.totals[key] = total
            self.workloads[key[1]] = total.workload
            self.dropped.pop(key, None)
            self.changed[key] = None
        for name in usage.dropped_services:
            self.services.pop(name, None)
            self.changed_services.pop(name, None)
            self.dropped_services[name] = None
        for service in usage.services:
            self.services[service.key] = service
            self.dropped_services.pop(service.key, None)
            self.changed_services[service.key] = None

    def settle(self) -> None:
        """Note that the file has everything."""
        self.changed.clear()
        self.changed_services.clear()
        self.forget_dropped()

    def forget_dropped(self) -> None:
        """Note that the file has nothing of what was dropped."""
        self.dropped.clear()
        self.dropped_services.clear()

    def all(self) -> Usage:
        """Give all totals, each with the names that its workload has now."""
        return Usage(
            tuple(self._named(total) for total in self.totals.values()),
            tuple(self.services.values()),
        )

    def _named(self, total: UsageTotal) -> UsageTotal:
        workload = self.workloads[total.workload.key]
        if total.workload == workload:
            return total
        return UsageTotal(
            total.uuid,
            workload,
            total.state,
            total.method,
            total.energy_mj,
            total.duration_ns,
            total.avoidable_mj,
            total.last_wall_ns,
        )
