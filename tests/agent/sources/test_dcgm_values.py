"""Pages of dcgm-exporter, real and made: both generations of names, MIG, blank values, and pages of others."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.dcgm_exporter import FLOAT_NOT_SUPPORTED, INT32_BLANK, INT64_NOT_SUPPORTED, DcgmExporter, FakeBoard
from wattledger.agent.sources.dcgm_names import ROWS, WANTED
from wattledger.agent.sources.dcgm_page import ExporterPage, NoGpusError, PagedBoard, read_page
from wattledger.agent.tokens.page import PageError
from wattledger.rules.quantity import Gap, Quantity

PAGES = Path(__file__).resolve().parents[2] / "data/dcgm/pages"
MIB = 1 << 20


def real(name: str) -> ExporterPage:
    return read_page((PAGES / name).read_bytes())


def made(*boards: FakeBoard, current: bool = False) -> ExporterPage:
    with DcgmExporter(*boards, current=current) as exporter:
        return read_page(exporter.page().encode())


def only(page: ExporterPage) -> PagedBoard:
    (board,) = page.boards
    return board


def test_a_real_page_has_its_values_in_our_units() -> None:
    page = real("l4.txt")
    board = only(page)
    assert (page.driver_version, page.nvml_version) == ("580.105.08", "")
    assert (board.identity.index, board.identity.name) == (0, "NVIDIA L4")
    assert board.identity.uuid == "GPU-c2f76b33-7953-256e-8f33-1343419b1a1c"
    assert board.identity.pci_bus_id == "00000000:31:00.0"
    assert board.values == {
        Quantity.ENERGY_MJ: 4_742_776,
        Quantity.POWER_INSTANT_MW: 16_365,
        Quantity.UTILIZATION_GPU_RATIO: 0,
        Quantity.UTILIZATION_MEMORY_RATIO: 0,
        Quantity.ACTIVITY_GRAPHICS_RATIO: 0,
        Quantity.ACTIVITY_TENSOR_RATIO: 0,
        Quantity.ACTIVITY_DRAM_RATIO: 0,
        Quantity.CLOCK_SM_HZ: 210_000_000,
        Quantity.CLOCK_MEMORY_HZ: 405_000_000,
        Quantity.TEMPERATURE_GPU_CELSIUS: 31,
        Quantity.MEMORY_USED_BYTES: 0,
        Quantity.MEMORY_FREE_BYTES: 22_563 * MIB,
        Quantity.MEMORY_RESERVED_BYTES: 470 * MIB,
        Quantity.PCIE_REPLAYS: 0,
    }
    # An L4 has no sensor in its memory, for which DCGM writes 0.
    assert board.gaps[Quantity.TEMPERATURE_MEMORY_CELSIUS] is Gap.UNSUPPORTED
    assert board.gaps[Quantity.PROCESSES] is board.gaps[Quantity.CLOCK_MAX_SM_HZ] is Gap.UNSUPPORTED
    assert not board.values.keys() & board.gaps.keys()


def test_blank_values_written_out_are_no_values() -> None:
    board = only(real("readme.txt"))
    assert board.values == {Quantity.CLOCK_SM_HZ: 139_000_000, Quantity.CLOCK_MEMORY_HZ: 405_000_000}
    assert board.gaps[Quantity.TEMPERATURE_MEMORY_CELSIUS] is Gap.UNSUPPORTED


def test_the_energy_of_a_board_that_is_cut_by_mig_counts_once() -> None:
    cut, whole = real("a800-mig.txt").boards
    assert cut.values[Quantity.ENERGY_MJ] == 257_858_316
    assert cut.values[Quantity.POWER_INSTANT_MW] == 78_174
    assert cut.values[Quantity.MIG_MODE] == 1
    assert cut.gaps[Quantity.UTILIZATION_GPU_RATIO] is Gap.UNSUPPORTED
    assert [(one.gpu_instance, one.profile, one.uuid) for one in cut.instances] == [
        (3, "2g.20gb", ""),
        (5, "2g.20gb", ""),
        (6, "2g.20gb", ""),
    ]
    assert whole.values[Quantity.ENERGY_MJ] == 187_554_325
    assert whole.values[Quantity.UTILIZATION_GPU_RATIO] == 0
    assert whole.instances == ()


def test_what_an_instance_has_of_its_own_is_not_taken_for_its_boards() -> None:
    first, second = real("a30-mig.txt").boards
    assert [one.values for one in first.instances] == [{Quantity.MEMORY_FREE_BYTES: 6012 * MIB}] * 4
    assert Quantity.MEMORY_FREE_BYTES not in first.values
    assert (first.values[Quantity.POWER_INSTANT_MW], second.values[Quantity.POWER_INSTANT_MW]) == (52_636, 56_121)


def test_rows_of_pods_and_newer_labels_are_read() -> None:
    ada, a30 = real("a30-pods.txt").boards
    assert ada.identity.pci_bus_id == "00000000:B1:00.0"
    assert ada.values[Quantity.UTILIZATION_DECODER_RATIO] == 0.46
    assert ada.values[Quantity.MEMORY_FREE_BYTES] == 11_275 * MIB
    (instance,) = a30.instances
    assert (instance.gpu_instance, instance.values) == (3, {Quantity.MEMORY_FREE_BYTES: 2207 * MIB})


@pytest.mark.parametrize("rows", [(0, 97, 97), (97, 0, 97), (0, 97), (97, 97)], ids=str)
def test_a_pod_that_rests_does_not_hide_the_work_of_another_on_the_board(rows: tuple[int, ...]) -> None:
    labels = 'gpu="0",UUID="GPU-a",modelName="L40S"'
    used, active = (tuple(share * times for share in rows) for times in (40, 0.01))
    lines = [
        f'{name}{{{labels},pod="p{place}",vgpu="{place}"}} {value}'
        for name, values in (
            ("DCGM_FI_DEV_GPU_UTIL", rows),
            ("DCGM_FI_DEV_FB_USED", used),
            ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", active),
        )
        for place, value in enumerate(values)
    ]
    values = only(read_page("\n".join((*lines, "")).encode())).values
    assert values[Quantity.UTILIZATION_GPU_RATIO] == 0.97
    assert values[Quantity.MEMORY_USED_BYTES] == 3_880 * MIB
    assert values[Quantity.ACTIVITY_GRAPHICS_RATIO] == 0.97


@pytest.mark.parametrize("mig", [False, True])
def test_both_generations_say_the_same(mig: bool) -> None:
    boards = [
        FakeBoard(0, utilization=37, max_sm_clock_mhz=1980),
        FakeBoard(1, xid=79, instances={3: "3g.40gb", 5: "1g.10gb"} if mig else {}, activity={3: 0.5}),
    ]
    with DcgmExporter(*boards, now_ns=lambda: 7200_000 * 10**9) as exporter:
        for board in boards:
            board.counter_mj = board.counter_mj // 1000 * 1000  # the newer names are in whole joules
        legacy = read_page(exporter.page().encode())
        exporter.current = True
        assert read_page(exporter.page().encode()) == legacy
    assert legacy.boards[0].values[Quantity.UTILIZATION_GPU_RATIO] == 0.37
    assert [board.last_xid for board in legacy.boards] == [0, 79]


def test_utilisation_of_an_instance_is_not_believed_and_its_activity_is() -> None:
    board = only(made(FakeBoard(0, utilization=90, instances={2: "4g.40gb", 1: "1g.10gb"}, activity={2: 0.75})))
    assert board.gaps[Quantity.UTILIZATION_GPU_RATIO] is Gap.UNSUPPORTED
    assert [(one.gpu_instance, one.values[Quantity.ACTIVITY_GRAPHICS_RATIO]) for one in board.instances] == [
        (1, 0),
        (2, 0.75),
    ]
    assert all(Quantity.UTILIZATION_GPU_RATIO not in one.values for one in board.instances)


@pytest.mark.parametrize(
    ("name", "written", "quantity", "gap"),
    [
        ("DCGM_FI_DEV_GPU_TEMP", INT64_NOT_SUPPORTED, Quantity.TEMPERATURE_GPU_CELSIUS, Gap.UNSUPPORTED),
        ("DCGM_FI_DEV_POWER_USAGE", FLOAT_NOT_SUPPORTED, Quantity.POWER_INSTANT_MW, Gap.UNSUPPORTED),
        ("DCGM_FI_DEV_POWER_USAGE", "140737488355331.000000", Quantity.POWER_INSTANT_MW, Gap.NO_PERMISSION),
        ("DCGM_FI_DEV_GPU_UTIL", INT32_BLANK, Quantity.UTILIZATION_GPU_RATIO, Gap.UNSUPPORTED),
        ("DCGM_FI_DEV_GPU_UTIL", "4294967295", Quantity.UTILIZATION_GPU_RATIO, Gap.FAILED),  # NVIDIA/DCGM#199
        ("DCGM_FI_DEV_GPU_UTIL", "101", Quantity.UTILIZATION_GPU_RATIO, Gap.FAILED),
        ("DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", INT64_NOT_SUPPORTED, Quantity.ENERGY_MJ, Gap.UNSUPPORTED),
        ("DCGM_FI_DEV_FB_USED", INT64_NOT_SUPPORTED, Quantity.MEMORY_USED_BYTES, Gap.UNSUPPORTED),
        ("DCGM_FI_DEV_POWER_USAGE", "NaN", Quantity.POWER_INSTANT_MW, Gap.UNSUPPORTED),
        ("DCGM_FI_DEV_POWER_USAGE", "0.000000", Quantity.POWER_INSTANT_MW, Gap.UNSUPPORTED),
    ],
)
def test_a_blank_or_impossible_value_is_absent_with_its_reason(
    name: str, written: str, quantity: Quantity, gap: Gap
) -> None:
    board = only(made(FakeBoard(0, blanks={name: written})))
    assert quantity not in board.values
    assert board.gaps[quantity] is gap


def test_a_counter_as_high_as_a_blank_of_32_bits_is_a_counter() -> None:
    name = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
    assert only(made(FakeBoard(0, blanks={name: INT32_BLANK}))).values[Quantity.ENERGY_MJ] == int(INT32_BLANK)


def test_every_blank_of_dcgm_is_out_of_every_range_it_can_stand_in() -> None:
    for row in ROWS:
        for blank in (float(0x7FFFFFFFFFFFFFF0), float(0x7FFFFFFFFFFFFFF2)):
            assert isinstance(row.read(blank), Gap), row
        if "BYTES" not in row.name:  # those are whole numbers of 64 bits
            assert isinstance(row.read(float(1 << 47)), Gap), row
        if not any(word in row.name for word in ("ENERGY", "BYTES", "HERTZ")):
            assert isinstance(row.read(float(0x7FFFFFF0)), Gap), row


def test_no_name_stands_for_two_values_and_all_are_wanted() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(WANTED.match(row.name) for row in ROWS)
    assert WANTED.match("DCGM_FI_DEV_GPU_UTIL_RATIO_X") is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not the page of a dcgm-exporter"),
        (b"<html><body>It works!</body></html>\n", "not the page of a dcgm-exporter"),
        (b"node_load1 0.1\n", "not the page of a dcgm-exporter"),
        (b"# TYPE DCGM_FI_DEV_GPU_UTIL gauge\n", "the exporter finds no GPU"),
        (b'DCGM_FI_DEV_FOO{gpu="0",UUID="GPU-1"} 1\n', "none of the values that are read here"),
        (b'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 1\n', "no label UUID"),
    ],
)
def test_a_page_without_boards_says_what_it_is(body: bytes, said: str) -> None:
    with pytest.raises(NoGpusError, match=said):
        read_page(body)


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    prefix = b'DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-1"} '
    for page in (body, prefix + body, prefix.replace(b"0", body)):
        try:
            read_page(page)
        except (NoGpusError, PageError):
            continue
