"""What the ledger's tests share: a clock that is told, accounts that add up, mounts that go away."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from wattledger.agent.ledger import SqliteLedger
from wattledger.agent.ledger.base import Ledger
from wattledger.rules.account import Anchor, Baseline, Carried, DeviceAccount, Entry, StateTotal, XidCount
from wattledger.rules.alerting import Alert, AlertState, GroupMemory, KeptAlert
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.quantity import COUNTERS, Quantity
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State

# An hour that began well after the epoch, so that all hours in tests lie before and after it.
EPOCH_WALL_NS = 490_000 * NS_PER_HOUR


@dataclass(slots=True)
class FakeClock:
    """Both clocks, moved only when told."""

    mono_ns: int = 1_000 * NS_PER_SECOND
    wall_ns: int = EPOCH_WALL_NS

    def now(self) -> Instant:
        return Instant(self.mono_ns, self.wall_ns)

    def wait_until(self, mono_ns: int, stop: threading.Event) -> bool:
        self.advance_ns(max(0, mono_ns - self.mono_ns))
        return stop.is_set()

    def advance_ns(self, ns: int) -> Instant:
        self.mono_ns += ns
        self.wall_ns += ns
        return self.now()

    def advance(self, seconds: int) -> Instant:
        return self.advance_ns(seconds * NS_PER_SECOND)


def instant_of(tick: int) -> Instant:
    """Give the moment of a tick of one second."""
    return Instant((1_000 + tick) * NS_PER_SECOND, EPOCH_WALL_NS + tick * NS_PER_SECOND)


def uuid_of(slot: int) -> str:
    return f"GPU-00000000-0000-0000-0000-{slot:012d}"


def account_of(slot: int, tick: int) -> DeviceAccount:
    """Give the account of a device after *tick* ticks: 300 J a second, the state changes each minute."""
    energy_mj = dict.fromkeys(State, 0)
    for state, seconds in seconds_by_state(tick).items():
        energy_mj[state] = seconds * 300_000
    return DeviceAccount(
        uuid=uuid_of(slot),
        name="NVIDIA H100 80GB HBM3",
        states={
            state: StateTotal(energy_mj[state], seconds * NS_PER_SECOND)
            for state, seconds in seconds_by_state(tick).items()
        },
        methods={Method.COUNTER: sum(energy_mj.values())},
        avoidable_mj=energy_mj[State.HELD] // 2,
        anchor=Anchor(instant_of(tick), "boot-1", "570.1", counter_mj=tick * 300_000, uptime_seconds=tick),
        counters={quantity: Carried(tick * 7, tick * 7) for quantity in sorted(COUNTERS)},
        xids={79: XidCount(1, EPOCH_WALL_NS)},
        baselines={BaselineKind.BARE: Baseline(BaselineKind.BARE, BaselineOrigin.LEARNT, 71_800, 60)},
    )


_ORDER = (State.ACTIVE, State.HELD, State.ALLOCATED, State.PARKED)


def state_of(tick: int) -> State:
    """Give the state during the second that ends at *tick*."""
    return _ORDER[(tick - 1) // 60 % len(_ORDER)]


def seconds_by_state(tick: int) -> dict[State, int]:
    """Give how many of the first *tick* seconds went to each state; states not seen are left out."""
    rounds, rest = divmod(tick, 60 * len(_ORDER))
    seconds = {state: rounds * 60 + min(60, max(0, rest - 60 * place)) for place, state in enumerate(_ORDER)}
    return {state: spent for state, spent in seconds.items() if spent}


def entry_of(slot: int, tick: int) -> Entry:
    """Give the second that ends at *tick*."""
    state = state_of(tick)
    avoidable_mj = 150_000 if state is State.HELD else 0
    return Entry(
        uuid_of(slot), state, instant_of(tick - 1), instant_of(tick), 300_000, avoidable_mj, method=Method.COUNTER
    )


def entry(
    state: State = State.ACTIVE, *, start_s: int, seconds: int, energy_mj: int, avoidable_mj: int = 0, slot: int = 0
) -> Entry:
    """Give an entry that begins *start_s* after the epoch of the tests."""
    return Entry(
        uuid_of(slot),
        state,
        instant_of(start_s),
        instant_of(start_s + seconds),
        energy_mj,
        avoidable_mj,
        Method.COUNTER,
    )


def memory_of(
    step: int, *cases: str, state: AlertState = AlertState.FIRING, value: float = 1.5, text: str = "idle"
) -> GroupMemory:
    """Give a group evaluated at *step* with one alert a case, active since then."""
    return GroupMemory(
        step * 15_000,
        tuple(
            KeptAlert("alert 'A'", Alert((("alertname", "A"), ("case", case)), (("summary", text),), value, state, 7))
            for case in cases
        ),
    )


def counter(account: DeviceAccount) -> Carried:
    return account.counters[Quantity.PCIE_REPLAYS]


@contextmanager
def python(*arguments: str, stdin: int | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a Python process that sees the product and the tests; it is killed at the end of the block."""
    repository = Path(__file__).parents[3]
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": f"{repository / '.importroot'}:{repository}"},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system needs root")


@contextmanager
def mounted(target: Path, *options: str) -> Iterator[Path]:
    """Mount at *target* with mount(8)'s *options* while the block runs."""
    target.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(target)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"mount {' '.join(options)} is refused here: {done.stderr.strip()}")
    try:
        yield target
    finally:
        subprocess.run(["umount", "-l", str(target)], check=True)  # lazily: a failed test may hold files


def two_accounts(tick: int) -> dict[str, DeviceAccount]:
    return {uuid_of(slot): account_of(slot, tick) for slot in range(2)}


def commit_tick(ledger: Ledger, tick: int) -> None:
    ledger.commit(two_accounts(tick), [entry_of(slot, tick) for slot in range(2)], instant_of(tick))


def lagless(accounts: dict[str, DeviceAccount]) -> dict[str, DeviceAccount]:
    """Give the accounts without their hardware counters, which may lag on disk."""
    return {uuid: replace(account, counters={}) for uuid, account in accounts.items()}


def energy_mj(ledger: Ledger) -> int:
    return sum(row.energy_mj for row in ledger.history(0, 2**62))


def assert_whole(directory: Path, tick: int, *, besides_mj: int = 0) -> None:
    """Assert that a ledger opened anew holds every one of *tick* ticks, once."""
    ledger = SqliteLedger(directory, clock=FakeClock())
    assert ledger.load() == two_accounts(tick)
    assert energy_mj(ledger) == besides_mj + tick * 2 * 300_000
    ledger.close()


def changes_logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the names of the lines that tell a change of state."""
    names = [record.message.split()[0] for record in caplog.records if record.levelno >= logging.WARNING]
    return [name for name in names if name in ("ledger_not_writable", "ledger_writable_again")]
