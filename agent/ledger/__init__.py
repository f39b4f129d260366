"""The ledger: accounts and hourly history that outlive the process. What stands here is all that others may use."""

from .base import (
    History,
    HistoryRow,
    HourClosing,
    Ledger,
    LedgerDamaged,
    LedgerError,
    LedgerLocked,
    LedgerTooNew,
    OpenSlot,
    PriceCommit,
    Prices,
    ServiceHistoryRow,
    Slots,
    Usage,
    UsageCommit,
    WorkloadHistoryRow,
)
from .memory import MemoryLedger
from .open import open_ledger
from .peek import Peek, peek
from .place import LEDGER_NAME
from .read_only import open_read_only
from .sqlite import SqliteLedger

__all__ = [
    "LEDGER_NAME",
    "History",
    "HistoryRow",
    "HourClosing",
    "Ledger",
    "LedgerDamaged",
    "LedgerError",
    "LedgerLocked",
    "LedgerTooNew",
    "MemoryLedger",
    "OpenSlot",
    "Peek",
    "PriceCommit",
    "Prices",
    "ServiceHistoryRow",
    "Slots",
    "SqliteLedger",
    "Usage",
    "UsageCommit",
    "WorkloadHistoryRow",
    "open_ledger",
    "open_read_only",
    "peek",
]
