"""The energy of one service over time: parts in, at whatever moment they are booked, and whole millijoules out."""

from collections.abc import Mapping
from dataclasses import dataclass

from wattledger.rules.state import State
from wattledger.rules.usage.workload import Part, ShareMethod

from .policy import TokenPolicy

_ACTIVE, _UNKNOWN, _IDLE = range(3)
_EXCLUSIVE, _SHARED, _EQUAL = range(3)
_STATE_CLASS = {State.ACTIVE: _ACTIVE, State.UNKNOWN: _UNKNOWN}
_METHOD_CLASS = {
    ShareMethod.SM_SHARE: _SHARED,
    ShareMethod.ESTIMATED: _SHARED,
    ShareMethod.EQUAL: _EQUAL,
}
_SORTS = 9  # state class times 3, plus method class
# So many pieces are kept exactly; beyond, neighbours are joined.
PIECES_LIMIT = 1024


@dataclass(frozen=True, slots=True)
class Energy:
    """Whole millijoules; each of the others is part of `total_mj`."""

    total_mj: int = 0
    active_mj: int = 0
    unknown_mj: int = 0
    shared_mj: int = 0
    equal_mj: int = 0


@dataclass(slots=True)
class _Piece:
    """Energy spread evenly over a time; `taken_mj` of it was given out already."""

    start_ns: int
    end_ns: int
    energy_mj: int
    sort: int
    taken_mj: int = 0


class Timeline:
    """Cumulative energy of one service, given out up to one moment after the other.

    What is booked after its time was given out comes with the next. So all that is given out and what is pending sum
    to the parts exactly, and however time is cut the sums are the same.
    """

    def __init__(self, policy: TokenPolicy) -> None:
        self._policy = policy
        self._pieces: list[_Piece] = []
        self._cut_ns: int | None = None
        self._hole: tuple[int, int] | None = None  # in which nobody looked; several are one
        self._run_since_ns: int | None = None  # since when parts have come without a pause
        self._run_end_ns: int | None = None
        self.devices: dict[str, int] = {}  # of late, each with the end of its last part

    @property
    def pending_mj(self) -> int:
        """Give what was booked and not yet given out."""
        return sum(piece.energy_mj - piece.taken_mj for piece in self._pieces)

    @property
    def given_ns(self) -> int | None:
        """Give the moment up to which energy was given out."""
        return self._cut_ns

    @property
    def end_ns(self) -> int | None:
        """Give the end of the last part."""
        return self._run_end_ns

    def apply(self, policy: TokenPolicy) -> None:
        """Go on under another policy."""
        self._policy = policy

    def add(self, part: Part) -> None:
        """Take one part of the service. Its energy is not below 0."""
        start_ns, end_ns = part.start.mono_ns, part.end.mono_ns
        last_ns = self.devices.get(part.uuid)
        if last_ns is not None and start_ns - last_ns > self._policy.gap_ns:
            self.note_hole(last_ns, start_ns)
        if part.state is State.UNOBSERVED:
            self.note_hole(start_ns, end_ns)
        self._follow(start_ns, end_ns)
        self.devices[part.uuid] = end_ns if last_ns is None else max(last_ns, end_ns)
        if part.energy_mj:
            sort = 3 * _STATE_CLASS.get(part.state, _IDLE) + _METHOD_CLASS.get(part.method, _EXCLUSIVE)
            self._pieces.append(_Piece(start_ns, end_ns, part.energy_mj, sort))
            if len(self._pieces) > PIECES_LIMIT:
                self._join_neighbours()

    def note_hole(self, start_ns: int, end_ns: int) -> None:
        """Note a time in which nobody looked: what lies about it breaks apart."""
        if self._hole is not None:
            start_ns, end_ns = min(start_ns, self._hole[0]), max(end_ns, self._hole[1])
        self._hole = (start_ns, end_ns)

    def is_settled(self, mono_ns: int, now_ns: int, booked_ns: Mapping[str, int], host_ns: int) -> bool:
        """Tell whether all energy up to *mono_ns* is here, or has had its time.

        *booked_ns* is up to when each device is booked, whoever it was for, and *host_ns* the latest of them.
        """
        if now_ns - mono_ns >= self._policy.patience_ns:
            return True
        if not self.devices:
            return host_ns >= mono_ns
        return all(booked_ns.get(uuid, last_ns) >= mono_ns for uuid, last_ns in self.devices.items())

    def has_hole(self, until_ns: int, since_ns: int | None = None) -> bool:
        """Tell whether nobody looked for a while before *until_ns*, and after *since_ns* if given."""
        hole = self._hole
        return hole is not None and hole[0] < until_ns and (since_ns is None or hole[1] > since_ns)

    def silence_ns(self, until_ns: int, booked_ns: Mapping[str, int]) -> int:
        """Give how long before *until_ns* the devices were booked to others alone; 0 where that is not known yet."""
        if self._run_end_ns is None or any(
            booked_ns.get(uuid, last_ns) < until_ns for uuid, last_ns in self.devices.items()
        ):
            return 0
        return max(0, until_ns - self._run_end_ns)

    def covers(self, since_ns: int) -> bool:
        """Tell whether parts have come without a pause since *since_ns*."""
        return self._run_since_ns is not None and self._run_since_ns <= since_ns + self._policy.edge_ns

    @property
    def was_ever_booked(self) -> bool:
        """Tell whether there was a part at all."""
        return self._run_since_ns is not None

    def take(self, until_ns: int) -> Energy:
        """Give out the energy up to *until_ns* that was not given out before."""
        if self._cut_ns is not None:
            until_ns = max(until_ns, self._cut_ns)
        self._cut_ns = until_ns
        sums = [0] * _SORTS
        kept: list[_Piece] = []
        for piece in self._pieces:
            if piece.end_ns <= until_ns:
                sums[piece.sort] += piece.energy_mj - piece.taken_mj
                continue
            kept.append(piece)
            if piece.start_ns < until_ns:
                # Cumulative, so that many cuts leave nothing over.
                length_ns = piece.end_ns - piece.start_ns
                taken_mj = piece.energy_mj * (until_ns - piece.start_ns) // length_ns
                sums[piece.sort] += taken_mj - piece.taken_mj
                piece.taken_mj = taken_mj
        self._pieces = kept
        if self._hole is not None and self._hole[1] <= until_ns:
            self._hole = None
        gone_ns = until_ns - self._policy.gone_ns
        if any(last_ns < gone_ns for last_ns in self.devices.values()):
            self.devices = {uuid: last_ns for uuid, last_ns in self.devices.items() if last_ns >= gone_ns}
        return _summed(sums)

    def _follow(self, start_ns: int, end_ns: int) -> None:
        if self._run_end_ns is None:
            self._run_since_ns, self._run_end_ns = start_ns, end_ns
            if self._cut_ns is not None and start_ns - self._cut_ns > self._policy.edge_ns:
                self.note_hole(self._cut_ns, start_ns)  # it had tokens before it was known to have devices
            return
        if start_ns - self._run_end_ns > self._policy.edge_ns:
            self.note_hole(self._run_end_ns, start_ns)
            self._run_since_ns = start_ns
        self._run_end_ns = max(self._run_end_ns, end_ns)

    def _join_neighbours(self) -> None:
        """Halve the number of pieces; moments inside a joined piece are exact no more, and its sum is."""
        self._pieces.sort(key=lambda piece: (piece.sort, piece.start_ns))
        joined: list[_Piece] = []
        room = False  # whether the last one is single yet
        for piece in self._pieces:
            if self._cut_ns is not None and piece.start_ns < self._cut_ns:
                piece.start_ns = min(self._cut_ns, piece.end_ns)
            piece.energy_mj -= piece.taken_mj
            piece.taken_mj = 0
            last = joined[-1] if room else None
            if last is not None and last.sort == piece.sort:
                last.start_ns = min(last.start_ns, piece.start_ns)
                last.end_ns = max(last.end_ns, piece.end_ns)
                last.energy_mj += piece.energy_mj
                room = False
            else:
                joined.append(piece)
                room = True
        self._pieces = joined


def _summed(sums: list[int]) -> Energy:
    by_method = [sums[method] + sums[3 + method] + sums[6 + method] for method in range(3)]
    return Energy(
        total_mj=sum(by_method),
        active_mj=sum(sums[3 * _ACTIVE : 3 * _ACTIVE + 3]),
        unknown_mj=sum(sums[3 * _UNKNOWN : 3 * _UNKNOWN + 3]),
        shared_mj=by_method[_SHARED] + by_method[_EQUAL],
        equal_mj=by_method[_EQUAL],
    )
