"""What the simulated boards are used for: endless, exactly repeating stories; it knows no watts and no board.

A story is a cycle of spells, each spent in one `Doing` or in two that alternate. How long a story has spent in every
doing up to any moment has a closed form in whole nanoseconds. Everything that adds up over time (energy, bytes,
throttled time, busy time) is a weighted sum of those times, hence exact at any moment and without memory.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import takewhile

from wattledger.rules.instant import NS_PER_SECOND

MS = 1_000_000


class Doing(IntEnum):
    """What goes on on a board; the index of its line in LOADS."""

    EMPTY = 0
    BLIND = 1
    HELD = 2
    LOADING = 3
    LIGHT = 4
    DECODE = 5
    PREFILL = 6
    TRAIN = 7
    REDUCE = 8
    CAPPED = 9
    CHECKPOINT = 10


@dataclass(frozen=True, slots=True)
class Load:
    """What a doing asks of a board, in thousandths. `power` is of the range from the context draw to the limit."""

    context: bool = True  # a process holds the board, which keeps its clocks boosted
    readable: bool = True  # false: the driver answers for power and energy alone
    capped: bool = False  # the power limit holds the clocks down
    power: int = 0
    kernel: int = 0  # time with a kernel running: what plain utilisation counts
    sm: int = 0
    occupancy: int = 0
    tensor: int = 0
    dram: int = 0
    pcie_out: int = 0
    pcie_in: int = 0
    nvlink: int = 0


LOADS: tuple[Load, ...] = (
    Load(context=False),
    Load(context=False, readable=False),
    Load(),
    Load(power=10, kernel=20, sm=10, occupancy=5, dram=30, pcie_in=350),
    Load(power=150, kernel=350, sm=180, occupancy=60, tensor=40, dram=220, pcie_out=1, pcie_in=2),
    Load(power=420, kernel=1000, sm=610, occupancy=190, tensor=90, dram=680, pcie_out=2, pcie_in=1),
    Load(power=860, kernel=1000, sm=930, occupancy=310, tensor=570, dram=330, pcie_out=1, pcie_in=4),
    Load(power=930, kernel=1000, sm=950, occupancy=330, tensor=620, dram=410, pcie_in=3, nvlink=60),
    Load(power=330, kernel=1000, sm=420, occupancy=120, dram=280, nvlink=640),
    Load(power=1000, kernel=1000, sm=970, occupancy=360, tensor=700, dram=450, pcie_in=3, nvlink=60, capped=True),
    Load(power=30, kernel=10, sm=5, dram=20, pcie_out=280),
)


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch of *doing*; with `other`, each `beat_ms` begins with `share` thousandths of *doing*."""

    seconds: int
    doing: Doing
    other: Doing | None = None
    beat_ms: int = 1000
    share: int = 500


class Story:
    """A cycle of spells without beginning or end. `shift_ns` moves it in time."""

    __slots__ = ("_before", "_cycle", "_ends_ns", "_shift_ns", "_spells", "cycle_ns")

    def __init__(self, spells: Sequence[Spell], shift_ns: int = 0) -> None:
        self._spells = tuple(spells)
        self._shift_ns = shift_ns
        self._before: list[list[int]] = []  # time spent in each doing before the spell, in one cycle
        self._ends_ns: list[int] = []
        times, end_ns = [0] * len(LOADS), 0
        for spell in self._spells:
            self._before.append(times.copy())
            _add(times, spell, spell.seconds * NS_PER_SECOND)
            end_ns += spell.seconds * NS_PER_SECOND
            self._ends_ns.append(end_ns)
        self._cycle = times
        self.cycle_ns = end_ns

    def spent_ns(self, mono_ns: int) -> list[int]:
        """Give, by doing, the time spent in it up to *mono_ns*; only differences of two moments mean something."""
        cycles, into_ns = divmod(mono_ns + self._shift_ns, self.cycle_ns)
        at = bisect_right(self._ends_ns, into_ns)
        times = [cycles * whole + part for whole, part in zip(self._cycle, self._before[at], strict=True)]
        _add(times, self._spells[at], into_ns - self._start_ns(at))
        return times

    def doing(self, mono_ns: int) -> Doing:
        """Give what goes on at *mono_ns*."""
        into_ns = (mono_ns + self._shift_ns) % self.cycle_ns
        at = bisect_right(self._ends_ns, into_ns)
        spell = self._spells[at]
        beat_ns = spell.beat_ms * MS
        if spell.other is None or (into_ns - self._start_ns(at)) % beat_ns < beat_ns * spell.share // 1000:
            return spell.doing
        return spell.other

    def cycle(self, mono_ns: int) -> int:
        """Give the number of the cycle that *mono_ns* lies in."""
        return (mono_ns + self._shift_ns) // self.cycle_ns

    def cycle_start_ns(self, mono_ns: int) -> int:
        """Give the moment at which the cycle began that *mono_ns* lies in."""
        return self.cycle(mono_ns) * self.cycle_ns - self._shift_ns

    def _start_ns(self, at: int) -> int:
        return self._ends_ns[at - 1] if at else 0


def _add(times: list[int], spell: Spell, length_ns: int) -> None:
    """Add to *times* the first *length_ns* of *spell*."""
    if spell.other is None:
        times[spell.doing] += length_ns
        return
    beat_ns = spell.beat_ms * MS
    first_ns = beat_ns * spell.share // 1000
    beats, rest_ns = divmod(length_ns, beat_ns)
    doing_ns = beats * first_ns + min(rest_ns, first_ns)
    times[spell.doing] += doing_ns
    times[spell.other] += length_ns - doing_ns


@dataclass(frozen=True, slots=True)
class Role:
    """What a board is for. A story with an empty spell begins with it, so that each cycle has its own processes."""

    name: str
    memory: int  # thousandths of the board's memory that its processes hold
    spells: tuple[Spell, ...]
    restarts: bool = False

    @property
    def vacant_ns(self) -> int:
        """Give how long nothing holds the board at the start of each cycle."""
        vacant = takewhile(lambda spell: spell.other is None and not LOADS[spell.doing].context, self.spells)
        return sum(spell.seconds for spell in vacant) * NS_PER_SECOND


CHAT = Role(
    "chat",
    880,
    (
        Spell(14, Doing.PREFILL, Doing.DECODE, beat_ms=300, share=200),
        Spell(8, Doing.LIGHT),
        Spell(18, Doing.HELD),
    ),
)
EMBEDDING = Role(
    "embedding",
    410,
    (
        Spell(6, Doing.PREFILL, Doing.HELD, beat_ms=100, share=550),
        Spell(12, Doing.HELD),
        Spell(9, Doing.LIGHT, Doing.DECODE, beat_ms=700, share=400),
        Spell(26, Doing.HELD),
    ),
)
TRAINING = Role(
    "training",
    930,
    (
        Spell(70, Doing.TRAIN, Doing.REDUCE, beat_ms=1300, share=810),
        Spell(14, Doing.CAPPED, Doing.REDUCE, beat_ms=1500, share=850),
        Spell(4, Doing.CHECKPOINT),
    ),
)
HOARDED = Role("hoarded", 760, (Spell(60, Doing.HELD),))
PARKED = Role("parked", 0, (Spell(60, Doing.EMPTY),))
RESERVED = Role("reserved", 0, (Spell(83, Doing.EMPTY), Spell(7, Doing.BLIND)))
# A working day of two minutes: night, the model is loaded, morning, noon, afternoon, evening.
OFFICE = Role(
    "office",
    620,
    (
        Spell(34, Doing.EMPTY),
        Spell(4, Doing.LOADING),
        Spell(22, Doing.LIGHT, Doing.HELD, beat_ms=2000, share=600),
        Spell(24, Doing.PREFILL, Doing.DECODE, beat_ms=400, share=300),
        Spell(20, Doing.LIGHT, Doing.DECODE, beat_ms=1500, share=500),
        Spell(16, Doing.HELD),
    ),
    restarts=True,
)
SHARED = Role(
    "shared",
    700,
    (
        Spell(20, Doing.DECODE, Doing.LIGHT, beat_ms=600, share=350),
        Spell(13, Doing.HELD),
    ),
)

# By index, over and over on larger hosts; SHARED is the board cut into MIG instances.
ROLES: tuple[Role, ...] = (CHAT, EMBEDDING, TRAINING, HOARDED, PARKED, RESERVED, OFFICE, SHARED)
