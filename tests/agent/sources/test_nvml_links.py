"""NVLinks of a board: counted once, asked once a minute, and a gap where their states are not known."""

from pathlib import Path

import pytest

from tests.agent.sources.nvml_child import SourceChild, machine
from tests.nvml.double import NvmlDouble
from tests.nvml.profiles import GpuSpec
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import Reading

LINKS, ACTIVE = Quantity.NVLINK_LINKS, Quantity.NVLINK_LINKS_ACTIVE
STATE = "nvmlDeviceGetNvLinkState"
MINUTE = 60
MOST_LINKS = 36  # NVML_NVLINK_MAX_LINKS


def told(reading: Reading) -> list[float | Gap]:
    return [reading.values.get(quantity, reading.gaps.get(quantity, Gap.TIMEOUT)) for quantity in (LINKS, ACTIVE)]


@pytest.mark.parametrize(("profile", "links"), [("volta", 6), ("a100", 12), ("h100", 18), ("b200", 18)])
def test_a_link_that_falls_is_no_longer_active_and_still_a_link_of_the_board(
    tmp_path: Path, profile: str, links: int
) -> None:
    with machine(tmp_path, profile) as m:
        gpu = m.double.gpu(0)
        assert told(m.one()) == [links, links]
        gpu.nvlink_down(1, links - 1)
        assert told(m.tick(times=30)) == [links, links]
        assert told(m.tick(31)) == [links, links - 2]
        gpu.nvlink_down(1)
        assert told(m.tick(MINUTE)) == [links, links - 1]
        gpu.nvlink_down()
        assert told(m.tick(MINUTE)) == [links, links]


def test_links_that_nothing_is_connected_to_are_links_none_of_which_is_active(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", ["a100"]) as double, SourceChild(double) as child:
        double.gpu(0).nvlink_down(*range(12))
        (reading,) = child.open().read().devices
        assert told(reading) == [12, 0]


def test_a_board_without_nvlink_says_so_and_is_not_asked_again(tmp_path: Path) -> None:
    with machine(tmp_path, "l40s") as m:
        assert told(m.one()) == [Gap.UNSUPPORTED] * 2
        assert m.double.calls(0)[STATE] == MOST_LINKS
        assert told(m.tick(times=2 * MINUTE)) == [Gap.UNSUPPORTED] * 2
        assert m.double.calls(0)[STATE] == MOST_LINKS


def test_the_links_of_a_board_are_sought_once_and_each_is_asked_once_a_minute(tmp_path: Path) -> None:
    with machine(tmp_path, "a100") as m:
        m.one()
        assert m.double.calls(0)[STATE] == MOST_LINKS
        m.tick(times=5 * MINUTE)
        assert m.double.calls(0)[STATE] == MOST_LINKS + 5 * 12


@pytest.mark.parametrize(("code", "gap"), [(4, Gap.NO_PERMISSION), (10, Gap.TIMEOUT), (999, Gap.FAILED)])
def test_links_that_cannot_be_asked_are_a_gap_until_they_can(tmp_path: Path, code: int, gap: Gap) -> None:
    with machine(tmp_path, "h100") as m:
        gpu = m.double.gpu(0)
        gpu.nvlink_down(3)
        m.one()
        gpu.fault(STATE, code)
        assert told(m.tick(MINUTE)) == [gap] * 2
        gpu.clear_faults()
        assert told(m.tick(MINUTE)) == [18, 17]


@pytest.mark.parametrize(("code", "gap"), [(4, Gap.NO_PERMISSION), (999, Gap.FAILED)])
def test_a_link_that_fails_while_links_are_sought_makes_no_board_with_fewer_links(
    tmp_path: Path, code: int, gap: Gap
) -> None:
    with NvmlDouble(tmp_path / "double", ["h100"]) as double, SourceChild(double) as child:
        double.gpu(0).fault(STATE, code, count=1)
        (reading,) = child.open().read().devices
        assert told(reading) == [gap] * 2
        (reading,) = child.tick(MINUTE).devices
        assert told(reading) == [18, 18]


def test_one_link_that_fails_among_others_leaves_no_sum(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).fault(STATE, 3, count=1)
        reading = m.tick(MINUTE)
        assert told(reading) == [Gap.UNSUPPORTED] * 2
        assert Quantity.ENERGY_MJ in reading.values
        assert told(m.tick(MINUTE)) == [18, 18]


def test_in_mig_mode_links_are_neither_asked_nor_told(tmp_path: Path) -> None:
    with machine(tmp_path, GpuSpec("h100")) as m:
        assert told(m.one()) == [18, 18]
        m.double.gpu(0).mig(["3g.40gb"])
        m.tick(times=15)
        m.double.reset_calls()
        assert told(m.tick(times=MINUTE)) == [Gap.UNSUPPORTED] * 2
        assert STATE not in m.double.calls(0)
        m.double.gpu(0).mig(None)
        assert told(m.tick(times=15)) == [18, 18]


def test_a_board_that_is_lost_while_its_links_are_asked_is_down_as_a_whole(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.one()
        m.double.gpu(0).fault(STATE, 15, count=1)
        reading = m.tick(MINUTE)
        assert not reading.up
        assert told(reading) == [Gap.LOST] * 2
