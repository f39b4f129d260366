"""What the page says of workloads and services: whose every joule was, and nothing that is not known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exporter.pages import Samples, read, series, value
from tests.exporter.snapshots import (
    JOB,
    NOW,
    batch_service,
    busy,
    chat_service,
    lost,
    router_service,
    snapshot,
    usage_health,
    usage_totals,
    view,
)
from tests.exporter.strategies import usage_totals as any_totals
from wattledger.exporter.catalog import WORKLOAD_NAMES
from wattledger.exporter.render import Format, Renderer, storable
from wattledger.exporter.series import SeriesReader
from wattledger.exporter.snapshot import Snapshot, SourceHealth
from wattledger.exporter.usage import NO_USAGE, UsageHealth, usage_views
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import SourceKind
from wattledger.rules.state import State
from wattledger.rules.tokens.model import TokenKind, Withheld
from wattledger.rules.tokens.totals import Phase, Scope, ServiceTotal
from wattledger.rules.tokens.view import Per
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import ShareMethod, Workload, WorkloadKind

ENERGY = "wattledger_workload_energy_joules_total"
SECONDS = "wattledger_workload_seconds_total"
AVOIDABLE = "wattledger_workload_avoidable_energy_joules_total"
SERVICE_ENERGY = "wattledger_service_energy_joules_total"
TOKENS = "wattledger_service_tokens_total"
RATIO = "wattledger_service_joules_per_token"
FAILED = SourceHealth(SourceKind.NVML, success=False, reason=Gap.TIMEOUT)

DEVICES = {"GPU-a": ("0", "GPU-a"), "GPU-b": ("", "GPU-b")}


def used_by(*totals: UsageTotal) -> Snapshot:
    """Give a host on which these totals are booked."""
    return snapshot(usage=UsageHealth(views=usage_views(totals, DEVICES), shown=1, limit=9))


def total_of(title: str, energy_mj: int = 1_000, *, identity: str = "1", names: object = ()) -> UsageTotal:
    workload = Workload(WorkloadKind.CONTAINER, identity, title, names)  # type: ignore[arg-type]  # as tables give them
    return UsageTotal("GPU-a", workload, State.HELD, ShareMethod.EQUAL, energy_mj, 7, energy_mj // 2)


def label_sets(samples: Samples, name: str) -> list[dict[str, str]]:
    return [dict(labels) for labels in series(samples, name)]


def test_a_workload_has_the_labels_of_the_contract_and_its_names() -> None:
    page = read(busy())
    of_job = series(page, ENERGY, kind="slurm", state="held", method="sm_share")
    assert [dict(labels) for labels in of_job] == [
        {
            "gpu": "0",
            "uuid": "GPU-00000000-aaaa-bbbb-cccc-0123456789ab",
            "kind": "slurm",
            "workload": "211",
            "job": "211",
            "user": "alice",
            "state": "held",
            "method": "sm_share",
        }
    ]
    (chat,) = label_sets(page, AVOIDABLE)[:1]
    assert set(chat) == {"gpu", "uuid", "kind", "workload", "namespace", "pod"}
    assert value(page, ENERGY, workload="llm/chat-0/server", state="active", method="sm_share") == 3_000_000.001
    assert value(page, SECONDS, workload="211", state="active") == 20_000.000000001


def test_the_workloads_of_a_device_sum_to_its_energy_state_by_state() -> None:
    page = read(busy(view(), view(1)))
    for gpu in ("0", "1"):
        for state in ("active", "held"):
            whole = value(page, "wattledger_gpu_state_energy_joules_total", gpu=gpu, state=state)
            assert sum(series(page, ENERGY, gpu=gpu, state=state).values()) == pytest.approx(whole, rel=1e-15)
        whole = value(page, "wattledger_gpu_energy_joules_total", gpu=gpu)
        assert sum(series(page, ENERGY, gpu=gpu).values()) == pytest.approx(whole, rel=1e-15)
        avoidable = value(page, "wattledger_gpu_avoidable_energy_joules_total", gpu=gpu)
        assert sum(series(page, AVOIDABLE, gpu=gpu).values()) == avoidable


def test_what_nobody_used_and_what_found_no_room_are_kinds_of_their_own() -> None:
    page = read(busy())
    assert value(page, ENERGY, kind="unattributed", workload="unattributed", method="remainder") == 99_999.999
    assert value(page, ENERGY, kind="folded", workload="folded") == 400_000
    assert value(page, "wattledger_workloads") == value(page, "wattledger_workloads_limit") == 2
    assert value(page, "wattledger_workloads_folded") == 3


def test_processes_whose_workload_is_not_known_are_counted_by_reason_from_zero_on() -> None:
    page = read(busy())
    assert value(page, "wattledger_gpu_holding_processes") == 5
    found = series(page, "wattledger_gpu_holding_processes_unresolved")
    assert {dict(labels)["reason"]: number for labels, number in found.items()} == {"gone": 0, "no_permission": 1}


def test_a_host_on_which_nobody_looks_for_workloads_has_none_of_their_families() -> None:
    page = read(busy(usage=NO_USAGE, services=()))
    assert not [name for name, _ in page if "workload" in name or "holding" in name or "_service_" in name]


def test_workloads_of_a_device_that_is_excluded_are_left_out() -> None:
    wanted, excluded = view(), view(1)
    totals = (*usage_totals(wanted), *usage_totals(excluded))
    labels = {wanted.reading.identity.uuid: ("0", wanted.reading.identity.uuid)}
    assert usage_views(totals, labels) == usage_health([wanted]).views
    assert usage_views(totals, {}) == ()


def test_counters_of_workloads_stay_when_the_source_fails_and_what_was_listed_goes() -> None:
    well, failing = read(busy()), read(busy(lost(view()), source=FAILED))
    for name in (ENERGY, SECONDS, AVOIDABLE, SERVICE_ENERGY, TOKENS):
        assert series(failing, name) == series(well, name) != {}
    for name in ("wattledger_gpu_holding_processes", "wattledger_gpu_holding_processes_unresolved"):
        assert series(well, name)
        assert not series(failing, name)


def test_a_workload_that_was_never_held_without_work_has_no_avoidable_energy_rather_than_zero() -> None:
    allocated = UsageTotal("GPU-a", JOB, State.ALLOCATED, ShareMethod.ALLOCATED, 5_000, 1)
    assert not series(read(used_by(allocated)), AVOIDABLE)
    held = replace(allocated, state=State.HELD, energy_mj=0)
    assert list(series(read(used_by(allocated, held)), AVOIDABLE).values()) == [0.0]


def test_an_empty_name_is_no_label() -> None:
    (labels,) = label_sets(read(used_by(total_of("web", names=(("namespace", ""), ("pod", "web-0"))))), ENERGY)
    assert labels["pod"] == "web-0"
    assert "namespace" not in labels
    text = Renderer().render(used_by(total_of("web", names=(("user", ""),))), Format.TEXT)
    assert b'user=""' not in text


SAME = {
    "the same title": (("web", ()), ("web", ())),
    "titles that utf-8 cannot tell apart": (("\ud800", ()), ("\udfff", ())),
    "the same names in another order": (
        ("web", (("pod", "p"), ("user", "u"))),
        ("web", (("user", "u"), ("pod", "p"))),
    ),
    "a name that is empty and one that is not there": (("web", (("user", ""),)), ("web", ())),
}


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME.keys())
def test_workloads_that_go_by_the_same_names_are_one_series(
    pair: tuple[tuple[str, object], tuple[str, object]],
) -> None:
    totals = [
        total_of(title, energy_mj, identity=str(energy_mj), names=names)
        for energy_mj, (title, names) in zip((3_000, 4_000), pair, strict=True)
    ]
    made = used_by(*totals)
    page = read(made)  # a series that is there twice fails here
    assert list(series(page, ENERGY).values()) == [7.0]
    assert list(series(page, AVOIDABLE).values()) == [3.5]
    assert list(series(page, SECONDS).values()) == [14e-9]
    found = [labels for labels, _ in SeriesReader().read(made)]
    assert len(set(found)) == len(found)


def test_workloads_of_other_kinds_or_names_stay_apart() -> None:
    first = total_of("web", names=(("user", "u"),))
    others = (
        replace(first, workload=replace(first.workload, kind=WorkloadKind.UNIT)),
        replace(first, workload=replace(first.workload, names=(("pod", "u"),))),
        replace(first, uuid="GPU-b"),
        replace(first, workload=replace(first.workload, title="web2")),
    )
    assert len(series(read(used_by(first, *others)), ENERGY)) == 5


@given(any_totals(st.sampled_from(["GPU-a", "GPU-b", "GPU-excluded"])))
def test_conservation_no_millijoule_is_lost_or_doubled_between_books_and_page(totals: list[UsageTotal]) -> None:
    views = usage_views(totals, DEVICES)
    for uuid in DEVICES:
        shown = [total for seen in views if ("uuid", uuid) in seen.labels for total in seen.totals]
        booked = [total for total in totals if total.uuid == uuid]
        for read_of in (lambda one: one.energy_mj, lambda one: one.duration_ns, lambda one: one.avoidable_mj):
            assert sum(map(read_of, shown)) == sum(map(read_of, booked))
        for state in State:
            assert sum(one.energy_mj for one in shown if one.state is state) == sum(
                one.energy_mj for one in booked if one.state is state
            )
    names = [frozenset(seen.labels) for seen in views]
    assert len(set(names)) == len(names)
    for seen in views:
        assert {name for name, _ in seen.labels[4:]} <= set(WORKLOAD_NAMES)
        assert all(text and text == storable(text) for _, text in seen.labels[4:])
        assert len({(one.state, one.method) for one in seen.totals}) == len(seen.totals)


def test_label_texts_of_workloads_that_left_are_dropped() -> None:
    renderer, reader, kept = Renderer(), SeriesReader(), []
    for number in range(200):
        made = used_by(*(total_of(f"job {number} {part}") for part in range(5)))
        renderer.render(made, Format.TEXT)
        reader.read(made)
        kept.append((renderer.texts_kept, reader.labels_kept))
    assert kept[-1] == kept[1]


def test_a_service_has_the_labels_of_the_contract() -> None:
    page = read(busy())
    assert {frozenset(labels) for labels in label_sets(page, SERVICE_ENERGY)} == {
        frozenset({"service", "model", "scope"})
    }
    assert {frozenset(labels) for labels in label_sets(page, TOKENS)} == {frozenset({"service", "model", "kind"})}
    of_chat = {"service": "chat", "model": "llama-3.1-8b"}
    assert value(page, SERVICE_ENERGY, scope="active", **of_chat) == 1_800_000.001
    assert value(page, SERVICE_ENERGY, scope="total", **of_chat) == 2_400_000
    shown = {dict(labels)["kind"]: number for labels, number in series(page, TOKENS, **of_chat).items()}
    assert shown == {"prompt": 12e6, "prompt_cached": 4e6, "prompt_computed": 8e6, "output": 4e6}


def test_a_kind_of_token_that_a_server_does_not_tell_is_absent_and_one_that_did_not_come_is_zero() -> None:
    shown = series(read(busy()), TOKENS, service="batch")
    assert {dict(labels)["kind"]: number for labels, number in shown.items()} == {"prompt": 70, "output": 0}


def test_a_service_shows_ratios_or_the_reason_why_not() -> None:
    page = read(busy())
    assert value(page, RATIO, service="chat", per="computed", scope="active") == 0.25
    assert value(page, RATIO, service="chat", per="output", scope="total") == 0.625
    assert len(series(page, RATIO, service="chat")) == len(Per) // 2 * len(Scope)
    withheld = "wattledger_service_ratio_withheld_info"
    assert not series(page, withheld, service="chat")
    assert not series(page, RATIO, service="batch")
    assert value(page, withheld, service="batch", reason="short_window") == 1
    for reason in Withheld:
        made = read(snapshot(services=(replace(batch_service(), withheld=reason),)))
        assert [labels["reason"] for labels in label_sets(made, withheld)] == [reason]


def test_what_is_not_known_of_a_service_is_absent() -> None:
    page = read(busy())
    for name in ("coverage_ratio", "tokens_per_second", "requests", "ratio_window_seconds", "ratio_implausible"):
        assert series(page, f"wattledger_service_{name}", service="chat")
        assert not series(page, f"wattledger_service_{name}", service="batch"), name
    assert value(page, "wattledger_service_up", service="batch") == 0
    assert value(page, "wattledger_service_requests", service="chat", state="waiting") == 0
    assert not series(page, "wattledger_service_requests", service="router", state="waiting")
    assert not series(page, "wattledger_service_wasted_draft_ratio", service="chat")


def test_models_of_one_service_have_tokens_of_their_own_and_share_its_energy() -> None:
    page = read(busy())
    assert value(page, TOKENS, service="router", model="base", kind="output") == 10
    assert value(page, TOKENS, service="router", model="tuned", kind="output") == 30
    assert {labels["model"] for labels in label_sets(page, SERVICE_ENERGY) if labels["service"] == "router"} == {""}
    assert value(page, RATIO, service="router", model="") == 75.5
    assert value(page, "wattledger_service_ratio_implausible", service="router") == 1
    assert value(page, "wattledger_service_preemptions_total", service="router", model="base") == 2
    assert value(page, "wattledger_service_wasted_draft_tokens_total", service="router", model="tuned") == 9


def test_energy_of_a_model_that_is_served_no_more_stays() -> None:
    before = ServiceTotal("chat", "old", 10, 20, {Phase.SERVING: 20, Phase.RESTART: 5}, {TokenKind.OUTPUT: 4})
    made = replace(chat_service(), totals=(before, *chat_service().totals))
    page = read(snapshot(services=(made,)))
    assert value(page, SERVICE_ENERGY, model="old", scope="total") == 0.02
    assert value(page, SERVICE_ENERGY, model="llama-3.1-8b", scope="total") == 2_400_000
    # A service as a whole: the phases of all of its models.
    assert value(page, "wattledger_service_phase_energy_joules_total", phase="serving") == 2_000_000.02
    assert value(page, "wattledger_service_phase_energy_joules_total", phase="restart") == 0.005


def test_a_service_that_has_not_booked_anything_has_its_facts_and_no_counters() -> None:
    fresh = replace(batch_service(), totals=(), withheld=Withheld.STARTING)
    page = read(snapshot(services=(fresh,)))
    assert {name for name, labels in page if ("service", "batch") in labels} == {
        "wattledger_service_info",
        "wattledger_service_up",
        "wattledger_service_gpus",
        "wattledger_service_ratio_withheld_info",
    }
    assert value(page, "wattledger_service_info", server="tgi", counter_class="finish", attribution="shared") == 1


def test_a_window_is_told_in_seconds() -> None:
    page = read(snapshot(services=(replace(router_service(), window_ns=90 * NS_PER_SECOND),)))
    assert value(page, "wattledger_service_ratio_window_seconds") == 90


def test_a_stalled_agent_withdraws_what_services_do_now_and_keeps_their_counters() -> None:
    made = busy(view())
    now = Instant(NOW.mono_ns + 3_600 * NS_PER_SECOND, NOW.wall_ns)
    fresh, stale = read(made), read(made.expired(now))
    assert series(fresh, "wattledger_service_joules_per_token")
    for gone in ("joules_per_token", "requests", "coverage_ratio", "tokens_per_second", "ratio_window_seconds"):
        assert series(fresh, f"wattledger_service_{gone}")
        assert not series(stale, f"wattledger_service_{gone}")
    for kept in ("energy_joules_total", "tokens_total", "phase_energy_joules_total", "info"):
        assert (
            series(stale, f"wattledger_service_{kept}").keys() == series(fresh, f"wattledger_service_{kept}").keys()
        )
    assert set(series(stale, "wattledger_service_up").values()) == {0}
