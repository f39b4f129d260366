"""The tree of a parsed template: shapes, neither text nor values. `offset` counts characters of the template."""

from dataclasses import dataclass

from .values import Value


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal: text, number or truth value. `kind_name` is told in errors."""

    value: Value
    written: str
    offset: int


@dataclass(frozen=True, slots=True)
class Nil:
    """The word `nil` as an argument."""

    offset: int


@dataclass(frozen=True, slots=True)
class Dot:
    """The dot with the fields taken of it, `.` or `.Labels.x`."""

    fields: tuple[str, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable with the fields taken of it; `$` alone has an empty name."""

    name: str
    fields: tuple[str, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Group:
    """A pipeline in parentheses with the fields taken of its result."""

    pipeline: "Pipeline"
    fields: tuple[str, ...]
    offset: int


Operand = Constant | Nil | Dot | Variable | Function | Group


@dataclass(frozen=True, slots=True)
class Command:
    """What is called or taken, with its arguments."""

    head: Operand
    arguments: tuple[Operand, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given the result of the one before as its last argument. `assigned` names variables it sets."""

    commands: tuple[Command, ...]
    offset: int
    assigned: tuple[str, ...] = ()
    declares: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """What is put out as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose result is printed, unless it sets a variable."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class If:
    """One of two bodies, by the truth of a pipeline. `rebinds_dot` makes it a `with`."""

    pipeline: Pipeline
    body: "Body"
    otherwise: "Body"
    rebinds_dot: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """A body for each element of what a pipeline gives, or another when there is none."""

    pipeline: Pipeline
    body: "Body"
    otherwise: "Body"


@dataclass(frozen=True, slots=True)
class Leave:
    """`break` or `continue` of the innermost range."""

    stays: bool


Node = Text | Action | If | Range | Leave
Body = tuple[Node, ...]
