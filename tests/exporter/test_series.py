"""The series of a snapshot are those that a Prometheus gets from its page, and keep their labels objects."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from tests.exporter.pages import read
from tests.exporter.snapshots import account, instances, lost, reading, snapshot, view
from tests.exporter.strategies import snapshots
from wattledger.exporter.catalog import FAMILIES, Row
from wattledger.exporter.catalog.rows import host, host_value
from wattledger.exporter.series import SeriesReader
from wattledger.exporter.snapshot import Snapshot
from wattledger.rules.account import XidCount
from wattledger.rules.promql.model import Labels

POWER, STATE = "wattledger_gpu_power_watts", "wattledger_gpu_state_energy_joules_total"


def scraped(made: Snapshot) -> dict[Labels, float]:
    """Give what a Prometheus keeps of the page of *made*: an empty label is none; without what rules write."""
    return {
        tuple(sorted([("__name__", name), *((key, text) for key, text in labels if text)])): value
        for (name, labels), value in read(made).items()
        if name != "ALERTS"
    }


def as_samples(made: Snapshot, names: frozenset[str] | None = None) -> dict[Labels, float]:
    found = SeriesReader().read(made, names)
    assert len(dict(found)) == len(found)
    return dict(found)


@given(snapshots())
def test_the_series_are_those_of_the_page(made: Snapshot) -> None:
    assert as_samples(made) == scraped(made)


def test_the_series_of_a_full_host_are_those_of_its_page() -> None:
    made = snapshot(instances(view(), 7), lost(view(1)), view(2, present=False))
    assert as_samples(made) == scraped(made)
    assert len(as_samples(made)) > 200


def test_only_families_that_are_named_are_given() -> None:
    made = snapshot(view())
    named = as_samples(made, frozenset({POWER, "no_such_family"}))
    assert named == {labels: value for labels, value in scraped(made).items() if ("__name__", POWER) in labels}
    assert len(named) == 2
    assert as_samples(made, frozenset()) == {}


def test_families_that_are_not_named_are_not_computed() -> None:
    def broken(_snapshot: Snapshot) -> list[Row]:
        raise AssertionError("nobody asked")

    reader = SeriesReader((host_value("wanted", "", lambda _: 3), host("unwanted", "", broken)))
    assert reader.read(snapshot(), frozenset({"wanted"})) == [((("__name__", "wanted"),), 3.0)]
    with pytest.raises(AssertionError, match="nobody asked"):
        reader.read(snapshot())


def test_a_series_keeps_its_labels_object_from_page_to_page() -> None:
    reader = SeriesReader()
    first = reader.read(snapshot(instances(view(), 2), view(1)))
    again = reader.read(snapshot(instances(view(), 2), view(1), view(2)))
    by_labels = {labels: labels for labels, _ in again}
    assert all(by_labels[labels] is labels for labels, _ in first)


def test_a_board_that_moved_has_other_labels() -> None:
    reader, made = SeriesReader(), view()
    reader.read(snapshot(made))
    moved = reading(made, identity=replace(made.reading.identity, index=5))
    assert all(dict(labels).get("gpu", "5") == "5" for labels, _ in reader.read(snapshot(moved)))


def test_labels_of_devices_that_went_are_dropped() -> None:
    reader = SeriesReader()
    small = snapshot(view())
    reader.read(small)
    floor = reader.labels_kept
    reader.read(snapshot(*(instances(view(number), 7) for number in range(20))))
    assert reader.labels_kept > 20 * floor / 2
    reader.read(small)
    assert reader.labels_kept < floor + 80
    reader.read(small, frozenset({POWER}))
    assert reader.labels_kept == 2


def test_labels_stay_bounded_when_values_of_labels_keep_changing() -> None:
    reader = SeriesReader()
    kept = []
    for number in range(600):
        books = replace(account("GPU-0"), xids={number: XidCount(1, 0)})
        reader.read(snapshot(view(account=books, owner=f"user{number}", state_detail=f"detail {number}")))
        kept.append(reader.labels_kept)
    assert max(kept) < kept[0] + 5 * 70


def test_texts_that_are_the_same_are_kept_once() -> None:
    found = SeriesReader().read(snapshot(view(), view(1)), frozenset({STATE, POWER}))
    pairs = [pair for labels, _ in found for pair in labels]
    assert len({id(pair) for pair in pairs}) == len(set(pairs)) < len(pairs) / 3


def test_labels_are_plain_text_in_order_of_their_names() -> None:
    for labels, value in SeriesReader().read(snapshot(instances(view(), 1))):
        assert list(labels) == sorted(labels)
        assert all(type(text) is str for pair in labels for text in pair)
        assert type(value) is float


def test_every_family_but_what_rules_write_can_be_asked_for_by_its_name() -> None:
    made = snapshot(instances(view(), 2), lost(view(1)))
    page = as_samples(made)
    for family in FAMILIES:
        if family.name != "ALERTS":
            wanted = {labels: value for labels, value in page.items() if ("__name__", family.name) in labels}
            assert as_samples(made, frozenset({family.name})) == wanted
