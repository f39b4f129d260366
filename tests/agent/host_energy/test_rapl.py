"""Processor counters: which domains are read, none of them twice, and what a refusal looks like."""

import os
from pathlib import Path

import pytest

from tests.agent.host_energy.fake_sys import DRAM_RANGE_UJ, PACKAGE_RANGE_UJ, FakeSys
from wattledger.agent.host_energy.rapl import RaplMeter
from wattledger.agent.sources.base import SourceError
from wattledger.rules.chain.node import NodeBook
from wattledger.rules.chain.node_model import NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

AT = Instant(7 * NS_PER_SECOND, 1_790_000_000 * NS_PER_SECOND)


@pytest.fixture
def sys(tmp_path: Path) -> FakeSys:
    return FakeSys(tmp_path)


def read(sys: FakeSys) -> dict[str, int | None]:
    return {reading.domain: reading.energy_uj for reading in RaplMeter(sys.root).read(AT)}


def test_packages_memory_and_platform_are_read_and_what_is_inside_a_package_is_not(sys: FakeSys) -> None:
    sys.xeon()
    assert read(sys) == {
        "package-0": 1_000_000,
        "dram-0": 2_000_000,
        "package-1": 1_000_001,
        "dram-1": 2_000_001,
        "psys": 9_000_000,
    }


def test_each_counter_tells_its_own_range(sys: FakeSys) -> None:
    sys.xeon(sockets=1)
    found = {reading.domain: reading for reading in RaplMeter(sys.root).read(AT)}
    assert found["package-0"].wraps_uj == PACKAGE_RANGE_UJ
    assert found["dram-0"].wraps_uj == DRAM_RANGE_UJ
    assert {(reading.source, reading.at) for reading in found.values()} == {(NodeSource.RAPL, AT)}


def test_one_package_that_is_there_by_several_ways_is_read_once(sys: FakeSys) -> None:
    sys.zone("intel-rapl-mmio:0", "package-0", 5)
    sys.zone("intel-rapl:0", "package-0", 8)
    sys.zone("intel-rapl-tpmi:0", "package-0", 6)
    sys.zone("intel-rapl-tpmi:1", "package-1", 7)
    assert read(sys) == {"package-0": 8, "package-1": 7}


def test_dies_of_a_package_have_their_own_memory(sys: FakeSys) -> None:
    sys.zone("intel-rapl:0", "package-0-die-0", 1)
    sys.zone("intel-rapl:0:0", "dram", 2)
    sys.zone("intel-rapl:1", "package-0-die-1", 3)
    sys.zone("intel-rapl:1:0", "dram", 4)
    assert read(sys) == {"package-0-die-0": 1, "dram-0-die-0": 2, "package-0-die-1": 3, "dram-0-die-1": 4}


def test_other_kinds_of_zones_are_no_counters(sys: FakeSys) -> None:
    sys.zone("dtpm:0", "package-0", 1)
    sys.zone("intel-rapl:x", "package-0", 1)
    sys.zone("intel-rapl:0", "uncore", 1)
    with pytest.raises(SourceError) as caught:
        read(sys)
    assert caught.value.gap is Gap.UNSUPPORTED
    assert not RaplMeter(sys.root).is_there()


def test_a_host_without_counters_says_what_to_load(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="modprobe") as caught:
        RaplMeter(tmp_path / "none").read(AT)
    assert caught.value.gap is Gap.UNSUPPORTED


def test_values_change_under_the_open_file(sys: FakeSys) -> None:
    sys.xeon(sockets=1)
    counter = sys.root / "class/powercap/intel-rapl:0/energy_uj"
    meter, book = RaplMeter(sys.root), NodeBook(boot_id="a")
    book.add(meter.read(AT))
    with counter.open("r+") as file:
        file.write("151000000\n")
    later = Instant(AT.mono_ns + NS_PER_SECOND, AT.wall_ns + NS_PER_SECOND)
    added = {interval.domain: interval.energy_mj for interval in book.add(meter.read(later))}
    assert added == {"package-0": 150_000, "dram-0": 0, "psys": 0}
    meter.close()


def test_a_counter_that_is_no_number_is_left_out_and_the_others_are_read(sys: FakeSys) -> None:
    sys.xeon(sockets=1)
    (sys.root / "class/powercap/intel-rapl:0:1/energy_uj").write_text("-5\n")
    assert set(read(sys)) == {"package-0", "psys"}


def test_counters_that_come_back_under_the_same_name_are_found_again(sys: FakeSys) -> None:
    folder = sys.zone("intel-rapl:0", "package-0", 5)
    meter = RaplMeter(sys.root)
    assert [reading.energy_uj for reading in meter.read(AT)] == [5]
    (folder / "energy_uj").write_text("")
    with pytest.raises(SourceError) as caught:
        meter.read(AT)
    assert caught.value.gap is Gap.FAILED
    sys.zone("intel-rapl:0", "package-0", 6)
    sys.zone("intel-rapl:1", "package-1", 7)
    assert [reading.energy_uj for reading in meter.read(AT)] == [6, 7]
    meter.close()
    meter.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything; the next test covers it")
def test_files_for_root_alone_are_told_with_the_cure(sys: FakeSys) -> None:
    sys.xeon(sockets=1)
    for path in sys.root.glob("class/powercap/*/energy_uj"):
        path.chmod(0)
    with pytest.raises(SourceError, match="CAP_DAC_READ_SEARCH") as caught:
        read(sys)
    assert caught.value.gap is Gap.NO_PERMISSION


def test_a_refusal_of_the_system_is_told_with_its_reason_and_the_cure(
    sys: FakeSys, monkeypatch: pytest.MonkeyPatch
) -> None:
    sys.xeon(sockets=1)

    def refuse(path: Path, _flags: int) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    meter = RaplMeter(sys.root)
    with pytest.raises(SourceError, match=r"energy_uj: Permission denied; .*CAP_DAC_READ_SEARCH") as caught:
        meter.read(AT)
    assert caught.value.gap is Gap.NO_PERMISSION
    assert meter.is_there()


def test_counters_that_a_container_runtime_hides_are_told_apart_from_a_driver_that_is_not_loaded(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "class/powercap"
    folder.mkdir(parents=True)
    (folder / "intel-rapl:0").symlink_to("../../devices/virtual/powercap/intel-rapl/intel-rapl:0")
    with pytest.raises(SourceError, match="hidden by the container runtime") as caught:
        RaplMeter(tmp_path).read(AT)
    assert caught.value.gap is Gap.NO_PERMISSION
