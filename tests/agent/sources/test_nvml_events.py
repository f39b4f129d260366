"""XID events: each is told once, with its board, and the thread that waits for them never disturbs the reads."""

from pathlib import Path

from tests.agent.sources.nvml_child import Machine, SourceChild, machine, until
from tests.nvml.double import NvmlDouble
from wattledger.rules.reading import XidEvent


def _registered(double: NvmlDouble, times: int = 1) -> bool:
    return double.calls().get("nvmlDeviceRegisterEvents", 0) >= times


def _collect(m: Machine, count: int) -> list[XidEvent]:
    events: list[XidEvent] = []

    def enough() -> bool:
        events.extend(m.child.tick(0.01).events)
        return len(events) >= count

    until(enough, f"{count} events, have {events}")
    return events


def test_an_xid_is_told_once_with_its_board_and_time(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "l40s") as m:
        until(lambda: _registered(m.double, 2), "registration")
        m.double.gpu(1).xid(79)
        (event,) = _collect(m, 1)
        assert (event.uuid, event.xid) == (m.double.gpu(1).uuid, 79)
        assert 0 <= m.double.wall_ns - event.wall_ns < 10**9
        assert not m.child.tick(times=3).events


def test_the_same_xid_twice_is_two_events(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        until(lambda: _registered(m.double), "registration")
        for number in (31, 31, 43):
            m.double.gpu(0).xid(number)
        assert [event.xid for event in _collect(m, 3)] == [31, 31, 43]


def test_xids_come_from_the_same_board_after_indices_change(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "l40s") as m:
        until(lambda: _registered(m.double, 2), "registration")
        m.double.order([1, 0])
        m.child.tick(10)
        m.double.gpu(0).xid(63)
        (event,) = _collect(m, 1)
        assert event.uuid == m.double.gpu(0).uuid


def test_events_go_on_after_a_gpu_was_lost_and_came_back(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "h100") as m:
        until(lambda: _registered(m.double, 2), "registration")
        fault = m.double.gpu(0).lose()
        m.child.tick()
        until(lambda: _registered(m.double, 3), "registration without the lost one")
        m.double.gpu(1).xid(45)
        assert _collect(m, 1)[0].uuid == m.double.gpu(1).uuid
        fault.clear()
        m.child.tick(times=5)
        until(lambda: _registered(m.double, 5), "registration of both")
        m.double.gpu(0).xid(13)
        assert _collect(m, 1)[0].uuid == m.double.gpu(0).uuid


def test_a_failing_wait_is_tried_again_and_no_error_of_the_reads(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        until(lambda: _registered(m.double), "registration")
        m.double.fault("nvmlEventSetWait_v2", 999, count=1)
        until(lambda: any("xid wait failed" in line for line in m.child.log), "the line in the log")
        m.child.tick()


def test_a_driver_without_events_costs_only_the_events(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.fault("nvmlEventSetCreate", 3)
        child.open().read()
        child.tick()
        child.close()


def test_reads_and_registrations_never_race_in_a_batch(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", "h100", "h100") as m:
        m.double.race_window(0.002)
        fault = None
        for turn in range(40):
            if turn % 4 == 0:
                fault = m.double.gpu(2).lose()
            elif turn % 4 == 2 and fault is not None:
                fault.clear()
            m.double.gpu(0).xid(turn)
            m.child.tick(2)
        assert not m.double.field_race_detected


def test_batches_of_several_threads_never_overlap(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.double.race_window(0.002)
        assert m.child.ask("race", threads=4, times=20) == 80
        assert not m.double.field_race_detected
