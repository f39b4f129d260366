"""Which functions there are and what part each becomes; those that are refused say why."""

from collections.abc import Callable, Mapping, Sequence
from typing import NoReturn

from .dates import CALENDAR
from .floats import UNARY, round_to
from .functions import (
    GREATEST,
    LEAST,
    Absent,
    Clamped,
    Mapped,
    MappedWith,
    Number,
    OnlyValue,
    OverRange,
    Prediction,
    QuantileOverTime,
    Sorted,
    Time,
    Timestamps,
    Unlabelled,
)
from .histogram import HistogramQuantile
from .matcher import MatchOp
from .model import METRIC_NAME, Labels, PromqlError
from .node import Node, RangeNode, ScalarNode, StringNode, VectorNode
from .over_time import RANGE_FUNCTIONS
from .regex import RegexError, compile_anchored
from .relabel import LabelJoin, LabelReplace
from .selectors import InstantSelector, RangeSelector

_NATIVE = "native histograms are not supported: of {}, only classic buckets through histogram_quantile"
_EXPERIMENTAL = "{} is an experimental function of Prometheus and not supported"

REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "histogram_avg",
            "histogram_count",
            "histogram_fraction",
            "histogram_stddev",
            "histogram_stdvar",
            "histogram_sum",
        ),
        _NATIVE,
    ),
    **dict.fromkeys(
        (
            "double_exponential_smoothing",
            "end",
            "first_over_time",
            "histogram_quantiles",
            "info",
            "limit_ratio",
            "limitk",
            "mad_over_time",
            "range",
            "sort_by_label",
            "sort_by_label_desc",
            "start",
            "step",
            "ts_of_first_over_time",
            "ts_of_last_over_time",
            "ts_of_max_over_time",
            "ts_of_min_over_time",
        ),
        _EXPERIMENTAL,
    ),
    "holt_winters": "{} is double_exponential_smoothing in Prometheus 3, which is experimental: not supported",
}


class Arguments:
    """The arguments of one call, given by place in the type that the function needs."""

    def __init__(self, name: str, position: int, nodes: Sequence[Node]) -> None:
        self.name = name
        self.position = position
        self._nodes = nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def vector(self, place: int) -> VectorNode:
        """Give the instant vector at *place*."""
        node = self._node(place)
        return node if isinstance(node, VectorNode) else self._wrong(place)

    def range(self, place: int) -> RangeNode:
        """Give the range vector at *place*."""
        node = self._node(place)
        return node if isinstance(node, RangeNode) else self._wrong(place)

    def scalar(self, place: int, default: ScalarNode | None = None) -> ScalarNode:
        """Give the number at *place*, or *default* where there are fewer arguments."""
        if default is not None and place >= len(self._nodes):
            return default
        node = self._node(place)
        return node if isinstance(node, ScalarNode) else self._wrong(place)

    def text(self, place: int) -> str:
        """Give the string at *place*."""
        node = self._node(place)
        return node.value if isinstance(node, StringNode) else self._wrong(place)

    def _node(self, place: int) -> Node | None:
        return self._nodes[place] if place < len(self._nodes) else None

    def _wrong(self, place: int) -> NoReturn:
        raise PromqlError(self.position, f"argument {place + 1} of {self.name} is missing or of another type")


def build(call: Arguments) -> Node:
    """Give the part that *call* becomes; raises PromqlError where the function is not supported."""
    refuse(call.name, call.position)
    builder = _BUILDERS.get(call.name)
    if builder is not None:
        return builder(call)
    if (unary := UNARY.get(call.name)) is not None:
        return Mapped(call.vector(0), unary, call.position)
    if (over_range := RANGE_FUNCTIONS.get(call.name)) is not None:
        return OverRange(call.range(0), over_range, call.name == "last_over_time", call.position)
    if (calendar := CALENDAR.get(call.name)) is not None:
        return Mapped(call.vector(0) if len(call) else Unlabelled(Time()), calendar, call.position)
    raise PromqlError(call.position, f"the function {call.name} is not supported")


def refuse(name: str, position: int) -> None:
    """Raise PromqlError where *name* is known and not supported."""
    if name in REFUSED:
        raise PromqlError(position, REFUSED[name].format(name))


def _label_replace(call: Arguments) -> Node:
    try:
        pattern = compile_anchored(call.text(4))
    except RegexError as error:
        raise PromqlError(call.position, str(error)) from error
    target = _label_name(call, 1, "destination")
    return LabelReplace(call.vector(0), target, call.text(2), call.text(3), pattern, call.position)


def _label_join(call: Arguments) -> Node:
    sources = tuple(_label_name(call, place, "source") for place in range(3, len(call)))
    return LabelJoin(call.vector(0), _label_name(call, 1, "destination"), call.text(2), sources, call.position)


def _label_name(call: Arguments, place: int, role: str) -> str:
    name = call.text(place)
    if not name:
        raise PromqlError(call.position, f"the {role} label of {call.name} has no name")
    return name


def _absent(call: Arguments) -> Node:
    inner: VectorNode | RangeNode = call.vector(0) if call.name == "absent" else call.range(0)
    return Absent(inner, _fixed_labels(inner))


def _fixed_labels(inner: Node) -> Labels:
    """Give the labels that a selector fixes by equality; one that has several matchers is not fixed."""
    if not isinstance(inner, InstantSelector | RangeSelector):
        return ()
    fixed: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in inner.selection.matchers:
        if matcher.op is MatchOp.EQUAL and matcher.name not in seen:
            fixed[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            fixed.pop(matcher.name, None)
    return tuple(sorted((name, value) for name, value in fixed.items() if value and name != METRIC_NAME))


def _pi(_call: Arguments) -> Node:
    return Number(3.141592653589793)


_BUILDERS: dict[str, Callable[[Arguments], Node]] = {
    "absent": _absent,
    "absent_over_time": _absent,
    "clamp": lambda call: Clamped(call.vector(0), call.scalar(1), call.scalar(2), call.position),
    "clamp_max": lambda call: Clamped(call.vector(0), LEAST, call.scalar(1), call.position),
    "clamp_min": lambda call: Clamped(call.vector(0), call.scalar(1), GREATEST, call.position),
    "histogram_quantile": lambda call: HistogramQuantile(call.scalar(0), call.vector(1), call.position),
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": _pi,
    "predict_linear": lambda call: Prediction(call.range(0), call.scalar(1), call.position),
    "quantile_over_time": lambda call: QuantileOverTime(call.scalar(0), call.range(1), call.position),
    "round": lambda call: MappedWith(call.vector(0), call.scalar(1, Number(1.0)), round_to, call.position),
    "scalar": lambda call: OnlyValue(call.vector(0)),
    "sort": lambda call: Sorted(call.vector(0), descending=False),
    "sort_desc": lambda call: Sorted(call.vector(0), descending=True),
    "time": lambda _call: Time(),
    "timestamp": lambda call: Timestamps(call.vector(0), call.position),
    "vector": lambda call: Unlabelled(call.scalar(0)),
}
SUPPORTED = frozenset({*_BUILDERS, *UNARY, *RANGE_FUNCTIONS, *CALENDAR})
