"""The page of dcgm-exporter's names: units, labels, MIG, holders, what is absent, and when it is made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exporter.dcgm_pages import HOST, full_page, host, later, page_of, samples_of
from tests.exporter.snapshots import CHAT, JOB, NOW, WALL_NS, instances, lost, reading, snapshot, view
from tests.exporter.strategies import snapshots
from tests.servers import need
from wattledger.exporter.dcgm.names import Generation
from wattledger.exporter.dcgm.page import DcgmPage
from wattledger.exporter.dcgm.rates import RateWindow
from wattledger.exporter.dcgm.render import DcgmRenderer
from wattledger.exporter.http.model import Request
from wattledger.exporter.page import PageCache
from wattledger.exporter.render import Format, Renderer
from wattledger.exporter.site import Site
from wattledger.exporter.snapshot import DeviceView, Snapshot
from wattledger.rules.account import DeviceAccount, XidCount
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.usage.workload import UNATTRIBUTED, Allocation, Holder, Holding, Workload, WorkloadKind

ROOT = Path(__file__).parents[2]
_Q = Quantity
VALUES: dict[Quantity, int | float] = {
    _Q.CLOCK_SM_HZ: 1_980_000_000,
    _Q.MEMORY_USED_BYTES: 3 * 2**20 + 2**20 - 1,
    _Q.MEMORY_TOTAL_BYTES: 80 * 2**30,
    _Q.POWER_AVERAGE_MW: 312_345,
    _Q.POWER_INSTANT_MW: 298_001,
    _Q.UTILIZATION_GPU_RATIO: 0.29,
    _Q.TEMPERATURE_GPU_CELSIUS: 61,
    _Q.FAN_SPEED_RATIO: 1.05,
    _Q.ACTIVITY_TENSOR_RATIO: 0.375,
}
# What the values above are to each generation.
UNITS = {
    Generation.LEGACY: {
        "DCGM_FI_DEV_SM_CLOCK": 1980,
        "DCGM_FI_DEV_FB_USED": 3,
        "DCGM_FI_DEV_FB_TOTAL": 81920,
        "DCGM_FI_DEV_POWER_USAGE": 312.345,
        "DCGM_FI_DEV_POWER_USAGE_INSTANT": 298.001,
        "DCGM_FI_DEV_GPU_UTIL": 29,
        "DCGM_FI_DEV_GPU_TEMP": 61,
        "DCGM_FI_DEV_FAN_SPEED": 105,
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.375,
        "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 7_200_000_000,  # mJ
    },
    Generation.CURRENT: {
        "DCGM_FI_DEV_SM_CLOCK_HERTZ": 1.98e9,
        "DCGM_FI_DEV_FB_USED_BYTES": 4 * 2**20 - 1,
        "DCGM_FI_DEV_FB_CAPACITY_BYTES": 80 * 2**30,
        "DCGM_FI_DEV_BOARD_POWER_WATTS": 312.345,
        "DCGM_FI_DEV_BOARD_POWER_RAW_WATTS": 298.001,
        "DCGM_FI_DEV_GPU_UTIL_RATIO": 0.29,
        "DCGM_FI_DEV_GPU_TEMP_CELSIUS": 61,
        "DCGM_FI_DEV_FAN_SPEED_RATIO": 1.05,
        "DCGM_FI_PROF_TENSOR_UTIL_RATIO": 0.375,
        "DCGM_FI_DEV_GPU_ENERGY_JOULES_TOTAL": 7_200_000.0,
    },
}
BOARD = {
    "gpu": "0",
    "UUID": "GPU-00000000-aaaa-bbbb-cccc-0123456789ab",
    "pci_bus_id": "00000000:00:00.0",
    "device": "nvidia0",
    "modelName": "NVIDIA H100 80GB HBM3",
}


def bare(made: DeviceView, **changes: object) -> DeviceView:
    """Give *made* without carried counters and Xids; *changes* are of its reading."""
    return reading(replace(made, account=replace(made.account, counters={}, xids={})), **changes)


def used_by(*workloads: Workload, allocated: Workload | None = None) -> Snapshot:
    """Give a host whose board is held by *workloads*, or given to one that does not use it."""
    given = () if allocated is None else (Allocation(allocated),)
    return snapshot(replace(view(), holding=Holding(tuple(Holder(workload) for workload in workloads), given)))


def holders_in(made: Snapshot) -> dict[str, str]:
    """Give the labels that tell who has the board, from the row of its energy."""
    (row,) = samples_of(page_of(made))["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"]
    return {name: row.labels[name] for name in ("container", "namespace", "pod", "hpc_job") if name in row.labels}


@pytest.mark.parametrize("generation", Generation)
def test_values_are_in_the_units_of_the_generation(generation: Generation) -> None:
    page = samples_of(page_of(snapshot(bare(view(), values=VALUES)), generation))
    assert {name: rows[0].value for name, rows in page.items()} == UNITS[generation]


@pytest.mark.parametrize(
    ("generation", "further"),
    [
        (Generation.LEGACY, {"Hostname": HOST, "DCGM_FI_DRIVER_VERSION": "580.95.05"}),
        (Generation.CURRENT, {"hostname": HOST, "DCGM_FI_SYSTEM_DRIVER_VERSION": "580.95.05"}),
    ],
)
def test_labels_are_those_of_the_generation_in_its_order(generation: Generation, further: dict[str, str]) -> None:
    for rows in samples_of(page_of(snapshot(bare(view())), generation)).values():
        assert [list(row.labels.items()) for row in rows] == [list((BOARD | further).items())]


def test_nothing_is_shown_of_what_is_not_known() -> None:
    silent = reading(replace(view(), account=DeviceAccount(uuid="GPU-x")), values={}, gaps={_Q.ENERGY_MJ: Gap.FAILED})
    assert page_of(snapshot(silent, lost(view(1)), replace(view(2), present=False))) == ""
    assert page_of(snapshot(bare(view(), values={_Q.POWER_AVERAGE_MW: float("nan")}, gaps={}))).count("{") == 1


def test_power_is_the_latest_value_where_no_mean_is_told() -> None:
    page = samples_of(page_of(snapshot(bare(view(), values={_Q.POWER_INSTANT_MW: 71_500}))))
    assert page["DCGM_FI_DEV_POWER_USAGE"][0].value == 71.5


def test_a_cut_board_has_its_energy_and_power_once_and_the_rest_by_instance() -> None:
    page = samples_of(page_of(host(instances(view(), 3))))
    for name in ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_GPU_TEMP"):
        (row,) = page[name]
        assert "GPU_I_ID" not in row.labels
    for name in ("DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE", "DCGM_FI_PROF_GR_ENGINE_ACTIVE"):
        assert [(row.labels["GPU_I_PROFILE"], row.labels["GPU_I_ID"]) for row in page[name]] == [
            ("1g.10gb", "0"),
            ("1g.10gb", "1"),
            ("1g.10gb", "2"),
        ]
    assert [row.value for row in page["DCGM_FI_DEV_FB_USED"]] == [0, 1, 2]
    # The second may not be read: it has no row, and the board none in its place.
    assert [row.labels["GPU_I_ID"] for row in page["DCGM_FI_PROF_DRAM_ACTIVE"]] == ["0", "2"]


def test_compute_instances_of_one_gpu_instance_are_one_row() -> None:
    cut = instances(view(), 2)
    parts = tuple(
        replace(part, gpu_instance=5, compute_instance=number, profile="1c.2g.20gb")
        for number, part in enumerate(cut.reading.instances)
    )
    (row,) = samples_of(page_of(host(reading(cut, instances=parts))))["DCGM_FI_DEV_FB_FREE"]
    assert (row.labels["GPU_I_PROFILE"], row.labels["GPU_I_ID"]) == ("2g.20gb", "5")


def test_the_pod_and_the_job_that_have_a_board_are_its_labels() -> None:
    assert holders_in(used_by(CHAT)) == {"namespace": "llm", "pod": "chat-0"}
    assert holders_in(used_by(JOB)) == {"hpc_job": "211"}
    unit = Workload(WorkloadKind.UNIT, "x.service", "x.service", (("unit", "x.service"),))
    assert holders_in(used_by(CHAT, unit, UNATTRIBUTED)) == {"namespace": "llm", "pod": "chat-0"}
    assert holders_in(used_by(UNATTRIBUTED)) == {}
    assert holders_in(used_by(allocated=CHAT)) == {"namespace": "llm", "pod": "chat-0"}
    assert holders_in(used_by(CHAT, allocated=CHAT)) == {"namespace": "llm", "pod": "chat-0"}


def test_containers_of_one_pod_are_one_holder() -> None:
    both = [
        Workload(WorkloadKind.POD, name, name, (*CHAT.names, ("container", name))) for name in ("server", "sidecar")
    ]
    assert holders_in(used_by(both[0])) == {"container": "server", "namespace": "llm", "pod": "chat-0"}
    assert holders_in(used_by(*both)) == {"namespace": "llm", "pod": "chat-0"}


def test_a_shared_board_names_no_pod_and_is_counted_once() -> None:
    other = Workload(WorkloadKind.POD, "b", "b", (("namespace", "llm"), ("pod", "chat-1")))
    made = used_by(CHAT, other)
    assert holders_in(made) == {}
    assert all(len(rows) == 1 for rows in samples_of(page_of(made)).values() if "xid" not in rows[0].labels)


def test_pods_of_a_cut_board_are_on_their_instances_and_not_on_the_board() -> None:
    other = Workload(WorkloadKind.POD, "b", "b", (("namespace", "lab"), ("pod", "notebook")))
    holding = Holding((Holder(CHAT, gpu_instance=0),), (Allocation(other, gpu_instance=1),))
    page = samples_of(page_of(snapshot(replace(instances(view(), 3), holding=holding))))
    rows = page["DCGM_FI_DEV_FB_USED"]
    assert [row.labels.get("pod") for row in rows] == ["chat-0", "notebook", None]
    assert not any("pod" in row.labels for row in page["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"])


def test_xids_are_counted_and_the_last_is_shown_once_one_came() -> None:
    page = samples_of(page_of(host(view())))
    assert [(row.labels["xid"], row.value) for row in page["DCGM_EXP_XID_ERRORS_TOTAL"]] == [("79", 1), ("13", 4)]
    (last,) = page["DCGM_FI_DEV_XID_ERRORS"]
    assert (last.labels["err_code"], last.value) == ("79", 79)
    board = view()
    old = replace(board.account, xids={79: XidCount(1, WALL_NS - 3_601 * NS_PER_SECOND)})  # before the agent started
    page = samples_of(page_of(host(replace(board, account=old))))
    assert "DCGM_FI_DEV_XID_ERRORS" not in page
    assert page["DCGM_EXP_XID_ERRORS_TOTAL"][0].value == 1


def test_pcie_rates_are_of_the_last_ten_to_twenty_seconds() -> None:
    rates, name = RateWindow(), "DCGM_FI_PROF_PCIE_TX_BYTES"
    start = host(view())

    def rate(seconds: int, grown: int, *, see: bool = True) -> float | None:
        made = later(start, seconds, lambda total: total + grown)
        if see:
            rates.see(made)
        rows = samples_of(page_of(made, rates=rates)).get(name)
        return None if rows is None else rows[0].value

    assert rate(0, 0) is None
    assert rate(9, 9_000) is None
    assert rate(10, 10_000) == 1_000
    assert rate(15, 25_000) == 25_000 / 15
    assert rate(20, 40_000) == 3_000  # since second 10
    assert rate(100, 0, see=False) is None  # the host slept: what was before says nothing of now


def test_no_rate_is_shown_of_a_counter_that_is_not_read() -> None:
    rates = RateWindow()
    rates.see(host(view()))
    made = later(host(view()), 12)
    blind = {name: value for name, value in made.devices[0].reading.values.items() if name != _Q.PCIE_RECEIVE_BYTES}
    page = samples_of(page_of(replace(made, devices=(reading(made.devices[0], values=blind),)), rates=rates))
    assert page["DCGM_FI_PROF_PCIE_TX_BYTES"][0].value == 0
    assert "DCGM_FI_PROF_PCIE_RX_BYTES" not in page
    assert page["DCGM_FI_PROF_PCIE_RX_BYTES_TOTAL"][0].value > 0


@settings(max_examples=25)
@given(snapshots(), st.sampled_from(Generation))
def test_no_host_gives_a_series_twice_or_a_page_that_cannot_be_read(made: Snapshot, generation: Generation) -> None:
    page = page_of(made, generation)
    samples = [sample for rows in samples_of(page).values() for sample in rows]
    assert len(samples) == sum(bool(line) and not line.startswith("#") for line in page.split("\n"))
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples]
    assert len(series) == len(set(series))


@pytest.mark.parametrize("generation", Generation)
def test_a_page_reads_back_as_it_was_written(generation: Generation) -> None:
    odd = reading(view(), identity=replace(view().reading.identity, name='A "quoted"\\name\nof a board'))
    page = page_of(host(odd, instances(view(1), 2)), generation)
    samples = [sample for rows in samples_of(page).values() for sample in rows]
    assert len(samples) == sum(not line.startswith("#") for line in page.splitlines())
    assert {sample.labels["modelName"] for sample in samples if sample.labels["gpu"] == "0"} == {
        'A "quoted"\\name\nof a board'
    }
    series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in samples]
    assert len(series) == len(set(series))


@pytest.mark.parametrize("generation", Generation)
def test_promtool_reads_the_page_and_minds_only_names_that_are_not_ours_to_choose(generation: Generation) -> None:
    promtool = need("promtool", "prometheus")
    result = subprocess.run(
        [promtool, "check", "metrics"], input=full_page(generation).encode(), capture_output=True, check=False
    )
    assert result.returncode == 3  # 1: it cannot be read
    said = {line.partition(" ")[2] for line in (result.stdout + result.stderr).decode().splitlines()}
    assert said <= {
        'counter metrics should have "_total" suffix',
        "label names should be written in 'snake_case' not 'camelCase'",
        "metric name should not include type 'counter'",
    }


def site_with(made: Snapshot | None, dcgm: DcgmPage | None, *, age_ns: int = 0) -> Site:
    pages = PageCache(Renderer())
    if made is not None:
        pages.publish(made)
    now = Instant(NOW.mono_ns + age_ns, NOW.wall_ns + age_ns)
    return Site(pages, now=lambda: now, version="0.1.0", dcgm=dcgm)


def get(path: str, **headers: str) -> Request:
    return Request("GET", path, "", {name.replace("_", "-"): text for name, text in headers.items()})


def test_the_page_is_served_only_where_it_is_wanted() -> None:
    off = site_with(host(view()), None)
    assert off(get("/dcgm/metrics")).status == 404
    assert b"dcgm" not in off(get("/x")).body
    site = site_with(host(view()), DcgmPage(Generation.LEGACY, HOST))
    answer = site(get("/dcgm/metrics", accept="application/openmetrics-text"))
    assert (answer.status, answer.content_type) == (200, Format.TEXT.value)
    assert answer.body.decode() == page_of(host(view()))
    assert b"/dcgm/metrics" in site(get("/x")).body
    assert b'href="/dcgm/metrics"' in site(get("/")).body
    assert b"dcgm" not in off(get("/")).body
    assert b"DCGM_" not in site(get("/metrics")).body
    assert site_with(None, DcgmPage(Generation.LEGACY, HOST))(get("/dcgm/metrics")).status == 503


def test_values_that_expired_are_gone_from_it() -> None:
    site = site_with(host(view()), DcgmPage(Generation.LEGACY, HOST), age_ns=11 * NS_PER_SECOND)
    assert site(get("/dcgm/metrics")).body == b""


def test_it_is_rendered_when_asked_for_and_once_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[Snapshot] = []
    plain = DcgmRenderer.render

    def counted(self: DcgmRenderer, made: Snapshot, page_format: Format = Format.TEXT) -> bytes:
        rendered.append(made)
        return plain(self, made, page_format)

    monkeypatch.setattr(DcgmRenderer, "render", counted)
    pages, dcgm = PageCache(Renderer()), DcgmPage(Generation.LEGACY, HOST)
    site = Site(pages, now=lambda: NOW, version="0.1.0", dcgm=dcgm)
    publish = dcgm.beside(pages.publish)
    first, second = host(view()), host(view())
    publish(first)
    assert site(get("/metrics")).status == 200
    assert not rendered
    plainly = site(get("/dcgm/metrics")).body
    packed = site(get("/dcgm/metrics", accept_encoding="gzip"))
    assert dict(packed.headers)["Content-Encoding"] == "gzip"
    assert len(packed.body) < len(plainly) / 4
    assert rendered == [first]
    publish(second)
    assert rendered == [first]
    assert site(get("/dcgm/metrics")).body == plainly
    assert [made is second for made in rendered] == [False, True]


def test_nothing_of_it_is_imported_where_it_is_off() -> None:
    code = (
        "import sys, wattledger.agent.cli, wattledger.agent.commands.run\n"
        "from wattledger.agent.wiring import Config, dcgm_page\n"
        "assert dcgm_page(Config(), {}) is None\n"
        "print(sorted(name for name in sys.modules if 'exporter.dcgm' in name))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(ROOT / ".importroot")},
    )
    assert result.stdout.strip() == "[]"
