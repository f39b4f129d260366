"""Operators between parts: scalars, a vector and a scalar, and two vectors matched by their labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from .labels import drop_name, keep, leave_out, text_of, value_of, with_label
from .model import Labels, PromqlError
from .node import Elements, Run, ScalarNode, VectorNode, unique

Arithmetic = Callable[[float, float], float]
Comparison = Callable[[float, float], bool]


@dataclass(frozen=True, slots=True)
class ScalarOperation(ScalarNode):
    """An operator between two numbers."""

    left: ScalarNode
    right: ScalarNode
    compute: Arithmetic

    def number(self, run: Run, at_ms: int) -> float:
        return self.compute(self.left.number(run, at_ms), self.right.number(run, at_ms))


@dataclass(frozen=True, slots=True)
class ElementwiseOperation(VectorNode):
    """Arithmetic, or comparison to 0 and 1, of each element with a number; the metric name goes."""

    vector: VectorNode
    scalar: ScalarNode
    compute: Arithmetic
    scalar_first: bool
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        number = self.scalar.number(run, at_ms)
        compute = self.compute
        elements = self.vector.elements(run, at_ms)
        if self.scalar_first:
            found = [(drop_name(labels), compute(number, value)) for labels, value in elements]
        else:
            found = [(drop_name(labels), compute(value, number)) for labels, value in elements]
        return unique(found, self.position)


@dataclass(frozen=True, slots=True)
class ElementwiseFilter(VectorNode):
    """The elements, as they are, whose comparison with a number holds."""

    vector: VectorNode
    scalar: ScalarNode
    compare: Comparison
    scalar_first: bool

    def elements(self, run: Run, at_ms: int) -> Elements:
        number = self.scalar.number(run, at_ms)
        compare = self.compare
        elements = self.vector.elements(run, at_ms)
        if self.scalar_first:
            return [element for element in elements if compare(number, element[1])]
        return [element for element in elements if compare(element[1], number)]


@dataclass(frozen=True, slots=True)
class Matching:
    """`on` or `ignoring` with its labels, and `group_left` or `group_right` with theirs."""

    names: frozenset[str]
    on: bool
    many: Literal["left", "right"] | None = None
    include: tuple[str, ...] = ()

    def signature(self, labels: Labels) -> Labels:
        """Give what elements that match have in common."""
        if self.on:
            return keep(labels, self.names)
        return drop_name(leave_out(labels, self.names) if self.names else labels)

    def joined(self, many: Labels, one: Labels, *, keeps_name: bool) -> Labels:
        """Give the labels of the result of an element of the many (or the left) side and its match."""
        labels = many if keeps_name else drop_name(many)
        if self.many is None:
            labels = keep(labels, self.names) if self.on else leave_out(labels, self.names)
        for name in self.include:
            labels = with_label(labels, name, value_of(one, name))
        return labels


@dataclass(frozen=True, slots=True)
class Join(VectorNode):
    """Arithmetic, or a comparison, of elements that match; `keeps_name` is so of comparisons that filter.

    `keep_if` None keeps every pair; a comparison that filters gives the left value.
    """

    left: VectorNode
    right: VectorNode
    matching: Matching
    compute: Arithmetic
    keep_if: Comparison | None
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        left, right = self.left.elements(run, at_ms), self.right.elements(run, at_ms)
        if not left or not right:
            return []
        flipped = self.matching.many == "right"
        many, one = (right, left) if flipped else (left, right)
        partners = self._one_by_signature(one, side="left" if flipped else "right")
        seen: set[tuple[Labels, Labels]] = set()
        found: Elements = []
        for labels, value in many:
            signature = self.matching.signature(labels)
            partner = partners.get(signature)
            if partner is None:
                continue
            joined = self.matching.joined(labels, partner[0], keeps_name=self.keep_if is not None)
            self._check_single(seen, signature, joined)
            a, b = (partner[1], value) if flipped else (value, partner[1])
            if self.keep_if is None or self.keep_if(a, b):
                found.append((joined, self.compute(a, b)))
        return unique(found, self.position)

    def _one_by_signature(self, one: Elements, *, side: str) -> dict[Labels, tuple[Labels, float]]:
        partners: dict[Labels, tuple[Labels, float]] = {}
        for element in one:
            signature = self.matching.signature(element[0])
            if signature in partners:
                raise PromqlError(
                    self.position,
                    f"found duplicate series for the match group {text_of(signature)} on the {side} hand-side of the "
                    f"operation: {text_of(element[0])}, {text_of(partners[signature][0])}; "
                    "many-to-many matching not allowed: matching labels must be unique on one side",
                )
            partners[signature] = element
        return partners

    def _check_single(self, seen: set[tuple[Labels, Labels]], signature: Labels, joined: Labels) -> None:
        key = (signature, () if self.matching.many is None else joined)
        if key in seen:
            raise PromqlError(
                self.position,
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                if self.matching.many is None
                else "multiple matches for labels: grouping labels must ensure unique matches",
            )
        seen.add(key)


@dataclass(frozen=True, slots=True)
class SetOperation(VectorNode):
    """`and`, `or`, `unless`: elements of one side by whether the other has a match."""

    left: VectorNode
    right: VectorNode
    matching: Matching
    operator: str
    position: int

    def elements(self, run: Run, at_ms: int) -> Elements:
        left, right = self.left.elements(run, at_ms), self.right.elements(run, at_ms)
        signature = self.matching.signature
        if self.operator == "or":
            present = {signature(labels) for labels, _ in left}
            return unique(left + [one for one in right if signature(one[0]) not in present], self.position)
        present = {signature(labels) for labels, _ in right}
        wanted = self.operator == "and"
        return [one for one in left if (signature(one[0]) in present) is wanted]


IGNORING_NONE = Matching(frozenset(), on=False)
