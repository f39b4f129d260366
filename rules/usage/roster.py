"""Which workloads have rows of their own on the page; of what they used it knows nothing."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from .workload import WorkloadKey


class Roster:
    """Gives places on the page: at most `limit`, to each workload until it has been gone for `retention_ns`.

    Whoever finds no room is folded, for as long as it is there and no place becomes free; the first to come is the
    first to get one. Nobody who has a place loses it to another.
    """

    def __init__(
        self, last_uses: Mapping[WorkloadKey, int], now_wall_ns: int, *, limit: int, retention_ns: int
    ) -> None:
        self.limit = limit
        self.retention_ns = retention_ns
        self.shown: dict[WorkloadKey, int] = {}  # when each was last there, by the wall clock
        self.rested: dict[WorkloadKey, None] = {}  # those who had a place once, the longest gone first
        self.folded: dict[WorkloadKey, None] = {}  # in the order in which they came
        for key in sorted(last_uses, key=lambda key: (last_uses[key], key)):
            if now_wall_ns - last_uses[key] < retention_ns:
                self.shown[key] = last_uses[key]
            else:
                self.rested[key] = None
        self.trim()

    def see(self, present: AbstractSet[WorkloadKey], at_wall_ns: int) -> bool:
        """Take note of who is there now. Tells whether anyone won or lost a place."""
        left = self._let_go(present, at_wall_ns)
        waiting = [key for key in self.folded if key in present and key not in self.shown]
        waiting += sorted(key for key in present if key not in self.shown and key not in self.folded)
        room = self.limit - len(self.shown)
        for key in waiting[:room]:
            self.shown[key] = at_wall_ns
            self.rested.pop(key, None)
        self.folded = dict.fromkeys(waiting[room:])
        return left or bool(waiting[:room])

    def trim(self) -> None:
        """Take places back where the limit was lowered: from those who are gone longest first."""
        excess = len(self.shown) - self.limit
        if excess > 0:
            for key in sorted(self.shown, key=lambda key: (self.shown[key], key))[:excess]:
                self._rest(key)

    def _let_go(self, present: AbstractSet[WorkloadKey], at_wall_ns: int) -> bool:
        gone: list[WorkloadKey] = []
        for key, last_wall_ns in self.shown.items():
            # A wall clock that was set back must not keep anyone on the page for longer than the retention.
            if key in present or last_wall_ns > at_wall_ns:
                self.shown[key] = at_wall_ns
            elif at_wall_ns - last_wall_ns >= self.retention_ns:
                gone.append(key)
        for key in gone:
            self._rest(key)
        return bool(gone)

    def _rest(self, key: WorkloadKey) -> None:
        del self.shown[key]
        self.rested[key] = None
