"""CPU and memory of the agent, from made-up /proc trees."""

import os
from pathlib import Path

from wattledger.agent.self_cost import SelfCost
from wattledger.rules.instant import NS_PER_SECOND

TICK_NS = NS_PER_SECOND // os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
OWN = os.getpid()


def process(proc: Path, pid: int, *, user: int, system: int, pages: int, name: bytes = b"python3") -> None:
    """Write what proc(5) says of a process: ticks in fields 14 and 15, pages in the second of statm."""
    folder = proc / str(pid)
    folder.mkdir(parents=True, exist_ok=True)
    fields = ["S", *map(str, range(1, 11)), str(user), str(system), *map(str, range(900, 930))]
    (folder / "stat").write_bytes(b"%d (%s) %s\n" % (pid, name, " ".join(fields).encode()))
    (folder / "statm").write_text(f"99999 {pages} 1 1 0 1 0\n")


def test_both_processes_are_added_up(tmp_path: Path) -> None:
    process(tmp_path, OWN, user=10, system=5, pages=100)
    process(tmp_path, 77, user=20, system=7, pages=50)
    cost = SelfCost(tmp_path).measure(77)
    assert cost.cpu_ns == 42 * TICK_NS
    assert cost.resident_bytes == 150 * PAGE


def test_a_name_may_look_like_the_fields_after_it_and_be_no_text(tmp_path: Path) -> None:
    process(tmp_path, OWN, user=10, system=5, pages=100, name=b"a) S 1 (b) ( \xff\n) R 2")
    assert SelfCost(tmp_path).measure(None).cpu_ns == 15 * TICK_NS


def test_the_time_of_samplers_that_were_replaced_stays_in_the_sum(tmp_path: Path) -> None:
    process(tmp_path, OWN, user=1, system=0, pages=1)
    process(tmp_path, 77, user=20, system=0, pages=50)
    cost = SelfCost(tmp_path)
    assert cost.measure(77).cpu_ns == 21 * TICK_NS
    assert cost.measure(None).cpu_ns == 21 * TICK_NS
    assert cost.measure(None).resident_bytes == PAGE
    process(tmp_path, 78, user=3, system=0, pages=50)
    assert cost.measure(78).cpu_ns == 24 * TICK_NS
    process(tmp_path, 79, user=2, system=0, pages=50)
    assert cost.measure(79).cpu_ns == 26 * TICK_NS
    process(tmp_path, 79, user=4, system=0, pages=50)
    assert cost.measure(79).cpu_ns == 28 * TICK_NS
    assert cost.measure(79).cpu_ns == 28 * TICK_NS, "idle in between"
    process(tmp_path, 80, user=50, system=0, pages=50)
    assert cost.measure(80).cpu_ns == 78 * TICK_NS


def test_a_number_that_is_given_anew_is_another_sampler(tmp_path: Path) -> None:
    process(tmp_path, OWN, user=0, system=0, pages=1)
    process(tmp_path, 77, user=20, system=0, pages=1)
    cost = SelfCost(tmp_path)
    cost.measure(77)
    process(tmp_path, 77, user=1, system=0, pages=1)
    assert cost.measure(77).cpu_ns == 21 * TICK_NS


def test_a_sampler_that_ends_while_we_look_keeps_its_time(tmp_path: Path) -> None:
    process(tmp_path, OWN, user=0, system=0, pages=1)
    process(tmp_path, 77, user=20, system=0, pages=9)
    cost = SelfCost(tmp_path)
    cost.measure(77)
    (tmp_path / "77/statm").write_text("")
    assert cost.measure(77) == cost.measure(None)
    (tmp_path / "77/stat").write_text("")
    assert cost.measure(77).cpu_ns == 20 * TICK_NS


def test_without_proc_there_is_no_cost_and_no_failure(tmp_path: Path) -> None:
    assert SelfCost(tmp_path).measure(77).cpu_ns == 0


def test_this_process_has_memory() -> None:
    assert SelfCost().measure(None).resident_bytes > 1_000_000
