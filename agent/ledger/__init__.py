"""The ledger: accounts and hourly history that outlive the process. What stands here is all that others may use."""

from .base import (
    HistoryRow,
    Ledger,
    LedgerDamaged,
    LedgerError,
    LedgerLocked,
    LedgerTooNew,
    ServiceHistoryRow,
    Usage,
    UsageCommit,
    WorkloadHistoryRow,
)
from .memory import MemoryLedger
from .open import open_ledger
from .peek import Peek, peek
from .place import LEDGER_NAME
from .sqlite import SqliteLedger

__all__ = [
    "LEDGER_NAME",
    "HistoryRow",
    "Ledger",
    "LedgerDamaged",
    "LedgerError",
    "LedgerLocked",
    "LedgerTooNew",
    "MemoryLedger",
    "Peek",
    "ServiceHistoryRow",
    "SqliteLedger",
    "Usage",
    "UsageCommit",
    "WorkloadHistoryRow",
    "open_ledger",
    "peek",
]
