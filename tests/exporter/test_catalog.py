"""What each family shows of a snapshot, checked on the page itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.exporter.pages import read, series, value
from tests.exporter.snapshots import WALL_NS, account, every_value, instances, lost, reading, snapshot, view
from wattledger.exporter.catalog import FAMILIES, Kind
from wattledger.exporter.catalog.family import InstanceFamily, WorkloadFamily
from wattledger.exporter.snapshot import ConfigHealth, LedgerHealth, SourceHealth
from wattledger.rules.account import Carried, DeviceAccount
from wattledger.rules.quantity import COUNTERS, Gap, Quantity
from wattledger.rules.reading import SourceKind
from wattledger.rules.state import Method, State

DEVICE = ("gpu", "uuid")
# Names and labels that dashboards and rules rely on.
CONTRACT = {
    "wattledger_gpu_up": DEVICE,
    "wattledger_gpu_power_watts": (*DEVICE, "reading"),
    "wattledger_gpu_energy_joules_total": DEVICE,
    "wattledger_gpu_state_energy_joules_total": (*DEVICE, "state"),
    "wattledger_gpu_state_seconds_total": (*DEVICE, "state"),
    "wattledger_gpu_avoidable_energy_joules_total": DEVICE,
    "wattledger_gpu_baseline_watts": (*DEVICE, "kind", "origin"),
    "wattledger_gpu_counter_divergence_ratio": DEVICE,
    "wattledger_gpu_utilization_ratio": DEVICE,
    "wattledger_workload_energy_joules_total": (*DEVICE, "kind", "workload", "state", "method"),
    "wattledger_service_energy_joules_total": ("service", "model", "scope"),
    "wattledger_service_tokens_total": ("service", "model", "kind"),
    "wattledger_node_energy_joules_total": ("domain", "source"),
    "wattledger_emissions_grams_total": ("accounting", "zone", "boundary"),
    "wattledger_cost_total": ("currency", "boundary"),
    "wattledger_source_success": ("source",),
    "wattledger_source_duration_seconds": ("source",),
    "wattledger_tick_duration_seconds": (),
    "wattledger_sample_timestamp_seconds": (),
    "wattledger_source_info": ("source",),
    "ALERTS": ("alertname", "alertstate"),
}


def test_the_families_of_the_contract_have_exactly_their_labels() -> None:
    labels = {family.name: family.all_labels for family in FAMILIES}
    assert {name: labels.get(name) for name in CONTRACT} == CONTRACT
    assert labels["wattledger_gpu_info"][:5] == ("gpu", "uuid", "name", "pci_bus_id", "driver_version")
    assert labels["wattledger_build_info"][0] == "version"
    for name in ("wattledger_carbon_intensity_grams_per_kwh", "wattledger_feed_age_seconds"):
        assert {"zone", "provider"} < set(labels[name])


def test_names_are_unique_prefixed_and_of_base_units() -> None:
    names = [family.name for family in FAMILIES]
    assert len(set(names)) == len(names)
    for family in FAMILIES:
        # The one name that is not ours is Prometheus's own.
        assert family.name == "ALERTS" or re.fullmatch(r"wattledger_[a-z][a-z0-9_]*[a-z]", family.name)
        assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
        # Intensities and prices are per kWh, as everybody tells them; what is counted is in joules.
        name = family.name.removesuffix("_per_kwh")
        assert not re.search(r"_(mj|mw|ns|ms|percent|mib|kwh|mhz)(_|$)", name)
        assert family.kind is Kind.GAUGE or name == family.name
        # Prometheus attaches these to every scraped series and renames ours: exported_job, as the documents say.
        assert not {"instance", "job"} & set(family.all_labels)
        assert "instance" not in family.optional_labels
        assert not family.optional_labels or isinstance(family, WorkloadFamily)
        assert family.help.endswith(".")


def test_every_quantity_stands_in_exactly_one_device_family() -> None:
    shown = [q for family in FAMILIES if not isinstance(family, InstanceFamily) for q in family.quantities]
    assert len(set(shown)) == len(shown)
    # The raw counter falls at each driver load; the ledger's total is what the page shows.
    assert set(Quantity) - set(shown) == {Quantity.ENERGY_MJ}


def test_every_quantity_of_a_device_reaches_the_page_in_base_units() -> None:
    page = read(snapshot(view()))
    assert value(page, "wattledger_gpu_power_watts", reading="average") == 312.345
    assert value(page, "wattledger_gpu_power_watts", reading="instant") == 298.001
    assert value(page, "wattledger_gpu_power_limit_watts", limit="enforced") == 700
    values = every_value()
    assert value(page, "wattledger_gpu_clock_hertz", domain="sm") == values[Quantity.CLOCK_SM_HZ]
    assert value(page, "wattledger_gpu_sm_activity_ratio") == values[Quantity.ACTIVITY_SM_RATIO]
    for family in FAMILIES:
        if family.quantities and not isinstance(family, InstanceFamily):
            assert series(page, family.name), family.name


def test_energy_is_the_ledgers_in_joules_and_its_states_and_methods_sum_to_it() -> None:
    page = read(snapshot(view()))
    assert value(page, "wattledger_gpu_energy_joules_total") == 7_200_000
    assert value(page, "wattledger_gpu_state_energy_joules_total", state="active") == 5_400_000.001
    assert sum(series(page, "wattledger_gpu_state_energy_joules_total").values()) == 7_200_000
    assert sum(series(page, "wattledger_gpu_energy_method_joules_total").values()) == 7_200_000
    assert value(page, "wattledger_gpu_avoidable_energy_joules_total") == 900_000
    assert value(page, "wattledger_gpu_state_seconds_total", state="active") == 20_000.000000001
    assert value(page, "wattledger_gpu_energy_unknown_seconds_total") == 2.5


def test_all_six_states_are_there_from_the_first_page_on() -> None:
    fresh = view(account=DeviceAccount(uuid="GPU-new"), state=None)
    page = read(snapshot(fresh))
    for name in ("wattledger_gpu_state_energy_joules_total", "wattledger_gpu_state_seconds_total"):
        shown = {dict(labels)["state"]: number for labels, number in series(page, name).items()}
        assert shown == dict.fromkeys(State, 0.0)
    assert value(page, "wattledger_gpu_energy_joules_total") == 0
    assert not series(page, "wattledger_gpu_state")


def test_a_board_without_counter_and_power_has_no_joules_rather_than_zero() -> None:
    blind = reading(view(account=DeviceAccount(uuid="GPU-blind")), values={Quantity.UTILIZATION_GPU_RATIO: 1.0})
    page = read(snapshot(blind))
    assert not [name for name, _ in page if name.startswith("wattledger_gpu_") and "joules" in name]
    assert len(series(page, "wattledger_gpu_state_seconds_total")) == 6


def test_the_present_state_is_one_of_six_series() -> None:
    page = read(snapshot(view(state=State.UNKNOWN, state_detail="process list: no_permission")))
    shown = {dict(labels)["state"]: number for labels, number in series(page, "wattledger_gpu_state").items()}
    assert shown == {state: float(state is State.UNKNOWN) for state in State}
    detail = {"state": "unknown", "detail": "process list: no_permission"}
    assert value(page, "wattledger_gpu_state_detail_info", **detail) == 1
    assert value(page, "wattledger_gpu_state_since_timestamp_seconds") == WALL_NS / 1e9 - 90


def test_hardware_counters_come_from_the_ledger_and_not_from_the_reading() -> None:
    books = replace(account("GPU-0"), counters={q: Carried(total=5 * 10**9, last_raw=1) for q in COUNTERS})
    page = read(snapshot(view(account=books)))
    assert value(page, "wattledger_gpu_pcie_bytes_total", direction="transmit") == 5e9
    assert value(page, "wattledger_gpu_throttle_seconds_total", reason="power_cap") == 5
    assert value(page, "wattledger_gpu_ecc_errors_total", kind="corrected") == 5e9
    assert value(page, "wattledger_gpu_ecc_lifetime_errors_total", kind="uncorrected") == 5e9
    carried = {q for family in FAMILIES if family.kind is Kind.COUNTER for q in family.quantities}
    assert carried == COUNTERS


def test_a_counter_that_is_not_carried_yet_is_absent_even_when_it_was_read() -> None:
    page = read(snapshot(view(account=replace(account("GPU-0"), counters={}))))
    assert not series(page, "wattledger_gpu_pcie_bytes_total")


def test_clock_events_are_a_series_for_each_known_reason_and_one_for_the_others() -> None:
    page = read(snapshot(reading(view(), values={Quantity.CLOCK_EVENT_REASONS: 0x4 | 0x40 | 0x800})))
    active = {
        dict(labels)["reason"]: number for labels, number in series(page, "wattledger_gpu_clock_event_active").items()
    }
    assert len(active) == 12
    assert {reason for reason, number in active.items() if number} == {"sw_power_cap", "hw_thermal_slowdown", "other"}


GONE = {
    "does not answer": lost(view(), Gap.TIMEOUT),
    "is not listed any more": view(present=False),
}


@pytest.mark.parametrize("gone", GONE.values(), ids=GONE.keys())
def test_a_device_that_is_gone_keeps_its_counters_and_loses_its_measurements(gone: object) -> None:
    assert isinstance(gone, type(view()))
    whole, page = read(snapshot(view())), read(snapshot(gone))
    mine = {name for name, labels in page if ("gpu", "0") in labels}
    counters = {family.name for family in FAMILIES if family.kind is Kind.COUNTER}
    assert {name for name, labels in whole if ("gpu", "0") in labels} & counters == mine & counters
    assert mine - counters == {
        "wattledger_gpu_info",
        "wattledger_gpu_up",
        "wattledger_gpu_present",
        "wattledger_gpu_owner_info",
        "wattledger_gpu_absent_info",
        "wattledger_gpu_xid_last_timestamp_seconds",
    }
    assert value(page, "wattledger_gpu_up") == 0


def test_each_gap_of_a_device_is_named_with_its_reason() -> None:
    gaps = {Quantity.FAN_SPEED_RATIO: Gap.UNSUPPORTED, Quantity.PROCESSES: Gap.NO_PERMISSION}
    page = read(snapshot(reading(view(), values={}, gaps=gaps), lost(view(1)), view(2, present=False)))
    assert {
        (dict(labels)["value"], dict(labels)["reason"])
        for labels in series(page, "wattledger_gpu_absent_info", gpu="0")
    } == {("fan_speed_ratio", "unsupported"), ("processes", "no_permission")}
    assert len(series(page, "wattledger_gpu_absent_info", gpu="1", reason="lost")) == len(Quantity)
    assert value(page, "wattledger_gpu_absent_info", gpu="2", value="device", reason="lost") == 1


def test_a_lost_gpu_does_not_blank_the_others() -> None:
    alone, beside = read(snapshot(view())), read(snapshot(view(), lost(view(1))))
    assert {key: number for key, number in beside.items() if ("gpu", "1") not in key[1]} == alone


def test_an_absent_or_impossible_number_gives_no_series() -> None:
    broken = reading(
        view(divergence_ratio=None),
        values={
            Quantity.UTILIZATION_GPU_RATIO: float("nan"),
            Quantity.FAN_SPEED_RATIO: float("inf"),
            Quantity.TEMPERATURE_GPU_CELSIUS: float("-inf"),
            Quantity.TEMPERATURE_MEMORY_CELSIUS: 40.5,
        },
    )
    page = read(snapshot(broken))
    assert not series(page, "wattledger_gpu_utilization_ratio")
    assert not series(page, "wattledger_gpu_fan_speed_ratio")
    assert not series(page, "wattledger_gpu_counter_divergence_ratio")
    assert list(series(page, "wattledger_gpu_temperature_celsius").values()) == [40.5]


def test_mig_instances_have_their_own_families_and_leave_with_their_device() -> None:
    page = read(snapshot(instances(view(), 3)))
    of_second = {"gpu": "0", "mig_uuid": "MIG-0-1", "gpu_instance": "1", "compute_instance": "0"}
    assert value(page, "wattledger_mig_info", profile="1g.10gb", **of_second) == 1
    assert value(page, "wattledger_mig_memory_used_bytes", **of_second) == 2**20
    assert value(page, "wattledger_mig_sm_activity_ratio", **of_second) == 0.125
    assert value(page, "wattledger_mig_absent_info", reason="no_permission", **of_second) == 1
    assert not [name for name, _ in read(snapshot(lost(instances(view(), 3)))) if name.startswith("wattledger_mig_")]


def test_a_failed_source_is_named_with_its_reason_and_a_good_one_is_not() -> None:
    failed = SourceHealth(kind=SourceKind.NVML, success=False, reason=Gap.NO_DRIVER, detail="no library")
    page = read(snapshot(source=failed, sample_at=None))
    assert value(page, "wattledger_source_success", source="nvml") == 0
    assert value(page, "wattledger_source_failure_info", source="nvml", reason="no_driver") == 1
    assert not series(page, "wattledger_source_duration_seconds")
    assert not series(page, "wattledger_sample_timestamp_seconds")
    good = read(snapshot())
    assert not series(good, "wattledger_source_failure_info")
    assert value(good, "wattledger_source_duration_seconds", source="nvml") == 0.0032
    assert value(good, "wattledger_sample_timestamp_seconds") == WALL_NS / 1e9


def test_a_simulated_host_says_so() -> None:
    page = read(snapshot(source=SourceHealth(kind=SourceKind.SIM, success=True)))
    assert value(page, "wattledger_source_info", source="sim") == 1
    assert value(page, "wattledger_build_info", version="0.1.0", source="sim") == 1


def test_ledger_and_configuration_health_are_shown() -> None:
    broken = LedgerHealth(writable=False, commit_failures=4, moved_aside="/var/lib/wattledger/ledger.damaged")
    page = read(snapshot(ledger=broken, config=ConfigHealth(success=False)))
    assert value(page, "wattledger_ledger_writable") == 0
    assert value(page, "wattledger_ledger_commit_failures_total") == 4
    assert value(page, "wattledger_ledger_damaged_info", path="/var/lib/wattledger/ledger.damaged") == 1
    assert not series(page, "wattledger_ledger_size_bytes")
    assert value(page, "wattledger_config_last_reload_successful") == 0
    assert not series(page, "wattledger_config_last_reload_success_timestamp_seconds")


@pytest.mark.parametrize(("is_in_force", "told"), [(None, None), (True, 1), (False, 0)])
def test_a_web_config_that_is_not_in_force_is_shown_and_one_that_is_not_there_is_absent(
    *, is_in_force: bool | None, told: int | None
) -> None:
    made = snapshot(view())
    page = read(replace(made, agent=replace(made.agent, web_config_ok=is_in_force)))
    name = "wattledger_web_config_last_reload_successful"
    assert (value(page, name) if series(page, name) else None) == told


def test_a_device_without_a_known_index_has_an_empty_one() -> None:
    made = view(present=False)
    identity = replace(made.reading.identity, index=-1)
    page = read(snapshot(reading(made, identity=identity)))
    assert value(page, "wattledger_gpu_up", gpu="", uuid=identity.uuid) == 0


def test_only_methods_that_booked_energy_are_shown() -> None:
    page = read(snapshot(view()))
    methods = {dict(labels)["method"] for labels in series(page, "wattledger_gpu_energy_method_joules_total")}
    assert methods == {Method.COUNTER, Method.AVERAGE_POWER}
