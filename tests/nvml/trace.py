"""Knows the true power of one board as a function of time, in closed form; refuses to know what NVML shows."""

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

PJ_PER_MJ = 1_000_000_000  # 1 mW * 1 ns = 1 pJ


class Piece(NamedTuple):
    """Power from start_ns on: constant high_mw (period_ns 0), or a square wave that begins high."""

    start_ns: int
    high_mw: int
    low_mw: int = 0
    period_ns: int = 0
    on_ns: int = 0

    def energy_pj(self, elapsed_ns: int) -> int:
        """Energy of the first *elapsed_ns* of this piece, exact."""
        if self.period_ns == 0:
            return self.high_mw * elapsed_ns
        whole, rest = divmod(elapsed_ns, self.period_ns)
        high_ns = whole * self.on_ns + min(rest, self.on_ns)
        return self.high_mw * high_ns + self.low_mw * (elapsed_ns - high_ns)


@dataclass(slots=True)
class PowerTrace:
    """An append-only list of pieces with the energy up to each; before the first piece power is 0."""

    pieces: list[Piece] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _sums_pj: list[int] = field(default_factory=list)

    def append(self, piece: Piece) -> None:
        """Let *piece* hold from its start on; planned pieces that begin at or after it are dropped."""
        while self._starts and self._starts[-1] >= piece.start_ns:
            self.pieces.pop()
            self._starts.pop()
            self._sums_pj.pop()
        self._sums_pj.append(self.energy_pj(piece.start_ns))
        self.pieces.append(piece)
        self._starts.append(piece.start_ns)

    def energy_pj(self, t_ns: int) -> int:
        """Energy from the origin of the trace to *t_ns*, exact, in pJ."""
        index = bisect_right(self._starts, t_ns) - 1
        if index < 0:
            return 0
        return self._sums_pj[index] + self.pieces[index].energy_pj(t_ns - self._starts[index])

    def sum_pj(self, index: int) -> int:
        """Energy up to the start of piece *index*."""
        return self._sums_pj[index]

    def index_at(self, t_ns: int) -> int:
        """Index of the piece that holds at *t_ns* (0 before the origin)."""
        return max(0, bisect_right(self._starts, t_ns) - 1)
