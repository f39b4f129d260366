"""Whether a device works where not all of its activity is told, as through a dcgm-exporter with its default list."""

import pytest

from wattledger.rules.activity import activity
from wattledger.rules.instant import Instant
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import DeviceIdentity, MigInstance, Reading, Values

GRAPHICS, SM, TENSOR, DRAM, GPU = (
    Quantity.ACTIVITY_GRAPHICS_RATIO,
    Quantity.ACTIVITY_SM_RATIO,
    Quantity.ACTIVITY_TENSOR_RATIO,
    Quantity.ACTIVITY_DRAM_RATIO,
    Quantity.UTILIZATION_GPU_RATIO,
)


def reading(values: Values, *instances: Values) -> Reading:
    return Reading(
        DeviceIdentity("GPU-1", 0, "NVIDIA A30"),
        Instant(0, 0),
        values=values,
        instances=tuple(MigInstance("", number, -1, "1g.6gb", values=one) for number, one in enumerate(instances)),
    )


@pytest.mark.parametrize(
    ("seen", "works", "spinning"),
    [
        (reading({GPU: 1.0, TENSOR: 0.0, DRAM: 0.01}), True, False),  # it may well compute: its SMs are not told
        (reading({GPU: 1.0, SM: 0.0, TENSOR: 0.0, DRAM: 0.01}), True, True),
        (reading({GPU: 0.0, TENSOR: 0.0, DRAM: 0.0}), False, False),
        (reading({TENSOR: 0.5}), True, False),
        (reading({TENSOR: 0.0, DRAM: 0.0}), None, False),
        (reading({}, {GRAPHICS: 0.0, TENSOR: 0.0}, {GRAPHICS: 0.9, TENSOR: 0.0}), True, False),
        (reading({}, {GRAPHICS: 0.0, TENSOR: 0.0}, {GRAPHICS: 0.0, TENSOR: 0.0}), False, False),
        (reading({}, {GRAPHICS: 0.9, SM: 0.0}), False, False),  # where SMs are told they decide, as before
        (reading({}, {SM: 0.5}), True, False),
    ],
)
def test_rest_is_concluded_only_from_what_would_show_work(seen: Reading, works: bool | None, spinning: bool) -> None:
    found = activity(seen, None, {}, threshold=0.05)
    assert (found.works, found.spinning) == (works, spinning)
