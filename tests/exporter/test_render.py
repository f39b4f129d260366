"""The renderer: escaping, exact numbers, and a cache of label texts that stays bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exporter.pages import parsed, read, samples_of, value
from tests.exporter.snapshots import account, instances, lost, reading, snapshot, view
from wattledger.exporter.render import Format, Renderer
from wattledger.rules.account import StateTotal, XidCount
from wattledger.rules.quantity import Quantity
from wattledger.rules.state import Method, State


@pytest.mark.parametrize("page_format", Format)
def test_hostile_label_text_is_escaped_and_reads_back(page_format: Format) -> None:
    hostile = 'a"b\\n\\\nc}{#,=\r\x00 é😀'
    page = Renderer().render(snapshot(view(owner=hostile)), page_format)
    assert b'owner="a\\"b\\\\n\\\\\\nc}{#,=\r\x00 \xc3\xa9\xf0\x9f\x98\x80"' in page
    owners = [
        labels for (name, labels) in samples_of(parsed(page, page_format)) if name == "wattledger_gpu_owner_info"
    ]
    assert dict(owners[0])["owner"] == hostile


def test_a_surrogate_that_utf8_cannot_hold_becomes_the_replacement_character() -> None:
    page = Renderer().render(snapshot(view(owner="a\udcffb")), Format.TEXT).decode()
    assert 'owner="a\ufffdb"' in page


@given(st.integers(0, 2**63))
def test_joules_are_the_float_nearest_to_the_whole_millijoules(energy_mj: int) -> None:
    books = replace(
        account("GPU-0"), states={State.ACTIVE: StateTotal(energy_mj, 0)}, methods={Method.COUNTER: energy_mj}
    )
    exact = float(f"{energy_mj // 1000}.{energy_mj % 1000:03d}")
    assert value(read(snapshot(view(account=books))), "wattledger_gpu_energy_joules_total") == exact


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_reads_back_bit_for_bit(number: float) -> None:
    page = read(snapshot(reading(view(), values={Quantity.TEMPERATURE_GPU_CELSIUS: number})))
    assert value(page, "wattledger_gpu_temperature_celsius") == number


def test_each_family_stands_once_with_help_and_type_before_its_samples() -> None:
    page = Renderer().render(snapshot(instances(view(), 2), lost(view(1)), view(2)), Format.TEXT).decode()
    described, current = [], ""
    for line in page.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            described.append(current)
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == current
        else:
            assert line.startswith((current + "{", current + " "))
    assert len(set(described)) == len(described) > 60


def test_openmetrics_ends_in_eof_and_text_does_not() -> None:
    made = snapshot(view())
    assert Renderer().render(made, Format.OPENMETRICS).endswith(b"\n# EOF\n")
    assert b"# EOF" not in Renderer().render(made, Format.TEXT)


def test_a_family_without_a_row_is_not_mentioned() -> None:
    assert b"wattledger_mig_" not in Renderer().render(snapshot(view()), Format.TEXT)


def test_a_renderer_that_has_seen_other_pages_gives_the_same_bytes_as_a_new_one() -> None:
    used = Renderer()
    for made in (snapshot(view(), view(1)), snapshot(view(1, owner="bob")), snapshot()):
        used.render(made, Format.TEXT)
    last = snapshot(replace(view(1, owner="carol")), instances(view(2), 1))
    assert used.render(last, Format.TEXT) == Renderer().render(last, Format.TEXT)


def test_the_same_uuid_at_another_index_gets_its_new_index() -> None:
    renderer, made = Renderer(), view()
    renderer.render(snapshot(made), Format.TEXT)
    moved = reading(made, identity=replace(made.reading.identity, index=5))
    assert b'wattledger_gpu_up{gpu="5",uuid="GPU-00000000-' in renderer.render(snapshot(moved), Format.TEXT)


def test_label_texts_of_devices_that_went_are_dropped() -> None:
    renderer = Renderer()
    small = snapshot(view())
    renderer.render(small, Format.TEXT)
    floor = renderer.texts_kept
    renderer.render(snapshot(*(instances(view(number), 7) for number in range(40))), Format.TEXT)
    assert renderer.texts_kept > floor + 40 * 8
    renderer.render(small, Format.TEXT)
    assert renderer.texts_kept < floor + 80


def test_label_texts_stay_bounded_when_values_of_labels_keep_changing() -> None:
    renderer = Renderer()
    kept = []
    for number in range(600):
        books = replace(account("GPU-0"), xids={number: XidCount(1, 0)})
        made = view(account=books, owner=f"user{number}", state_detail=f"detail {number}")
        renderer.render(snapshot(made), Format.TEXT)
        kept.append(renderer.texts_kept)
    assert max(kept) < kept[0] + 5 * 70
