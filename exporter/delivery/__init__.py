"""Alerts on their way to Alertmanagers, webhooks and the log: what others import; the parts stay private."""

from .alert_log import AlertLog
from .delivery import Delivery, check_receivers, told_apart
from .model import Clock, Notice, Receiver, ReceiverError, ReceiverKind, ReceiverStats

__all__ = [
    "AlertLog",
    "Clock",
    "Delivery",
    "Notice",
    "Receiver",
    "ReceiverError",
    "ReceiverKind",
    "ReceiverStats",
    "check_receivers",
    "told_apart",
]
