"""One process writes a state directory; the lock dies with it."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.agent.ledger.helpers import FakeClock, account_of, instant_of, python, uuid_of
from wattledger.agent.ledger import LEDGER_NAME, LedgerLocked, SqliteLedger, open_ledger, peek


def test_a_second_process_is_refused_with_place_holder_and_cure(tmp_path: Path) -> None:
    with python("-m", "tests.agent.ledger.crash_child", str(tmp_path)) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"1\n"
        # It has 28 more commits to make before it closes the ledger for a moment.
        child.send_signal(signal.SIGSTOP)
        with pytest.raises(LedgerLocked) as caught:
            open_ledger(tmp_path, clock=FakeClock())
        assert caught.value.pid == child.pid
        assert str(tmp_path) in str(caught.value)
        assert f"process {child.pid}" in str(caught.value)
        assert "--state-dir" in str(caught.value)
        # Reading it is allowed all the same.
        assert uuid_of(0) in peek(tmp_path / LEDGER_NAME).accounts
    ledger = open_ledger(tmp_path, clock=FakeClock())
    assert ledger.health().writable
    ledger.close()


def test_the_lock_is_let_go_by_close(tmp_path: Path) -> None:
    first = SqliteLedger(tmp_path, clock=FakeClock())
    with pytest.raises(LedgerLocked, match=f"process {os.getpid()}"):
        SqliteLedger(tmp_path, clock=FakeClock())
    first.commit({uuid_of(0): account_of(0, 1)}, [], instant_of(1))
    first.close()
    second = SqliteLedger(tmp_path, clock=FakeClock())
    assert second.load() == {uuid_of(0): account_of(0, 1)}
    second.close()


_WITH_A_CHILD = """
import subprocess, sys
from pathlib import Path
from tests.agent.ledger.helpers import FakeClock
from wattledger.agent.ledger import SqliteLedger
ledger = SqliteLedger(Path(sys.argv[1]), clock=FakeClock())
subprocess.Popen(["/bin/cat"], close_fds=False)
print("held", flush=True)
sys.stdin.readline()
"""


def test_the_lock_dies_with_its_process_though_a_child_lives_on(tmp_path: Path) -> None:
    held, end = os.pipe()  # the child of the child reads it, and lives until it is closed
    with python("-c", _WITH_A_CHILD, str(tmp_path), stdin=held) as holder:
        os.close(held)
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
        holder.wait()
        deadline = time.monotonic() + 10
        while True:  # a child between fork and exec has the descriptor for a moment
            try:
                SqliteLedger(tmp_path, clock=FakeClock()).close()
            except LedgerLocked:
                assert time.monotonic() < deadline
            else:
                break
        os.close(end)
