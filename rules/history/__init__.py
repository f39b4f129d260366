"""The short past that rules look back over, kept in memory. What stands here is all that others may use."""

from .history import History, HistoryStats
from .interests import Interests, Reach, interests_of

__all__ = ["History", "HistoryStats", "Interests", "Reach", "interests_of"]
