"""Families that tell which devices there are, whether they answer, who holds them, and which values are missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wattledger.rules.quantity import Gap
from wattledger.rules.state import State

from .family import Row, device_label_values, is_live
from .rows import device, host
from .units import seconds

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import DeviceView, Snapshot

_STATES = tuple(((state.value,), state) for state in State)


def _info(snapshot: Snapshot) -> Iterator[Row]:
    driver = snapshot.host.driver_version
    for view in snapshot.devices:
        board = view.reading.identity
        yield (
            (
                *device_label_values(view),
                board.name or view.account.name,
                board.pci_bus_id,
                driver,
                board.architecture,
                board.serial,
                board.vbios_version,
                board.compute_capability,
                board.energy_scope,
            ),
            1,
        )


def _owner(view: DeviceView) -> Iterator[Row]:
    if view.owner:
        yield (view.owner,), 1


def _state(view: DeviceView) -> Iterator[Row]:
    if view.state is not None:
        for extra, state in _STATES:
            yield extra, int(state is view.state)


def _state_since(view: DeviceView) -> Iterator[Row]:
    if view.state is not None and view.state_since_wall_ns > 0:
        yield (), seconds(view.state_since_wall_ns)


def _state_detail(view: DeviceView) -> Iterator[Row]:
    if view.state is not None and view.state_detail:
        yield (view.state, view.state_detail), 1


def _absent(view: DeviceView) -> Iterator[Row]:
    gaps = view.reading.gaps
    for quantity, gap in gaps.items():
        yield (quantity, gap), 1
    if not gaps and not is_live(view):
        yield ("device", Gap.LOST), 1


FAMILIES = (
    host(
        "wattledger_gpu_info",
        "Facts of the board, always 1, for joins by uuid. Empty: not offered by the board or the driver. "
        "energy_scope tells what power and energy cover: gpu (the board) or module (CPU and GPU together).",
        _info,
        labels=(
            "gpu",
            "uuid",
            "name",
            "pci_bus_id",
            "driver_version",
            "architecture",
            "serial",
            "vbios_version",
            "compute_capability",
            "energy_scope",
        ),
    ),
    device(
        "wattledger_gpu_up",
        "Whether the device is listed and answers (1) or not (0). At 0 its measurements go and its counters stay.",
        lambda view: (((), int(is_live(view))),),
        lasting=True,
    ),
    device(
        "wattledger_gpu_present",
        "Whether the source still lists the device (1), or only the ledger knows it (0): moved or fallen off.",
        lambda view: (((), int(view.present)),),
        lasting=True,
    ),
    device(
        "wattledger_gpu_owner_info",
        "Owner that the configuration gives the device, always 1.",
        _owner,
        labels=("owner",),
        lasting=True,
    ),
    device(
        "wattledger_gpu_state",
        "What the device is doing now: 1 for its state, 0 for the others. Absent until the first interval is judged.",
        _state,
        labels=("state",),
    ),
    device(
        "wattledger_gpu_state_since_timestamp_seconds",
        "Unix time since when the device has been in its present state.",
        _state_since,
    ),
    device(
        "wattledger_gpu_state_detail_info",
        "Why the state is what it is, where there is more to say: for unknown, the signal that is missing. Always 1.",
        _state_detail,
        labels=("state", "detail"),
    ),
    device(
        "wattledger_gpu_absent_info",
        "A value that could not be read and why, always 1. A value is never replaced by 0 or by an older one. "
        'value="device" where nothing at all is known of the device.',
        _absent,
        labels=("value", "reason"),
        lasting=True,
    ),
)
