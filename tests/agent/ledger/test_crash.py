"""Law 6: kill -9 at any moment leaves the state of one commit, whole, and nothing that was published is lost."""

import os
import random
import select
from dataclasses import replace
from pathlib import Path

from tests.agent.ledger.crash_child import (
    SLOTS,
    TICKS_PER_STEP,
    accounts_at,
    alerts_at,
    entries_of,
    prices_in,
    step_of,
    usage_in,
)
from tests.agent.ledger.helpers import FakeClock, in_order, instant_of, python, usage_at
from wattledger.agent.ledger import Ledger, MemoryLedger, SqliteLedger

KILLS = 36
DEADLINE_S = 30


def _run_and_kill(directory: Path, moment: random.Random) -> int:
    """Let a child commit, kill it at a random moment and give the last step that it published, 0 for none."""
    wanted_lines = moment.choice([0, 1, 2, moment.randrange(3, 90)])
    delay_s = moment.uniform(0, 0.004) if wanted_lines else moment.uniform(0, 0.35)
    with python("-m", "tests.agent.ledger.crash_child", str(directory)) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        said = b""
        while said.count(b"\n") < wanted_lines:
            ready, _, _ = select.select([child.stdout], [], [], DEADLINE_S)
            assert ready, "the child commits nothing"
            got = os.read(child.stdout.fileno(), 65536)
            assert got, child.stderr.read().decode()
            said += got
        select.select([], [], [], delay_s)  # part of the moment, not a wait for something
        child.kill()
        rest, errors = child.communicate()
    assert errors == b""
    lines = (said + rest).split()
    return int(lines[-1]) if lines else 0


def _go_on(ledger: Ledger, steps: range) -> None:
    for step in steps:
        at = instant_of(step * TICKS_PER_STEP)
        ledger.commit(accounts_at(step), entries_of(step), at, usage=usage_in(step), prices=prices_in(step))


def test_crash_kill_9_at_any_moment_leaves_one_commit_whole(tmp_path: Path) -> None:
    moment = random.Random(20_251_124)  # noqa: S311  (a moment, not a secret)
    published = 0
    steps: list[int] = []
    never_killed = MemoryLedger()
    for _ in range(KILLS):
        published = max(published, _run_and_kill(tmp_path, moment))
        ledger = SqliteLedger(tmp_path, clock=FakeClock())
        found = ledger.load()
        step = step_of(found)
        # Published means stored; of the commit under way all or nothing.
        assert published <= step <= published + 1
        if step:
            assert found == accounts_at(step)
        assert ledger.load_alerts() == alerts_at(step)
        _go_on(never_killed, range(steps[-1] + 1 if steps else 1, step + 1))
        assert ledger.history(0, 2**62) == never_killed.history(0, 2**62)
        assert ledger.workload_history(0, 2**62) == never_killed.workload_history(0, 2**62)
        assert ledger.service_history(0, 2**62) == never_killed.service_history(0, 2**62)
        assert in_order(ledger.load_usage()) == in_order(never_killed.load_usage())
        assert ledger.price_history(0, 2**62) == never_killed.price_history(0, 2**62)
        prices, expected = ledger.load_prices(), never_killed.load_prices()
        assert set(prices.totals) == set(expected.totals)
        assert replace(prices, totals=()) == replace(expected, totals=())
        if step:
            assert in_order(ledger.load_usage()) == in_order(usage_at(SLOTS, step * TICKS_PER_STEP))
        assert ledger.health().moved_aside == ""
        steps.append(step)
        published = step
        ledger.close()
    assert steps == sorted(steps)
    assert len(set(steps)) > KILLS // 2
    print(f"{KILLS} kills, {steps[-1]} commits")
