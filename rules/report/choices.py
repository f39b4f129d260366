"""What a reader may choose of a report, by the words of the command line."""

from enum import StrEnum


class GroupBy(StrEnum):
    """What the rows of the table are."""

    OWNER = "owner"
    GPU = "gpu"
    MODEL = "model"
    STATE = "state"
    HOUR = "hour"
    DAY = "day"
    HOST = "host"
    NAMESPACE = "namespace"
    USER = "user"


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class Origin(StrEnum):
    """Where the rows of a report were read."""

    LEDGER = "ledger"
    PROMETHEUS = "prometheus"
