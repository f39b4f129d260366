"""What would count twice: pairs of prefill and decode, ranks, engines of other hosts, versions with a mistake."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rules.tokens.server_pages import CACHED, COMPUTED, OUTPUT, PAGES, entry, parsed, read, samples_of, sums
from wattledger.rules.tokens.meter import TokenMeter
from wattledger.rules.tokens.model import Role, TokenKind
from wattledger.rules.tokens.server import Samples, ServerFacts, inspect, read_page

VLLM = ("python", "vllm", "serve", "m")
NIXL = (*VLLM, "--kv-transfer-config", json.dumps({"kv_connector": "NixlConnector", "kv_role": "kv_both"}))


def facts(samples: Samples, *command: str, key: str = "vllm") -> ServerFacts:
    return inspect(entry(key), samples, command)


def with_role(role: str) -> tuple[str, ...]:
    return (*VLLM, "--kv-transfer-config", json.dumps({"kv_connector": "NixlConnector", "kv_role": role}))


def test_a_pair_counts_each_token_once() -> None:
    prefill = sums(read(samples_of("vllm-prefill"), NIXL))
    decode = sums(read(samples_of("vllm-decode"), NIXL))
    model = "gpt-oss-20b"
    # Each page says 602000 prompt tokens; what the decode engine computed itself is work on top of them.
    assert prefill == {(model, COMPUTED): 600_000, (model, CACHED): 2000}
    assert decode == {(model, COMPUTED): 602, (model, OUTPUT): 37_324}


def test_a_pair_without_sources_counts_prompts_on_one_side_alone() -> None:
    prefill = read(samples_of("vllm-0.11.1"), with_role("kv_producer"))
    decode = read(samples_of("vllm-0.11.1"), with_role("kv_consumer"))
    assert {count.kind for count in prefill.counts.values()} == {TokenKind.PROMPT, CACHED}
    assert {count.kind for count in decode.counts.values()} == {OUTPUT}


@pytest.mark.parametrize(
    ("page", "command", "role"),
    [
        ("vllm-0.11.1", VLLM, Role.UNIFIED),
        ("vllm-0.11.1", with_role("kv_producer"), Role.PREFILL),
        ("vllm-0.11.1", with_role("kv_consumer"), Role.DECODE),
        ("vllm-0.11.1", with_role("kv_both"), Role.UNIFIED),
        ("vllm-0.11.1", (*VLLM, '--kv_transfer_config={"kv_role": "kv_producer"}'), Role.PREFILL),
        ("vllm-0.11.1", (*VLLM, "--kv-transfer-config.kv_role", "kv_consumer"), Role.DECODE),
        ("vllm-0.11.1", (*VLLM, "--kv-transfer-config", "no json"), Role.UNIFIED),
        ("vllm-0.11.1", (*VLLM, "--kv-transfer-config", "[1]"), Role.UNIFIED),
        ("vllm-0.11.1", (*VLLM, "--kv-transfer-config", '{"kv_role": 1}'), Role.UNIFIED),
        ("vllm-0.11.1", (*VLLM, "--kv-transfer-config", "[" * 100_000), Role.UNIFIED),
        ("vllm-0.11.1", (*VLLM, "--kv-transfer-config"), Role.UNIFIED),
        ("vllm-dynamo_worker", ("python", "-m", "dynamo.vllm", "--is-prefill-worker"), Role.PREFILL),
        ("vllm-dynamo_worker", ("python", "-m", "dynamo.vllm", "--disaggregation-mode", "decode"), Role.DECODE),
        ("vllm-prefill", NIXL, Role.PREFILL),  # one token a request
        ("vllm-prefill", VLLM, Role.UNIFIED),  # which others have too: a classifier
        ("vllm-decode", NIXL, Role.DECODE),  # it received
        ("vllm-decode", VLLM, Role.DECODE),
        ("vllm-decode", with_role("kv_producer"), Role.PREFILL),  # flags are surer than the page
        ("vllm-0.33.0", NIXL, Role.UNIFIED),
    ],
)
def test_the_role_of_vllm(page: str, command: tuple[str, ...], role: Role) -> None:
    assert facts(samples_of(page), *command).role is role


def test_the_role_of_a_dynamo_worker_is_on_its_page() -> None:
    text = (
        (PAGES / "vllm-dynamo_worker.prom").read_text("utf-8").replace('component="backend"', 'component="prefill"')
    )
    assert facts(parsed(text)).role is Role.PREFILL


def test_the_role_of_sglang_is_on_its_page_and_else_on_its_command_line() -> None:
    assert facts(samples_of("sglang-prefill"), "--disaggregation-mode=decode", key="sglang").role is Role.PREFILL
    assert facts(samples_of("sglang-0.5.6"), "--disaggregation-mode", "decode", key="sglang").role is Role.DECODE


def test_an_unused_pair_is_not_told_yet() -> None:
    fresh = parsed(
        'vllm:generation_tokens_total{engine="0"} 0\nvllm:request_success_total{engine="0"} 0\n'
        'vllm:nixl_xfer_time_seconds_count{engine="0"} 0\n'
    )
    assert facts(fresh, *NIXL).role is Role.UNIFIED


def test_ranks_of_sglang_count_once_for_each_engine() -> None:
    page = read(samples_of("sglang-0.5.23"))
    assert (page.running, page.waiting, page.engines) == (4, 2, 1)
    assert sum((page.preemptions or {}).values()) == 3
    # With data parallel attention the second engine begins at rank 2, so keeping rank 0 would lose it.
    spread = read(samples_of("sglang-0.5.13"))
    assert (spread.running, spread.engines) == (3, 2)


def test_a_series_that_is_yet_to_come_counts_0_and_then_whole() -> None:
    before = samples_of("sglang-0.5.13")
    late = (("mode", "prefill_cache"), ("model_name", "m"), ("tp_rank", "0"))
    after = (*before, ("sglang:realtime_tokens_total", late, 50.0))
    meter = TokenMeter(models_limit=4)
    assert meter.begin(read(before)).tokens["m"][TokenKind.PROMPT] == 300
    assert meter.advance(read(after)).tokens["m"] == {
        TokenKind.PROMPT: 50,
        CACHED: 50,
        COMPUTED: 0,
        OUTPUT: 0,
    }


@pytest.mark.parametrize(
    ("flags", "remote", "engines"),
    [
        ("", False, None),
        ("--tensor-parallel-size 8", False, None),
        ("--headless", True, None),
        ("--nnodes 1", False, None),
        ("--nnodes 2 --node-rank 0", True, None),
        ("-n 2 -r 0", True, None),
        ("--data-parallel-size 4", False, None),
        ("--data-parallel-size 4 --data-parallel-size-local 4", False, None),
        ("--data-parallel-size 4 --data-parallel-size-local 2", True, {"0", "1"}),
        ("-dp 4 -dpl 2", True, {"0", "1"}),
        ("--data_parallel_size=4 --data_parallel_size_local=1 --data_parallel_start_rank=2", True, {"2"}),
        ("--data-parallel-size 4 --data-parallel-size-local 0", True, set()),
        ("--data-parallel-size 4 --data-parallel-size-local 2 --data-parallel-hybrid-lb", False, None),
        ("--data-parallel-size 4 --data-parallel-rank 3", False, None),
        ("--data-parallel-size 4 --data-parallel-backend ray", True, None),
        ("--data-parallel-size 4 --data-parallel-size-local 2 --data-parallel-backend ray", True, {"0", "1"}),
        ("--data-parallel-size many --data-parallel-size-local 2", False, None),
        ("--data-parallel-size 2 --data-parallel-size 1 --data-parallel-size-local 1", False, None),
    ],
)
def test_ranks_on_other_hosts(flags: str, *, remote: bool, engines: set[str] | None) -> None:
    found = facts(samples_of("vllm-0.33.0"), *VLLM, *flags.split())
    assert (found.remote, found.local_engines) == (remote, engines)


@pytest.mark.parametrize(
    ("key", "flags", "devices"),
    [
        ("vllm", "", 1),
        ("vllm", "--tensor-parallel-size 8 --pipeline-parallel-size 2 --distributed-executor-backend ray", 16),
        ("vllm", "-tp 4 -pp=2", 8),
        ("vllm", "--tensor_parallel_size=2 --data-parallel-size 4", 2),
        ("vllm", "-tp many -pp 0", 1),
        ("trtllm", "--tp_size 16", 16),
        ("trtllm", "--tp_size 8 --pp_size 2", 16),
        ("sglang", "--tp 8 --dp 8 --enable-dp-attention", 1),
    ],
)
def test_devices_of_one_engine(key: str, flags: str, devices: int) -> None:
    found = facts((), *flags.split(), key=key)
    assert (found.engine_devices, found.remote) == (devices, False)


def test_several_hosts_of_other_servers() -> None:
    assert facts((), "--nnodes", "2", key="sglang").remote
    assert not facts((), "--dp", "4", key="sglang").remote
    assert facts((), "llama-server", "--rpc", "10.0.0.2:50052", key="llamacpp").remote


def test_engines_of_other_hosts_are_left_out() -> None:
    samples = samples_of("vllm-0.33.0")
    page = read(samples, (*VLLM, "-dp", "4", "-dpl", "1"))
    assert sums(page) == {("m", COMPUTED): 5000, ("m", CACHED): 3000, ("m", OUTPUT): 27453}
    assert (page.running, page.waiting, page.engines) == (3, 1, 1)
    assert sum((page.preemptions or {}).values()) == 4
    none = read(samples, (*VLLM, "-dp", "4", "-dpl", "0"))
    assert (none.counts, none.running, none.preemptions) == ({}, None, None)
    # Where it is not told which engine counts, it may be one of another host.
    assert read(samples_of("vllm-0.6.4"), (*VLLM, "-dp", "4", "-dpl", "1")).counts == {}


def test_a_doubled_counter_is_known_by_the_tokens_of_ended_requests() -> None:
    good, bad = samples_of("lmdeploy-0.18.0"), samples_of("lmdeploy-0168eeda")
    assert facts(good, key="lmdeploy").known_bad == ""
    assert "twice" in facts(bad, key="lmdeploy").known_bad


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("lmdeploy:num_requests_running", 6.0),  # what runs may be as much as what has ended
        ("lmdeploy:request_generation_tokens_sum", 0.0),
        ("lmdeploy:request_generation_tokens_count", 19.0),
        ("lmdeploy:generation_tokens_total", 30_000.0),  # aborted requests
        ("lmdeploy:generation_tokens_total", 44_000.0),
    ],
)
def test_a_doubled_counter_is_not_guessed_at(changed: str, value: float) -> None:
    bad = samples_of("lmdeploy-0168eeda")
    other = [(name, labels, value if name == changed else old) for name, labels, old in bad]
    assert other != list(bad)
    assert facts(other, key="lmdeploy").known_bad == ""


def test_values_that_are_no_counts_are_as_if_they_were_not_there() -> None:
    samples = [
        ("vllm:generation_tokens_total", (("engine", "0"), ("model_name", "m")), 5.0),
        ("vllm:generation_tokens_total", (("engine", "1"), ("model_name", "m")), float("nan")),
        ("vllm:generation_tokens_total", (("engine", "2"), ("model_name", "m")), float("inf")),
        ("vllm:generation_tokens_total", (("engine", "3"), ("model_name", "m")), -1.0),
        ("vllm:num_requests_running", (("engine", "0"),), float("nan")),
    ]
    page = read(samples)
    assert (sums(page), page.running, page.engines) == ({("m", OUTPUT): 5}, None, 1)


LABELS = st.dictionaries(st.from_regex(r"zz_[a-z]{1,8}", fullmatch=True), st.text(max_size=8), min_size=1, max_size=3)
ALL = [path.stem for path in sorted(PAGES.glob("*.prom"))]


@given(name=st.sampled_from(ALL), data=st.data())
def test_labels_that_nobody_knows_change_no_sum(name: str, data: st.DataObject) -> None:
    plain = samples_of(name)
    labelled = [
        (series, tuple(sorted((dict(labels) | data.draw(LABELS)).items())), value) for series, labels, value in plain
    ]
    page, other = read(plain), read(labelled)
    assert sums(other) == sums(page)
    assert (other.running, other.waiting, other.engines) == (page.running, page.waiting, page.engines)


@given(name=st.sampled_from(ALL), parts=st.integers(2, 5), data=st.data())
def test_series_split_by_a_new_label_sum_to_the_same(name: str, parts: int, data: st.DataObject) -> None:
    plain = samples_of(name)
    chosen = data.draw(st.sampled_from(sorted({series for series, _, _ in plain})))
    split: list[tuple[str, tuple[tuple[str, str], ...], float]] = []
    for series, labels, value in plain:
        if series != chosen:
            split.append((series, labels, value))
            continue
        for part in range(parts):
            share = value - sum(value // parts for _ in range(parts - 1)) if part == 0 else value // parts
            split.append((series, tuple(sorted((*labels, ("zz_part", str(part))))), share))
    assert sums(read(split)) == sums(read(plain))


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_command_line_is_read(command: list[str]) -> None:
    found = facts(samples_of("vllm-0.33.0"), *command)
    assert found.local_engines is None or found.remote


@given(name=st.sampled_from(ALL), role=st.sampled_from(Role))
def test_no_series_stands_for_two_kinds_and_roles_only_leave_out(name: str, role: Role) -> None:
    samples = samples_of(name)
    spec = entry(name.rpartition("-")[0])
    known = replace(inspect(spec, samples, ()), role=Role.UNIFIED)
    everything = read_page(spec, samples, known).counts
    some = read_page(spec, samples, replace(known, role=role)).counts
    assert some.items() <= everything.items()
    kinds = {kind for _, kind in sums(read_page(spec, samples, known))}
    assert not {TokenKind.PROMPT, CACHED, COMPUTED} <= kinds, "one of the three follows from the others"
