"""The values a template computes with, as Go sees them: kinds, truth, printing; it knows no syntax, no functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from .errors import ExpansionError
from .go_numbers import format_float

Value = object  # str, float, int, bool, None, Mapping, Sequence, QuerySample, Moment or TemplateData
NO_VALUE = "<no value>"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST_MS = -62_135_596_800_000  # year 1
_LATEST_MS = 253_402_300_799_999  # year 9999


class Kind(StrEnum):
    """What Go calls the type of a value."""

    STRING = "string"
    FLOAT = "float64"
    INTEGER = "int"
    BOOLEAN = "bool"
    NIL = "<nil>"
    MAP = "map[string]string"
    VECTOR = "template.queryResult"
    SAMPLE = "*template.sample"
    TIME = "*time.Time"
    DATA = "struct { Labels; ExternalLabels; ExternalURL; Value }"


@dataclass(frozen=True, slots=True)
class QuerySample:
    """One series of the answer to a query in a template."""

    labels: Mapping[str, str]
    value: float


class Arguments(dict[str, Value]):
    """What `args` gives: values by number. A missing one is nothing, where a missing label is the empty text."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in UTC, to the millisecond, printed as Go prints one."""

    wall_ms: int

    def __str__(self) -> str:
        """Give `2006-01-02 15:04:05.999 +0000 UTC`."""
        when = self.calendar()
        fraction = f".{self.wall_ms % 1000:03d}".rstrip("0") if self.wall_ms % 1000 else ""
        return f"{when:%Y-%m-%d %H:%M:%S}".rjust(19, "0") + f"{fraction} +0000 UTC"

    def calendar(self) -> datetime:
        """Give the date and time of day. Raises ExpansionError outside the years 1 to 9999."""
        if not _EARLIEST_MS <= self.wall_ms <= _LATEST_MS:
            raise ExpansionError(f"the time {self.wall_ms / 1000} s is outside the years 1 to 9999")
        return _EPOCH + timedelta(milliseconds=self.wall_ms)


@dataclass(frozen=True, slots=True)
class TemplateData:
    """What the dot is at the start: the alert that a text is expanded for."""

    labels: Mapping[str, str]
    value: float
    external_labels: Mapping[str, str]
    external_url: str = ""

    def field(self, name: str) -> Value:
        """Give the field *name* as it is written after the dot. Raises KeyError."""
        return {
            "Labels": self.labels,
            "ExternalLabels": self.external_labels,
            "ExternalURL": self.external_url,
            "Value": self.value,
        }[name]


def kind_of(value: Value) -> Kind:
    """Give the Go type that *value* stands for."""
    kinds: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
        (bool, Kind.BOOLEAN),
        (str, Kind.STRING),
        (float, Kind.FLOAT),
        (int, Kind.INTEGER),
        (type(None), Kind.NIL),
        (Mapping, Kind.MAP),
        (QuerySample, Kind.SAMPLE),
        (Moment, Kind.TIME),
        (TemplateData, Kind.DATA),
        (Sequence, Kind.VECTOR),
    )
    for types, kind in kinds:
        if isinstance(value, types):
            return kind
    raise AssertionError(f"no Go type for {type(value).__name__}")


def is_true(value: Value) -> bool:
    """Tell what `if` and `with` make of *value*: false for zero, empty and nothing."""
    if isinstance(value, QuerySample | Moment | TemplateData):
        return True
    return bool(value)


def printed(value: Value, *, top: bool = True) -> str:
    """Give the text of *value* as an action prints it, and within a map or struct where *top* is false.

    Raises ExpansionError for a list of samples, which Go prints as memory addresses.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_float(value)
    if value is None:
        return NO_VALUE if top else "<nil>"
    if isinstance(value, Mapping):
        inside = " ".join(f"{key}:{printed(value[key], top=False)}" for key in sorted(value))
        return f"map[{inside}]"
    if isinstance(value, QuerySample):
        return f"{{{printed(value.labels)} {printed(value.value)}}}"
    if isinstance(value, TemplateData):
        fields = (value.labels, value.external_labels, value.external_url, value.value)
        return "{" + " ".join(printed(field) for field in fields) + "}"
    if isinstance(value, Sequence):
        if value:
            raise ExpansionError("a query's result has no text of its own; take `first` and `value` of it, or range")
        return "[]"
    return str(value)
