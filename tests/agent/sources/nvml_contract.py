"""What any sample of the NVML source must satisfy, on the test double and on real boards alike."""

import math

from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import MigInstance, Reading, Sample, SourceKind

RATIOS = frozenset(quantity for quantity in Quantity if quantity.value.endswith("_ratio"))
LIMITS_CELSIUS = (-60, 200)


def check_sample(sample: Sample) -> None:
    """Assert the contract of a sample; the message names device and quantity."""
    assert sample.source is SourceKind.NVML
    assert sample.host.driver_version
    uuids = [reading.identity.uuid for reading in sample.devices]
    indices = [reading.identity.index for reading in sample.devices]
    assert len(set(uuids)) == len(uuids)
    assert indices == sorted(set(indices))
    assert sample.driver_busy_ns >= 0
    assert sample.driver_calls > 0
    for reading in sample.devices:
        check_reading(reading)


def check_reading(reading: Reading) -> None:
    """Assert that each quantity stands in exactly one place and that its value is possible."""
    name = reading.identity.uuid
    everything = set(Quantity)
    assert reading.values.keys() | reading.gaps.keys() == everything, (
        name,
        everything - reading.values.keys() - reading.gaps.keys(),
    )
    assert not reading.values.keys() & reading.gaps.keys(), name
    if not reading.up:
        assert not reading.values, name
        assert reading.processes is None, name
        return
    for quantity, value in reading.values.items():
        check_value(name, quantity, value)
    assert (reading.processes is None) == (Quantity.PROCESSES in reading.gaps), name
    if reading.processes is not None:
        assert len(reading.processes) == reading.values[Quantity.PROCESSES], name
    for instance in reading.instances:
        check_instance(instance)


def check_value(name: str, quantity: Quantity, value: float) -> None:
    """Assert unit and range of one value."""
    assert math.isfinite(value), (name, quantity)
    if quantity in RATIOS:
        assert 0 <= value <= (2.5 if quantity is Quantity.FAN_SPEED_RATIO else 1), (name, quantity, value)
    elif quantity.value.endswith("_celsius"):
        assert LIMITS_CELSIUS[0] <= value <= LIMITS_CELSIUS[1], (name, quantity, value)
    else:
        assert isinstance(value, int), (name, quantity, value)
        assert value >= 0, (name, quantity, value)
    if quantity in (Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW):
        assert 0 < value < 3_000_000, (name, quantity, value)
    if quantity.value.startswith("clock_") and quantity.value.endswith("_hz"):
        assert value == 0 or value >= 1_000_000, (name, quantity, value)


def check_instance(instance: MigInstance) -> None:
    """Assert that an instance has memory and activity and nothing that only boards have."""
    assert not instance.values.keys() & instance.gaps.keys(), instance.uuid
    for quantity in (*instance.values, *instance.gaps):
        assert quantity.value.startswith(("memory_", "activity_")), (instance.uuid, quantity)
    for quantity, value in instance.values.items():
        check_value(instance.uuid, quantity, value)
    assert all(gap in set(Gap) for gap in instance.gaps.values())
