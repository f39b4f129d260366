"""Families of the links and of errors: PCIe, NVLink, ECC, remapped rows, retired pages, Xids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wattledger.rules.quantity import Quantity

from .family import Row
from .rows import carried, device, measured
from .units import seconds

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import DeviceView


def _xids(view: DeviceView) -> Iterator[Row]:
    for xid, seen in view.account.xids.items():
        yield (str(xid),), seen.count


def _xid_times(view: DeviceView) -> Iterator[Row]:
    for xid, seen in view.account.xids.items():
        yield (str(xid),), seconds(seen.last_wall_ns)


FAMILIES = (
    carried(
        "wattledger_gpu_pcie_bytes_total",
        "Bytes over PCIe, seen from the device.",
        {"transmit": Quantity.PCIE_TRANSMIT_BYTES, "receive": Quantity.PCIE_RECEIVE_BYTES},
        label="direction",
    ),
    carried("wattledger_gpu_pcie_replays_total", "PCIe packets that had to be sent again.", Quantity.PCIE_REPLAYS),
    measured("wattledger_gpu_pcie_link_generation", "Present PCIe generation.", Quantity.PCIE_LINK_GENERATION),
    measured("wattledger_gpu_pcie_link_width", "Present number of PCIe lanes.", Quantity.PCIE_LINK_WIDTH),
    carried(
        "wattledger_gpu_nvlink_bytes_total",
        "Bytes over all NVLinks, seen from the device.",
        {"transmit": Quantity.NVLINK_TRANSMIT_BYTES, "receive": Quantity.NVLINK_RECEIVE_BYTES},
        label="direction",
    ),
    measured("wattledger_gpu_nvlink_links", "NVLinks that the board has, up or not.", Quantity.NVLINK_LINKS),
    measured("wattledger_gpu_nvlink_links_active", "NVLinks that are up.", Quantity.NVLINK_LINKS_ACTIVE),
    carried(
        "wattledger_gpu_ecc_errors_total",
        "ECC errors by the driver's volatile counters, carried on over driver reloads.",
        {"corrected": Quantity.ECC_CORRECTED_VOLATILE, "uncorrected": Quantity.ECC_UNCORRECTED_VOLATILE},
        label="kind",
    ),
    carried(
        "wattledger_gpu_ecc_lifetime_errors_total",
        "ECC errors over the life of the board, as it stores them; those of the family above are among them.",
        {"corrected": Quantity.ECC_CORRECTED_AGGREGATE, "uncorrected": Quantity.ECC_UNCORRECTED_AGGREGATE},
        label="kind",
    ),
    measured(
        "wattledger_gpu_remapped_rows",
        "Memory rows replaced by spare ones, by the kind of error that led to it.",
        {"correctable": Quantity.REMAPPED_ROWS_CORRECTABLE, "uncorrectable": Quantity.REMAPPED_ROWS_UNCORRECTABLE},
        label="kind",
    ),
    measured(
        "wattledger_gpu_remapped_rows_pending",
        "Whether a row waits for a GPU reset to be replaced (1) or not (0).",
        Quantity.REMAPPED_ROWS_PENDING,
    ),
    measured(
        "wattledger_gpu_remapped_rows_failure",
        "Whether replacing a row has ever failed (1) or not (0).",
        Quantity.REMAPPED_ROWS_FAILURE,
    ),
    measured(
        "wattledger_gpu_retired_pages",
        "Memory pages taken out of use, by the kind of error that led to it.",
        {"single_bit": Quantity.RETIRED_PAGES_SINGLE_BIT, "double_bit": Quantity.RETIRED_PAGES_DOUBLE_BIT},
        label="kind",
    ),
    measured(
        "wattledger_gpu_retired_pages_pending",
        "Whether a page waits for a reboot to be taken out of use (1) or not (0).",
        Quantity.RETIRED_PAGES_PENDING,
    ),
    device(
        "wattledger_gpu_xid_errors_total",
        "Driver error events by NVIDIA's Xid number, since the ledger began.",
        _xids,
        labels=("xid",),
    ),
    device(
        "wattledger_gpu_xid_last_timestamp_seconds",
        "Unix time of the last event of this Xid.",
        _xid_times,
        labels=("xid",),
        lasting=True,
    ),
)
