"""An expression, compiled once and evaluated at any moment; it neither reads a clock nor keeps samples."""

from dataclasses import dataclass

from .matcher import Matcher
from .model import Element, PromqlError, Result, Scalar, Storage, String, Vector
from .node import Node, RangeNode, Run, ScalarNode, VectorNode
from .selection import ROOT, Selection
from .syntax import parse
from .tokens import Cursor
from .translate import Translation

# Prometheus: --query.lookback-delta and global.evaluation_interval, where neither is set.
DEFAULT_LOOKBACK_MS = 300_000
DEFAULT_STEP_MS = 60_000


@dataclass(frozen=True, slots=True)
class Selector:
    """What an expression reads: series by *matchers*, samples less than `back_ms` older than the evaluation.

    Where `@` fixes the time, `pinned_from_ms` says from when on samples are read, whenever the evaluation is. With
    `newest_only` nothing but the newest of them counts.
    """

    matchers: tuple[Matcher, ...]
    back_ms: int
    pinned_from_ms: int | None = None
    newest_only: bool = False


class Expression:
    """A compiled expression; `compile_expression` makes it."""

    def __init__(self, text: str, root: Node, selections: tuple[Selection, ...]) -> None:
        self.text = text
        self._root = root
        self._selections = selections

    def evaluate(
        self,
        storage: Storage,
        at_ms: int,
        *,
        lookback_ms: int = DEFAULT_LOOKBACK_MS,
        step_ms: int = DEFAULT_STEP_MS,
    ) -> Result:
        """Give the result at *at_ms*, Unix milliseconds, as an instant query of Prometheus 3 would.

        *step_ms* is that of subqueries without their own. Raises PromqlError where labels do not match one to one, or
        are the same after a metric name was dropped.
        """
        run = Run(storage, at_ms, lookback_ms, step_ms)
        root = self._root
        if isinstance(root, VectorNode):
            return Vector(tuple([Element(labels, value) for labels, value in root.elements(run, at_ms)]))
        if isinstance(root, ScalarNode):
            return Scalar(root.number(run, at_ms))
        if isinstance(root, RangeNode):
            raise TypeError("compile_expression refuses range vectors")
        return String(root.value)

    def selectors(self, *, lookback_ms: int = DEFAULT_LOOKBACK_MS) -> tuple[Selector, ...]:
        """Give what the expression reads: no sample outside of it changes any result."""
        return tuple(_selector_of(selection, lookback_ms) for selection in self._selections)


def _selector_of(selection: Selection, lookback_ms: int) -> Selector:
    first_ms, _ = selection.times(0, lookback_ms)
    if selection.frame.pinned:
        return Selector(selection.matchers, 0, first_ms)
    newest_only = selection.width_ms is None and selection.frame == ROOT
    return Selector(selection.matchers, max(0, 1 - first_ms), newest_only=newest_only)


def compile_expression(text: str) -> Expression:
    """Give the expression that *text* says; raises PromqlError with position and reason.

    Refused, never approximated: what Prometheus refuses, native histograms, experimental functions, range vectors as
    a result, and regular expressions that mean something else in Python.
    """
    tree, tokens = parse(text)
    translation = Translation(Cursor(tokens))
    try:
        root = translation.node(tree)
    except RecursionError as error:
        raise PromqlError(tokens[0].position, "nested too deeply: split the rule") from error
    if isinstance(root, RangeNode):
        raise PromqlError(
            tokens[0].position, "a range vector is no result: apply a function such as rate or max_over_time"
        )
    return Expression(text, root, tuple(translation.selections))
