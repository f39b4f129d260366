"""Workloads and services on the landing page: the largest waste first, and a reason where a number is not shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.exporter.landing_reader import Page, page_of
from tests.exporter.snapshots import (
    batch_service,
    busy,
    chat_service,
    lost,
    router_service,
    snapshot,
    usage_totals,
    view,
)
from wattledger.exporter.landing_services import REASONS
from wattledger.exporter.snapshot import Snapshot, SourceHealth
from wattledger.exporter.usage import UsageHealth, usage_views
from wattledger.rules.quantity import Gap
from wattledger.rules.reading import SourceKind
from wattledger.rules.state import State
from wattledger.rules.tokens.model import Attribution, Role, TokenKind, Withheld
from wattledger.rules.tokens.totals import Scope, ServiceTotal
from wattledger.rules.tokens.view import Per, Ratio, ServiceView
from wattledger.rules.usage.totals import UsageTotal
from wattledger.rules.usage.workload import UNATTRIBUTED, ShareMethod, Workload, WorkloadKind

KWH_MJ = 3_600_000_000
DEVICES = {f"GPU-{index}": (str(index), f"GPU-{index}") for index in range(8)} | {"GPU-gone": ("", "GPU-gone")}


def user(name: str, state: State, energy_mj: int, *, uuid: str = "GPU-0", avoidable_mj: int = 0) -> UsageTotal:
    workload = Workload(WorkloadKind.USER, name, name)
    return UsageTotal(uuid, workload, state, ShareMethod.EXCLUSIVE, energy_mj, 1, avoidable_mj)


def page_of_totals(*totals: UsageTotal) -> Page:
    return page_of(snapshot(view(), usage=UsageHealth(usage_views(totals, DEVICES), limit=256)))


def page_of_services(*services: ServiceView) -> Page:
    return page_of(snapshot(view(), services=services))


def test_a_host_that_nobody_uses_has_no_word_of_workloads_and_services() -> None:
    for made in (snapshot(view()), snapshot(), None):
        assert "Who uses them" not in page_of(made).words
        assert "Services" not in page_of(made).words


def test_a_workload_shows_what_it_used_wasted_and_could_have_saved() -> None:
    page = page_of(busy(view(), view(2)))
    assert page.words.index("GPUs") < page.words.index("Who uses them") < page.words.index("Services")
    row = page.row("llm/chat-0/server")
    assert row.startswith("|llm/chat-0/server|pod|0,2|3.056 kWh")
    assert row.endswith("by use of the SMs|0.833 kWh 27.3 %|0.444 kWh 14.5 %")
    assert "active: 2.222 kWh (72.7 %)" in row
    assert page.row("211").startswith("|211 user=alice|slurm|0,2|0.667 kWh")
    assert page.row("folded").startswith("|folded workloads beyond workloads.limit, together|folded|")
    assert page.row("unattributed").startswith("|unattributed nobody's, or whose could not be found out|")


def test_the_largest_waste_comes_first_and_then_the_largest_energy() -> None:
    page = page_of_totals(
        user("worker", State.ACTIVE, 9 * KWH_MJ),
        user("helper", State.ACTIVE, 2 * KWH_MJ),
        user("sleeper", State.HELD, 3 * KWH_MJ, avoidable_mj=KWH_MJ),
        user("sleeper", State.ALLOCATED, KWH_MJ, uuid="GPU-1"),
        user("dozer", State.HELD, 3 * KWH_MJ),
        UsageTotal("GPU-3", UNATTRIBUTED, State.PARKED, ShareMethod.REMAINDER, 5 * KWH_MJ),
    )
    names = [row.split("|")[1].split(" ")[0] for row in page.rows if "kWh" in row][1:]
    assert names == ["sleeper", "dozer", "worker", "unattributed", "helper"]
    assert page.row("sleeper").endswith("|4.000 kWh 100.0 %|1.000 kWh 25.0 %")
    assert page.row("unattributed").endswith("|0 kWh 0.0 %|0 kWh 0.0 %"), "what is parked is nobody's waste"


def test_a_share_that_was_not_measured_alone_says_how_it_came_about() -> None:
    total = user("eve", State.ACTIVE, KWH_MJ)
    for method, words in (
        (ShareMethod.EXCLUSIVE, ""),
        (ShareMethod.ESTIMATED, "estimated"),
        (ShareMethod.EQUAL, "shared equally"),
    ):
        cell = page_of_totals(replace(total, method=method)).row("eve").split("|")[4]
        assert cell.endswith(f"(100.0 %) {words}".rstrip())
    unused = replace(total, energy_mj=0, method=ShareMethod.EQUAL)
    assert "equally" not in page_of_totals(total, unused).row("eve")


def test_one_that_only_holds_a_gpu_so_far_is_there_with_nothing() -> None:
    assert page_of_totals(user("new", State.HELD, 0)).row("new") == "|new|user|0|0 kWh|0 kWh|0 kWh"


def test_gpus_are_told_in_short_and_one_without_an_index_has_none() -> None:
    spread = [user("wide", State.ACTIVE, 1, uuid=f"GPU-{index}") for index in (0, 1, 2, 5)]
    assert "|wide|user|0-2,5|" in page_of_totals(*spread).row("wide")
    assert "|lost|user|-|" in page_of_totals(user("lost", State.ACTIVE, 1, uuid="GPU-gone")).row("lost")


def test_many_workloads_are_cut_short() -> None:
    many = [user(f"user{number}", State.HELD, number) for number in range(42)]
    page = page_of_totals(*many)
    assert len([row for row in page.rows if "|user|" in row]) == 30
    assert "and 12 more: see wattledger_workload_energy_joules_total on /metrics" in page.words
    assert "|user41|" in page.rows[-30], "the largest first"
    assert " more" not in page_of_totals(*many[:30]).words


def test_processes_that_could_not_be_looked_at_are_counted_while_the_data_is_fresh() -> None:
    words = "Of 5 processes on GPUs the workload of 1 is not known (no_permission 1)"
    assert words in page_of(busy()).words
    failed = SourceHealth(SourceKind.NVML, success=False, reason=Gap.TIMEOUT)
    stale = page_of(busy(lost(view()), source=failed))
    assert words not in stale.words
    assert stale.row("211")
    healthy = replace(busy().usage, unresolved=(("gone", 0),))
    assert "is not known" not in page_of(busy(usage=healthy)).words


def test_a_service_shows_joules_per_token_of_work_and_in_all() -> None:
    page = page_of(busy())
    _, name, server, ratios, tokens, energy, coverage, requests = page.row("chat").split("|")
    assert (name, server) == ("chat llama-3.1-8b", "vllm 1 GPU, its own")
    assert ratios == (
        " 0.500 J (0.625 J) per output token 0.125 J (0.156 J) per token, prompt and output"
        " 0.250 J (0.312 J) per token that was computed"
    )
    assert tokens == "812 /s 4,000,000 output"
    assert energy == "0.694 kWh serving 80.0 % idle 16.0 % starting 4.0 %"
    assert coverage == "97.5 % of 5 min 0 s"
    assert requests == "3 run 0 wait"


def test_a_service_of_several_models_names_them_and_an_odd_ratio_is_doubted() -> None:
    row = page_of(busy()).row("router")
    assert row.startswith("|router base tuned|sglang 2 GPUs, configured|")
    assert "75.5 J in all per output token hardly right" in row
    assert "|1 run" in row
    many = tuple(ServiceTotal("router", f"m{number}") for number in range(9))
    assert "m4 and 4 more|" in page_of_services(replace(router_service(), totals=many)).row("router")


@pytest.mark.parametrize("reason", Withheld)
def test_a_ratio_that_is_not_shown_says_why_and_what_to_do(reason: Withheld) -> None:
    row = page_of_services(replace(batch_service(), withheld=reason)).row("batch")
    why, cure = REASONS[reason]
    assert f"|{why}. To do: {cure}. http://127.0.0.1:3000/metrics: connection refused|" in row
    assert "per output token" not in row
    assert "not read" in row


def test_what_is_not_known_of_a_service_is_absent_and_not_zero() -> None:
    fresh = replace(batch_service(), totals=(), up=True, attribution=Attribution.NONE, devices=0, detail="")
    row = page_of_services(fresh).row("batch")
    assert row.startswith("|batch|tgi 0 GPUs, not known|")
    assert row.endswith("|absent|absent|absent|absent")
    assert "not read" not in row


def test_a_training_job_and_a_prefill_server_count_the_tokens_that_they_are_about() -> None:
    tokens = {TokenKind.PROMPT: 30, TokenKind.PROMPT_COMPUTED: 20, TokenKind.OUTPUT: 12}
    made = replace(chat_service(), totals=(ServiceTotal("chat", "m", tokens=tokens),))
    for role, per, words, counted in (
        (Role.TRAINING, Per.TRAINING, "per token", "42 consumed"),
        (Role.PREFILL, Per.PREFILL, "per prompt token that was computed", "20 prompt"),
        (Role.DECODE, Per.DECODE, "per output token", "12 output"),
    ):
        ratios = (Ratio("m", per, Scope.ACTIVE, 0.0304), Ratio("m", per, Scope.TOTAL, 0.04))
        row = page_of_services(replace(made, role=role, ratios=ratios)).row("chat")
        assert f"0.0304 J (0.0400 J) {words}|" in row
        assert f"812 /s {counted}|" in row
        assert f"vllm, {role} " in row


def test_many_services_are_cut_short() -> None:
    many = tuple(replace(chat_service(), service=f"s{number}") for number in range(33))
    assert "and 3 more: see wattledger_service_info on /metrics" in page_of_services(*many).words


def hostile_host(hostile: str) -> Snapshot:
    workload = Workload(WorkloadKind.CONTAINER, hostile, hostile, (("pod", f"p{hostile}"),))
    total = replace(usage_totals(view())[0], workload=workload)
    labels = {total.uuid: ("0", total.uuid)}
    usage = UsageHealth(usage_views([total], labels), limit=1, processes=1, unresolved=((hostile, 1),))
    model = ServiceTotal(hostile, hostile)
    service = replace(batch_service(), service=hostile, server=hostile, detail=hostile, totals=(model,))
    return snapshot(view(), usage=usage, services=(service,))


def test_hostile_text_of_workloads_and_services_stays_text() -> None:
    page = page_of(hostile_host("<script>alert('x')</script>\"&\udcff</td>"))
    assert "script" not in page.tags
    assert page.words.count("<script>alert('x')</script>\"&\ufffd</td>") == 7
