"""A simulated host as a pure function of time: its boards, what they answer, and the truth about their energy.

It is the same for every process that asks with the same `Fleet` and the same boot id, so an agent that starts again
finds every counter where the hardware would have it.
"""

from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.reading import DeviceIdentity, HostFacts, Sample, SourceKind, XidEvent

from .sim_board import Board, Slice
from .sim_chance import chance
from .sim_physics import Physics
from .sim_profiles import PROFILES, Profile
from .sim_story import LOADS, ROLES, Story

DRIVER_VERSION = "simulated"
SHARED_INDEX = 7  # the board of eight that is cut into MIG instances
_UUID_MARK = "51300000"
_XID_SLOT_NS = 60 * NS_PER_SECOND
_XID_ONE_IN = 15  # slots
_XID_SLOTS_KEPT = 16  # as a driver's queue forgets what nobody fetched
_XIDS = (13, 31, 43)  # faults of an application: the board goes on
_XID_STREAM, _STORY_STREAM = 101, 102


@dataclass(frozen=True, slots=True)
class Fleet:
    """What to simulate. Raises ValueError with the cure when it cannot be.

    `profiles` names of PROFILES, in turn over the boards; `mig` the indices cut into `mig_instances` instances each
    (None: number 7, 15, ... where its profile can be cut); `processes` the number that hold a board or an instance.
    """

    count: int = 8
    profiles: tuple[str, ...] = ("h100",)
    seed: int = 0
    mig: tuple[int, ...] | None = None
    mig_instances: int = 2
    processes: int = 1

    def __post_init__(self) -> None:
        for name, value, most in (
            ("count", self.count, 256),
            ("mig_instances", self.mig_instances, 7),
            ("processes", self.processes, 64),
        ):
            if not 1 <= value <= most:
                raise ValueError(f"{name} is {value}: give 1 to {most}")
        unknown = [name for name in self.profiles if name not in PROFILES]
        if unknown or not self.profiles:
            raise ValueError(f"profile {', '.join(unknown) or '(none)'}: give some of {', '.join(PROFILES)}")
        for index in self.mig or ():
            if not 0 <= index < self.count:
                raise ValueError(f"mig names board {index}: there are boards 0 to {self.count - 1}")
            if not self.profile(index).mig_capable:
                raise ValueError(f"mig names board {index}: {self.profile(index).name} cannot be cut")

    def profile(self, index: int) -> Profile:
        """Give the profile of board *index*."""
        return PROFILES[self.profiles[index % len(self.profiles)]]

    def is_cut(self, index: int) -> bool:
        """Tell whether board *index* is cut into MIG instances."""
        if self.mig is not None:
            return index in self.mig
        return index % len(ROLES) == SHARED_INDEX and self.profile(index).mig_capable


class SimHost:
    """The boards of *fleet* during one boot of the host, `boot_id`; `mono_ns` 0 is the moment of the boot."""

    __slots__ = ("_boards", "_fleet", "_host")

    def __init__(self, fleet: Fleet | None = None, *, boot_id: str = "") -> None:
        self._fleet = fleet or Fleet()
        self._host = HostFacts(driver_version=DRIVER_VERSION, nvml_version=DRIVER_VERSION, boot_id=boot_id)
        self._boards = tuple(_board(self._fleet, index, boot_id) for index in range(self._fleet.count))

    @property
    def boards(self) -> tuple[Board, ...]:
        """Give the boards, by index."""
        return self._boards

    def sample(self, at: Instant, since: Instant | None = None) -> Sample:
        """Give all boards at *at*, with the events after *since* (None: as with a driver, none)."""
        return Sample(
            at=at,
            source=SourceKind.SIM,
            host=self._host,
            devices=tuple(board.reading(at) for board in self._boards),
            events=self._events(since, at) if since else (),
        )

    def truth_mj(self, index: int, from_ns: int, to_ns: int) -> int:
        """Give what the board's meter sees between two `mono_ns`, exact but for flooring to mJ.

        The meter's gain and offset are in it, because no reading of the board can show them; `drawn_mj` is without.
        """
        return self._boards[index].physics.metered_mj(from_ns, to_ns)

    def drawn_mj(self, index: int, from_ns: int, to_ns: int) -> int:
        """Give what board *index* really drew between two `mono_ns`, floored to mJ."""
        return self._boards[index].physics.drawn_mj(from_ns, to_ns)

    def meter_error(self, index: int) -> tuple[float, int]:
        """Give gain and offset in mW of the board's meter: metered = gain * drawn + offset."""
        physics = self._boards[index].physics
        return physics.gain_ppm / 1_000_000, physics.offset_mw

    def _events(self, since: Instant, at: Instant) -> tuple[XidEvent, ...]:
        last = at.mono_ns // _XID_SLOT_NS
        first = max(since.mono_ns // _XID_SLOT_NS, last - _XID_SLOTS_KEPT)
        found = []
        for slot in range(first, last + 1):
            draw = chance(self._fleet.seed, _XID_STREAM, slot)
            mono_ns = slot * _XID_SLOT_NS + (draw >> 16) % _XID_SLOT_NS
            if draw % _XID_ONE_IN or not since.mono_ns < mono_ns <= at.mono_ns:
                continue
            board = self._boards[(draw >> 8) % len(self._boards)]
            if LOADS[board.physics.story.doing(mono_ns)].context:  # who runs nothing makes no fault
                wall_ns = at.wall_ns - (at.mono_ns - mono_ns)
                found.append(XidEvent(board.identity.uuid, _XIDS[(draw >> 4) % len(_XIDS)], wall_ns))
        return tuple(found)


def _board(fleet: Fleet, index: int, boot_id: str) -> Board:
    profile = fleet.profile(index)
    uuid = _uuid("GPU", fleet.seed, index, 0)
    cut = fleet.is_cut(index)
    role = ROLES[SHARED_INDEX] if cut else ROLES[index % len(ROLES)]
    # Boards of one role do not march in step.
    story = Story(role.spells, chance(fleet.seed, _STORY_STREAM, index) % (600 * NS_PER_SECOND))
    identity = DeviceIdentity(
        uuid=uuid,
        index=index,
        name=f"Simulated {profile.name}",
        pci_bus_id=f"{index // 16:08X}:{0x17 + index % 16 * 0x0C:02X}:00.0",
        architecture=profile.architecture,
        serial=f"SIM{fleet.seed % 10_000:04d}{index:05d}",
        vbios_version="51.30.00.00.00",
        compute_capability=profile.compute_capability,
        energy_scope=profile.energy_scope,
    )
    physics = Physics(profile, story, uuid=uuid, seed=fleet.seed, boot_id=boot_id)
    slices = _slices(fleet, profile, index) if cut else ()
    return Board(identity, physics, role, seed=fleet.seed, slices=slices, processes=fleet.processes)


def _slices(fleet: Fleet, profile: Profile, index: int) -> tuple[Slice, ...]:
    """Cut as evenly as the hardware can: up to 2 instances of 3g, 3 of 2g, 7 of 1g; every second one works."""
    compute, eighths, first = {1: (3, 4, 1), 2: (3, 4, 1), 3: (2, 2, 3)}.get(fleet.mig_instances, (1, 1, 7))
    gigabytes = (profile.nominal_gb * eighths + 4) // 8
    return tuple(
        Slice(
            uuid=_uuid("MIG", fleet.seed, index, number + 1),
            gpu_instance=first + number,
            profile=f"{compute}g.{gigabytes}gb",
            eighths=eighths,
            works=number % 2 == 0,
        )
        for number in range(fleet.mig_instances)
    )


def _uuid(prefix: str, seed: int, index: int, part: int) -> str:
    """Give a valid UUID (version 8, free form) that reads as simulated: mark, seed, board, instance."""
    low = seed & 0xFFFF_FFFF
    return f"{prefix}-{_UUID_MARK}-{low >> 16:04x}-8{index:03x}-8{part:03x}-{low & 0xFFFF:04x}{index:04x}{part:04x}"
