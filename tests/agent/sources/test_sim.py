"""The simulated source: the same host for everybody who asks, through restarts, and never without a mark."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wattledger.agent.sources.base import Source, SourceError
from wattledger.agent.sources.sim import SimSource
from wattledger.agent.sources.sim_fleet import Fleet, SimHost
from wattledger.agent.sources.sim_profiles import PROFILES
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import EnergyScope, Reading, Sample, SourceKind

BOOT_ID = "0a1b2c3d-0000-4000-8000-000000000001"
WALL_NS = 1_760_000_000 * NS_PER_SECOND
DAY_NS = 86_400 * NS_PER_SECOND
moments = st.integers(0, 400 * DAY_NS)


def at(mono_ns: int) -> Instant:
    return Instant(mono_ns, WALL_NS + mono_ns)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return proc_root(tmp_path / "proc", BOOT_ID)


def proc_root(root: Path, boot_id: str) -> Path:
    path = root / "sys/kernel/random/boot_id"
    path.parent.mkdir(parents=True)
    path.write_text(f"{boot_id}\n")
    return root


def opened(proc: Path, fleet: Fleet | None = None) -> SimSource:
    source = SimSource(fleet, proc_root=proc)
    source.open()
    return source


@given(moments, st.integers(0, 1000), st.sampled_from(sorted(PROFILES)))
@settings(max_examples=50)
def test_the_same_moment_gives_the_same_sample(mono_ns: int, seed: int, profile: str) -> None:
    fleet = Fleet(profiles=(profile,), seed=seed)
    one, other = SimHost(fleet, boot_id=BOOT_ID), SimHost(fleet, boot_id=BOOT_ID)
    other.sample(at(mono_ns + 12_345))  # what was asked before changes nothing
    assert one.sample(at(mono_ns)) == other.sample(at(mono_ns))


def test_two_processes_see_the_same_host(proc: Path) -> None:
    program = (
        "import sys, msgspec; from pathlib import Path; from wattledger.agent.sources.sim import SimSource\n"
        "from wattledger.rules.instant import Instant\n"
        "source = SimSource(proc_root=Path(sys.argv[1])); source.open()\n"
        "sys.stdout.buffer.write(msgspec.json.encode(source.read(Instant(7_000_000_000_123, 9))))\n"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program, str(proc)],
            check=True,
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert msgspec.json.decode(told[0], type=Sample) == opened(proc).read(Instant(7_000_000_000_123, 9))


@given(st.lists(moments, min_size=2, max_size=6).map(sorted))
@settings(max_examples=30)
def test_nothing_lost_an_agent_that_starts_again_finds_the_counters_going_on(mono: list[int]) -> None:
    fleet = Fleet(count=8, profiles=("h100", "l40s"))
    samples = [SimHost(fleet, boot_id=BOOT_ID).sample(at(mono_ns)) for mono_ns in mono]
    for before, after in pairwise(samples):
        for device, later in zip(before.devices, after.devices, strict=True):
            for quantity in COUNTERS | {Quantity.ENERGY_MJ, Quantity.UPTIME_SECONDS}:
                assert (device.get(quantity) or 0) <= (later.get(quantity) or 0)


def test_a_boot_begins_the_counters_anew_and_has_its_own_id(tmp_path: Path) -> None:
    second = "0a1b2c3d-0000-4000-8000-000000000002"
    first, again = opened(proc_root(tmp_path / "1", BOOT_ID)), opened(proc_root(tmp_path / "2", second))
    assert first.read(at(5 * NS_PER_SECOND)).host.boot_id == BOOT_ID
    sample = again.read(at(5 * NS_PER_SECOND))
    assert sample.host.boot_id == second
    for device in sample.devices:
        assert device.integer(Quantity.UPTIME_SECONDS) == 5
        assert 0 < (device.integer(Quantity.ENERGY_MJ) or 0) < 5 * 700_000


def test_what_is_simulated_says_so(proc: Path) -> None:
    source: Source = opened(proc)
    sample = source.read(at(DAY_NS))
    assert source.kind is sample.source is SourceKind.SIM
    assert sample.host.driver_version == "simulated"
    uuid = r"51300000-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}"
    for device in sample.devices:
        assert device.identity.name == "Simulated H100 80GB HBM3"
        assert re.fullmatch(f"GPU-{uuid}", device.identity.uuid)
        assert all(re.fullmatch(f"MIG-{uuid}", instance.uuid) for instance in device.instances)


def test_no_simulated_pid_can_be_a_process_of_the_host(proc: Path) -> None:
    pids = [p.pid for d in opened(proc).read(at(DAY_NS)).devices for p in d.processes or ()]
    assert len(pids) == len(set(pids)) >= 5
    assert all(pid > 1 << 22 for pid in pids)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_quantity_stands_in_values_or_gaps_with_its_reason(profile: str) -> None:
    for second in range(0, 120, 7):
        for device in SimHost(Fleet(profiles=(profile,))).sample(at(second * NS_PER_SECOND)).devices:
            assert set(device.values) ^ set(device.gaps) == set(Quantity)
            assert (device.processes is None) == (Quantity.PROCESSES in device.gaps)
            for quantity in PROFILES[profile].unsupported:
                assert device.gaps[quantity] is Gap.UNSUPPORTED


@pytest.mark.parametrize(
    ("profile", "absent", "present"),
    [
        ("h100", {Quantity.FAN_SPEED_RATIO}, {Quantity.ACTIVITY_SM_RATIO, Quantity.POWER_AVERAGE_MW}),
        ("a100", {Quantity.POWER_AVERAGE_MW, Quantity.ACTIVITY_SM_RATIO}, {Quantity.ENERGY_MJ, Quantity.MIG_MODE}),
        ("l40s", {Quantity.TEMPERATURE_MEMORY_CELSIUS, Quantity.MIG_MODE}, {Quantity.POWER_AVERAGE_MW}),
        ("rtx4090", {Quantity.ECC_CORRECTED_VOLATILE}, {Quantity.FAN_SPEED_RATIO}),
        ("p40", {Quantity.ENERGY_MJ, Quantity.POWER_AVERAGE_MW}, {Quantity.POWER_INSTANT_MW}),
    ],
)
def test_a_profile_offers_what_its_generation_does(
    profile: str, absent: set[Quantity], present: set[Quantity]
) -> None:
    device = SimHost(Fleet(count=1, profiles=(profile,))).sample(at(DAY_NS)).devices[0]
    assert absent <= set(device.gaps)
    assert present <= set(device.values)


@pytest.mark.parametrize(("profile", "links"), [("h100", 18), ("h200", 18), ("b200", 18), ("v100", 6)])
def test_every_nvlink_of_a_board_with_nvlink_is_up(profile: str, links: int) -> None:
    device = SimHost(Fleet(count=1, profiles=(profile,))).sample(at(DAY_NS)).devices[0]
    assert device.values[Quantity.NVLINK_LINKS] == device.values[Quantity.NVLINK_LINKS_ACTIVE] == links


def test_grace_hopper_measures_the_module() -> None:
    device = SimHost(Fleet(count=1, profiles=("gh200",))).sample(at(0)).devices[0]
    assert device.identity.energy_scope is EnergyScope.MODULE


def test_within_two_minutes_every_kind_of_use_is_seen() -> None:
    host = SimHost(boot_id=BOOT_ID)
    seen: dict[int, set[str]] = {}
    for second in range(120):
        for device in host.sample(at(DAY_NS + second * NS_PER_SECOND)).devices:
            seen.setdefault(device.identity.index, set()).add(_use(device))
    assert seen[0] == seen[1] == {"active", "held"}
    assert "active" in seen[2]
    assert seen[3] == {"held"}
    assert seen[4] == {"empty"}
    assert seen[5] == {"empty", "unreadable"}
    assert seen[6] == {"active", "held", "empty"}
    assert seen[7] == {"active", "held"}


def _use(device: Reading) -> str:
    if device.processes is None:
        return "unreadable"
    if not device.processes:
        return "empty"
    return "active" if (device.get(Quantity.ACTIVITY_SM_RATIO) or 0) > 0.05 else "held"


def test_a_board_cut_into_instances_has_no_utilisation_of_its_own() -> None:
    device = SimHost().sample(at(DAY_NS)).devices[7]
    assert device.gaps[Quantity.UTILIZATION_GPU_RATIO] is Gap.UNSUPPORTED
    assert device.integer(Quantity.MIG_MODE) == 1
    assert [instance.profile for instance in device.instances] == ["3g.40gb", "3g.40gb"]
    assert {p.gpu_instance for p in device.processes or ()} == {i.gpu_instance for i in device.instances}
    for instance in device.instances:
        assert Quantity.POWER_AVERAGE_MW not in instance.values


def test_an_instance_that_works_and_one_that_only_holds() -> None:
    host = SimHost(boot_id=BOOT_ID)
    most = [0.0, 0.0]
    for second in range(40):
        device = host.sample(at(second * NS_PER_SECOND)).devices[7]
        most = [max(m, i.values[Quantity.ACTIVITY_SM_RATIO]) for m, i in zip(most, device.instances, strict=True)]
    assert most[0] > 0.3
    assert most[1] == 0


def test_memory_adds_up_and_covers_its_processes() -> None:
    for device in SimHost(Fleet(processes=3, mig_instances=7)).sample(at(DAY_NS)).devices:
        parts = ("USED", "FREE", "RESERVED")
        total = sum(device.values[Quantity[f"MEMORY_{part}_BYTES"]] for part in parts)
        assert total == device.values[Quantity.MEMORY_TOTAL_BYTES]
        assert device.values[Quantity.MEMORY_FREE_BYTES] >= 0
        held = sum(process.memory_bytes or 0 for process in device.processes or ())
        assert held == device.values[Quantity.MEMORY_USED_BYTES]


def test_a_fleet_of_many_instances_and_processes() -> None:
    fleet = Fleet(count=16, mig=tuple(range(16)), mig_instances=7, processes=4)
    sample = SimHost(fleet).sample(at(DAY_NS))
    uuids = {d.identity.uuid for d in sample.devices} | {i.uuid for d in sample.devices for i in d.instances}
    assert len(uuids) == 16 + 16 * 7
    assert len({p.pid for d in sample.devices for p in d.processes or ()}) == 16 * 7 * 4
    assert len({d.identity.pci_bus_id for d in sample.devices}) == 16


def test_a_restarted_server_has_another_pid() -> None:
    host = SimHost(boot_id=BOOT_ID)
    pids: set[int] = set()
    for second in range(0, 360, 5):
        pids.update(p.pid for p in host.sample(at(second * NS_PER_SECOND)).devices[6].processes or ())
    assert len(pids) in (3, 4)


def test_xids_are_rare_and_each_is_given_once_however_the_ticks_fall(proc: Path) -> None:
    def given_by(step_ns: int) -> list[str]:
        source = opened(proc)
        found = []
        for mono_ns in range(0, 10_800 * NS_PER_SECOND, step_ns):
            found += [json.dumps([e.uuid, e.xid, e.wall_ns]) for e in source.read(at(mono_ns)).events]
        return found

    found = given_by(30 * NS_PER_SECOND)
    assert 2 <= len(found) <= 30
    assert len(set(found)) == len(found)
    assert given_by(45 * NS_PER_SECOND) == found
    host = opened(proc).host
    for event in (json.loads(line) for line in found):
        mono_ns = event[2] - WALL_NS
        ticks = [at(mono_ns + ns) for ns in (-2, -1, 0, 1)]
        assert [len(host.sample(now, before).events) for before, now in pairwise(ticks)] == [0, 1, 0]
    assert opened(proc).read(at(10_800 * NS_PER_SECOND)).events == ()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"count": 0}, "count is 0: give 1 to 256"),
        ({"profiles": ("h100", "h999")}, "profile h999: give some of h100"),
        ({"profiles": ()}, r"profile \(none\)"),
        ({"mig": (8,)}, "mig names board 8: there are boards 0 to 7"),
        ({"mig": (0,), "profiles": ("l40s",)}, "mig names board 0: L40S cannot be cut"),
        ({"mig_instances": 8}, "mig_instances is 8: give 1 to 7"),
        ({"processes": 65}, "processes is 65: give 1 to 64"),
    ],
)
def test_an_impossible_fleet_is_refused_with_place_value_and_cure(settings: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        msgspec.convert(settings, Fleet, strict=False)


def test_a_source_that_is_not_open_or_has_no_boot_id_says_so(tmp_path: Path, proc: Path) -> None:
    with pytest.raises(SourceError, match="boot_id: boot id"):
        SimSource(proc_root=tmp_path).open()
    source = opened(proc)
    source.close()
    source.close()
    with pytest.raises(SourceError, match="not open"):
        source.read(at(0))
