"""What the ledger's tests share: a clock that is told, accounts that add up, mounts that go away."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from wattledger.agent.ledger import SqliteLedger, Usage, UsageCommit
from wattledger.agent.ledger.base import Ledger
from wattledger.rules.account import Anchor, Baseline, Carried, DeviceAccount, Entry, StateTotal, XidCount
from wattledger.rules.alerting import Alert, AlertState, GroupMemory, KeptAlert
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND, Instant
from wattledger.rules.quantity import COUNTERS, Quantity
from wattledger.rules.state import BaselineKind, BaselineOrigin, Method, State
from wattledger.rules.tokens.model import TokenKind
from wattledger.rules.tokens.totals import Phase, ServiceTotal, ServiceWindow
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import Part, ShareMethod, Workload, WorkloadKind

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


def workload_of(name: str) -> Workload:
    return Workload(WorkloadKind.POD, name, f"the pod {name}", (("namespace", "ml"), ("pod", name)))


SHARES = {workload_of("a"): 1, workload_of("b"): 2}  # in thirds of each device


def parts_of(entry: Entry) -> list[Part]:
    return [
        Part(
            entry.uuid,
            workload,
            entry.state,
            ShareMethod.SM_SHARE,
            entry.start,
            entry.end,
            entry.energy_mj * thirds // 3,
            entry.avoidable_mj * thirds // 3,
        )
        for workload, thirds in SHARES.items()
    ]


def window_of(tick: int) -> ServiceWindow:
    """Give the second that ends at *tick* of a service that serves and rests by turns."""
    return ServiceWindow(
        "llm",
        instant_of(tick - 1),
        instant_of(tick),
        Phase.SERVING if tick % 2 else Phase.IDLE,
        active_mj=90_000 if tick % 2 else 0,
        total_mj=100_000,
        tokens={"m": {TokenKind.PROMPT: 30, TokenKind.OUTPUT: 7}} if tick % 2 else {},
    )


def usage_at(slots: Iterable[int], tick: int) -> Usage:
    """Give all totals after *tick* ticks."""
    totals = [
        UsageTotal(
            uuid_of(slot),
            workload,
            state,
            ShareMethod.SM_SHARE,
            seconds * thirds * 100_000,
            seconds * NS_PER_SECOND,
            seconds * thirds * 50_000 if state is State.HELD else 0,
            instant_of(last_tick_in(state, tick)).wall_ns,
        )
        for slot in slots
        for state, seconds in seconds_by_state(tick).items()
        for workload, thirds in SHARES.items()
    ]
    served = (tick + 1) // 2
    service = ServiceTotal(
        "llm",
        "m",
        served * 90_000,
        tick * 100_000,
        {Phase.SERVING: served * 100_000} | ({Phase.IDLE: tick // 2 * 100_000} if tick > 1 else {}),
        {TokenKind.PROMPT: served * 30, TokenKind.OUTPUT: served * 7},
        last_wall_ns=instant_of(tick).wall_ns,
    )
    return Usage(tuple(totals), (service,))


def last_tick_in(state: State, tick: int) -> int:
    return next(earlier for earlier in range(tick, 0, -1) if state_of(earlier) is state)


def usage_of(slots: Sequence[int], first: int, last: int | None = None) -> UsageCommit:
    """Give what the ticks from *first* to *last* add: totals that changed only, each part and window once."""
    ticks = range(first, (last or first) + 1)
    before = set(usage_at(slots, first - 1).totals) if first > 1 else set()
    now = usage_at(slots, ticks[-1])
    return UsageCommit(
        changed=[total for total in now.totals if total not in before],
        parts=[part for tick in ticks for slot in slots for part in parts_of(entry_of(slot, tick))],
        services=now.services,
        windows=[("m", window_of(tick)) for tick in ticks],
    )


def in_order(usage: Usage) -> Usage:
    """Give the totals in one order."""
    return Usage(
        tuple(sorted(usage.totals, key=lambda total: total.key)),
        tuple(sorted(usage.services, key=lambda total: total.key)),
    )


def two_accounts(tick: int) -> dict[str, DeviceAccount]:
    return {uuid_of(slot): account_of(slot, tick) for slot in range(2)}


def commit_tick(ledger: Ledger, tick: int) -> None:
    entries = [entry_of(slot, tick) for slot in range(2)]
    ledger.commit(two_accounts(tick), entries, instant_of(tick), usage=usage_of(range(2), tick))


def energy_mj(ledger: Ledger) -> int:
    return sum(row.energy_mj for row in ledger.history(0, 2**62))


def assert_whole(directory: Path, tick: int, *, besides_mj: int = 0) -> None:
    """Assert that a ledger opened anew holds every one of *tick* ticks, once."""
    ledger = SqliteLedger(directory, clock=FakeClock())
    assert ledger.load() == two_accounts(tick)
    assert energy_mj(ledger) == besides_mj + tick * 2 * 300_000
    assert in_order(ledger.load_usage()) == in_order(usage_at(range(2), tick))
    assert sum(row.energy_mj for row in ledger.workload_history(0, 2**62)) == tick * 2 * 300_000
    (served,) = ledger.service_history(0, 2**62)
    (total,) = usage_at(range(2), tick).services
    assert (served.total_mj, served.active_mj) == (total.total_mj, total.active_mj)
    assert (served.phases, served.tokens) == (total.phases, total.tokens)
    ledger.close()


def changes_logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the names of the lines that tell a change of state."""
    names = [record.message.split()[0] for record in caplog.records if record.levelno >= logging.WARNING]
    return [name for name in names if name in ("ledger_not_writable", "ledger_writable_again")]
