"""The parser's tree to parts that evaluate, and to what they select; it evaluates nothing."""

import operator as python_operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .aggregation import (
    REDUCTIONS,
    Aggregation,
    CountValues,
    Extremes,
    Grouping,
    QuantileAggregation,
    grouping_of,
)
from .binary import (
    IGNORING_NONE,
    ElementwiseFilter,
    ElementwiseOperation,
    Join,
    Matching,
    ScalarOperation,
    SetOperation,
)
from .calls import Arguments, build, refuse
from .functions import Mapped, Negated, Number
from .matcher import Matcher, MatchOp
from .model import METRIC_NAME, PromqlError
from .node import Node, ScalarNode, StringNode, VectorNode
from .operators import ARITHMETIC, COMPARISON, SETS, truth
from .regex import RegexError
from .selection import ROOT, Frame, Selection, Shift
from .selectors import InstantSelector, RangeSelector, Subquery
from .tokens import Cursor

if TYPE_CHECKING:
    import promql_parser as ast

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MATCH_OPS = {"Equal": MatchOp.EQUAL, "NotEqual": MatchOp.NOT_EQUAL, "Re": MatchOp.REGEX, "NotRe": MatchOp.NOT_REGEX}


class Translation:
    """One walk over a tree in the order of its text; `selections` are the selectors met."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.selections: list[Selection] = []

    def node(self, tree: "ast.Expr", frame: Frame = ROOT) -> Node:
        """Give the part that *tree* becomes where it is evaluated at *frame*; raises PromqlError."""
        build_node: Callable[[Any, Frame], Node] | None = getattr(self, f"_of_{type(tree).__name__}", None)
        if build_node is None:
            raise PromqlError(0, f"{type(tree).__name__} is not supported")
        return build_node(tree, frame)

    def _vector(self, tree: "ast.Expr", frame: Frame) -> VectorNode:
        node = self.node(tree, frame)
        if not isinstance(node, VectorNode):
            raise PromqlError(0, "an instant vector is expected")
        return node

    def _scalar(self, tree: "ast.Expr", frame: Frame) -> ScalarNode:
        node = self.node(tree, frame)
        if not isinstance(node, ScalarNode):
            raise PromqlError(0, "a number is expected")
        return node

    def _of_ParenExpr(self, tree: "ast.ParenExpr", frame: Frame) -> Node:  # noqa: N802 - named as the parser's class
        return self.node(tree.expr, frame)

    def _of_NumberLiteral(self, tree: "ast.NumberLiteral", _frame: Frame) -> Node:  # noqa: N802
        return Number(tree.val)

    def _of_StringLiteral(self, tree: "ast.StringLiteral", _frame: Frame) -> Node:  # noqa: N802
        return StringNode(tree.val)

    def _of_UnaryExpr(self, tree: "ast.UnaryExpr", frame: Frame) -> Node:  # noqa: N802
        position = self._cursor.take("-")
        inner = self.node(tree.expr, frame)
        if isinstance(inner, ScalarNode):
            return Negated(inner)
        if isinstance(inner, VectorNode):
            return Mapped(inner, python_operator.neg, position)
        raise PromqlError(position, "a minus stands before a number or an instant vector")

    def _of_Call(self, tree: "ast.Call", frame: Frame) -> Node:  # noqa: N802
        name = tree.func.name
        position = self._cursor.take(name)
        refuse(name, position)
        return build(Arguments(name, position, [self.node(argument, frame) for argument in tree.args]))

    def _of_VectorSelector(self, tree: "ast.VectorSelector", frame: Frame) -> Node:  # noqa: N802
        shift = _shift_of(tree)
        return InstantSelector(self._selection(tree, shift.frame(frame), None), shift)

    def _of_MatrixSelector(self, tree: "ast.MatrixSelector", frame: Frame) -> Node:  # noqa: N802
        shift = _shift_of(tree.vector_selector)
        width_ms = tree.range // _MILLISECOND
        return RangeSelector(self._selection(tree.vector_selector, shift.frame(frame), width_ms), shift, width_ms)

    def _selection(self, tree: "ast.VectorSelector", frame: Frame, width_ms: int | None) -> Selection:
        position = self._cursor.take(tree.name.casefold() if tree.name else "{")
        if tree.matchers.or_matchers:
            raise PromqlError(position, "matchers joined by `or` are not PromQL")
        if width_ms == 0:
            raise PromqlError(position, "a range is at least a millisecond")
        named = [Matcher(METRIC_NAME, MatchOp.EQUAL, tree.name)] if tree.name else []
        try:
            matchers = [
                Matcher(one.name, _MATCH_OPS[str(one.op).removeprefix("MatchOp.")], one.value)
                for one in tree.matchers.matchers
            ]
        except RegexError as error:
            raise PromqlError(position, str(error)) from error
        selection = Selection((*named, *matchers), frame, width_ms)
        self.selections.append(selection)
        return selection

    def _of_SubqueryExpr(self, tree: "ast.SubqueryExpr", frame: Frame) -> Node:  # noqa: N802
        shift = _shift_of(tree)
        width_ms = (tree.range or timedelta()) // _MILLISECOND
        ends = shift.frame(frame)
        inner = self._vector(tree.expr, Frame(ends.first_ms - width_ms + 1, ends.last_ms, ends.pinned))
        return Subquery(inner, shift, width_ms, tree.step // _MILLISECOND if tree.step else None)

    def _of_AggregateExpr(self, tree: "ast.AggregateExpr", frame: Frame) -> Node:  # noqa: N802
        name = str(tree.op)
        position = self._cursor.take(name)
        refuse(name, position)
        self._cursor.pass_modifiers()
        by = tree.modifier
        grouping = grouping_of(by.labels if by else [], without=by is not None and str(by.type).endswith("Without"))
        if tree.param is not None:
            parameter = self.node(tree.param, frame)
            return self._with_parameter(tree, parameter, frame, grouping=grouping, name=name, position=position)
        inner = self._vector(tree.expr, frame)
        self._cursor.pass_modifiers()
        return Aggregation(inner, grouping, REDUCTIONS[name])

    def _with_parameter(
        self,
        tree: "ast.AggregateExpr",
        parameter: Node,
        frame: Frame,
        *,
        grouping: Grouping,
        name: str,
        position: int,
    ) -> Node:
        inner = self._vector(tree.expr, frame)
        self._cursor.pass_modifiers()
        if isinstance(parameter, StringNode):
            if not parameter.value:
                raise PromqlError(position, "the label of count_values has no name")
            return CountValues(parameter.value, inner, grouping)
        if not isinstance(parameter, ScalarNode):
            raise PromqlError(position, f"the parameter of {name} is a number")
        if name == "quantile":
            return QuantileAggregation(parameter, inner, grouping)
        return Extremes(parameter, inner, grouping, greatest=name == "topk", position=position)

    def _of_BinaryExpr(self, tree: "ast.BinaryExpr", frame: Frame) -> Node:  # noqa: N802
        name = str(tree.op)
        left = self.node(tree.lhs, frame)
        position = self._cursor.take(name)
        self._cursor.pass_modifiers()
        right = self.node(tree.rhs, frame)
        modifier: Any = tree.modifier
        fills = modifier.fill_values if modifier else None
        if fills is not None and (fills.lhs is not None or fills.rhs is not None):
            raise PromqlError(position, "fill values are experimental and not supported")
        as_number = bool(modifier and modifier.return_bool)
        matching = _matching_of(modifier) if modifier else IGNORING_NONE
        return _operation(name, left, right, matching=matching, as_number=as_number, position=position)


def _operation(name: str, left: Node, right: Node, *, matching: Matching, as_number: bool, position: int) -> Node:
    compare = COMPARISON.get(name)
    compute = ARITHMETIC[name] if compare is None and name not in SETS else truth(compare or python_operator.eq)
    if isinstance(left, ScalarNode) and isinstance(right, ScalarNode):
        return ScalarOperation(left, right, compute)
    if isinstance(left, VectorNode) and isinstance(right, VectorNode):
        if name in SETS:
            return SetOperation(left, right, matching, name, position)
        if compare is not None and not as_number:
            return Join(left, right, matching, _left_of, compare, position)
        return Join(left, right, matching, compute, None, position)
    scalar_first = isinstance(left, ScalarNode)
    vector, scalar = (right, left) if scalar_first else (left, right)
    if not isinstance(vector, VectorNode) or not isinstance(scalar, ScalarNode):
        raise PromqlError(position, f"the sides of {name} are numbers or instant vectors")
    if compare is not None and not as_number:
        return ElementwiseFilter(vector, scalar, compare, scalar_first)
    return ElementwiseOperation(vector, scalar, compute, scalar_first, position)


def _left_of(left: float, _right: float) -> float:
    return left


def _matching_of(modifier: "ast.BinModifier") -> Matching:
    labels = modifier.matching
    names = frozenset(labels.labels) if labels else frozenset[str]()
    on = labels is not None and str(labels.type).endswith("Include")
    cardinality = str(modifier.card)
    include = tuple(modifier.group_labels or ())
    if cardinality.endswith("ManyToOne"):
        return Matching(names, on, "left", include)
    if cardinality.endswith("OneToMany"):
        return Matching(names, on, "right", include)
    return Matching(names, on)


def _shift_of(tree: "ast.VectorSelector | ast.SubqueryExpr") -> Shift:
    offset_ms = (tree.offset or timedelta()) // _MILLISECOND
    if tree.at is None:
        return Shift(offset_ms)
    if tree.at.at is None:
        return Shift(offset_ms, to_root=True)
    return Shift(offset_ms, at_ms=(tree.at.at - _EPOCH) // _MILLISECOND)
