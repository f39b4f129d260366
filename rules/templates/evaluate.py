"""Carries out a parsed template: scopes, pipelines, calls and printing; the text it came from is unknown here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import ExpansionError
from .functions import FUNCTIONS, SHORT_CIRCUIT, FunctionSpec, Surroundings, Takes
from .nodes import (
    Action,
    Body,
    Command,
    Constant,
    Dot,
    Function,
    Group,
    If,
    Leave,
    Nil,
    Node,
    Operand,
    Pipeline,
    Range,
    Text,
    Variable,
)
from .time_fields import TIME_FIELDS
from .values import Arguments, Kind, Moment, QuerySample, TemplateData, Value, is_true, kind_of, printed

_MOST_CHARACTERS = 1_000_000  # an annotation is read by people; a runaway range must not take the memory
_TAKEN_KINDS = {Takes.TEXT: Kind.STRING, Takes.VECTOR: Kind.VECTOR, Takes.SAMPLE: Kind.SAMPLE}


class _Missing:
    """Stands for no value from before a `|`."""


_MISSING = _Missing()


@dataclass(slots=True)
class _Leaving(Exception):  # noqa: N818  (a way out of a body, not an error)
    """Carries `break` and `continue` to their range."""

    stays: bool


@dataclass(slots=True)
class Run:
    """One expansion: its output so far and the variables in scope, innermost last."""

    surroundings: Surroundings
    variables: list[tuple[str, Value]]
    out: list[str] = field(default_factory=list)
    _length: int = 0

    def body(self, nodes: Body, dot: Value) -> None:
        """Carry out *nodes* in a scope of their own.

        Raises ExpansionError.
        """
        known = len(self.variables)
        try:
            for node in nodes:
                self._node(node, dot)
        finally:
            del self.variables[known:]

    def _node(self, node: Node, dot: Value) -> None:
        match node:
            case Text(text):
                self._write(text)
            case Action(pipeline):
                result = self._pipeline(pipeline, dot)
                if not pipeline.assigned:
                    self._write(printed(result))
            case If(pipeline, body, otherwise, rebinds_dot):
                self._either(pipeline, body, otherwise, dot=dot, rebinds_dot=rebinds_dot)
            case Range(pipeline, body, otherwise):
                self._range(pipeline, body, otherwise, dot=dot)
            case Leave(stays):
                raise _Leaving(stays)

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > _MOST_CHARACTERS:
            raise ExpansionError(f"the text is longer than {_MOST_CHARACTERS} characters")
        self.out.append(text)

    def _either(self, pipeline: Pipeline, body: Body, otherwise: Body, *, dot: Value, rebinds_dot: bool) -> None:
        known = len(self.variables)
        value = self._pipeline(pipeline, dot)
        if is_true(value):
            self.body(body, value if rebinds_dot else dot)
        else:
            self.body(otherwise, dot)
        del self.variables[known:]

    def _range(self, pipeline: Pipeline, body: Body, otherwise: Body, *, dot: Value) -> None:
        known = len(self.variables)
        plain = Pipeline(pipeline.commands, pipeline.offset)
        pairs = list(_elements(self._pipeline(plain, dot)))
        try:
            for key, element in pairs:
                values = (key, element) if len(pipeline.assigned) == 2 else (element,)
                self._bind(pipeline, values[: len(pipeline.assigned)])
                try:
                    self.body(body, element)
                except _Leaving as leaving:
                    if not leaving.stays:
                        break
                finally:
                    if pipeline.declares:
                        del self.variables[known:]
            if not pairs:
                self.body(otherwise, dot)
        finally:
            del self.variables[known:]

    def _bind(self, pipeline: Pipeline, values: Sequence[Value]) -> None:
        for name, value in zip(pipeline.assigned, values, strict=True):
            if pipeline.declares:
                self.variables.append((name, value))
            else:
                self._assign(name, value)

    def _assign(self, name: str, value: Value) -> None:
        place = next(i for i in reversed(range(len(self.variables))) if self.variables[i][0] == name)
        self.variables[place] = (name, value)

    def _pipeline(self, pipeline: Pipeline, dot: Value) -> Value:
        result: Value = _MISSING
        for command in pipeline.commands:
            result = self._command(command, dot, result)
        self._bind(pipeline, (result,) * len(pipeline.assigned))
        return result

    def _command(self, command: Command, dot: Value, before: Value) -> Value:
        head = command.head
        if isinstance(head, Function):
            return self._call(head.name, command.arguments, dot, before)
        if command.arguments or not isinstance(before, _Missing):
            raise ExpansionError(f"{_shown(head)} is no function and takes no arguments")
        return self._operand(head, dot)

    def _call(self, name: str, operands: Sequence[Operand], dot: Value, before: Value) -> Value:
        spec = FUNCTIONS[name]
        given: list[Callable[[], Value]] = [_later(self._operand, operand, dot) for operand in operands]
        if not isinstance(before, _Missing):
            given.append(lambda: before)
        _check_count(name, spec, len(given))
        arguments: list[Value] = []
        for index, give in enumerate(given):
            value = give()
            _check_argument(name, spec, index, value)
            arguments.append(value)
            if name in SHORT_CIRCUIT and is_true(value) is (name == "or"):
                break
        return spec.call(self.surroundings, arguments)

    def _operand(self, operand: Operand, dot: Value) -> Value:
        match operand:
            case Constant(value):
                return value
            case Nil():
                return None
            case Dot(fields):
                return _taken(dot, fields)
            case Variable(name, fields):
                return _taken(next(v for n, v in reversed(self.variables) if n == name), fields)
            case Function(name):
                return self._call(name, (), dot, _MISSING)
            case Group(pipeline, fields):
                return _taken(self._pipeline(pipeline, dot), fields)


def _later(function: Callable[[Operand, Value], Value], operand: Operand, dot: Value) -> Callable[[], Value]:
    return lambda: function(operand, dot)


def _elements(value: Value) -> Iterable[tuple[Value, Value]]:
    """Give key and element of what can be ranged over, maps in order of their keys."""
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(enumerate(value))
    if value is None:
        return []
    raise ExpansionError(f"range goes over maps and query results, not over {kind_of(value)}")


def _taken(value: Value, fields: Iterable[str]) -> Value:
    for name in fields:
        value = _field(value, name)
    return value


def _field(value: Value, name: str) -> Value:
    if isinstance(value, Mapping):
        return value.get(name, None if isinstance(value, Arguments) else "")
    if isinstance(value, TemplateData):
        try:
            return value.field(name)
        except KeyError:
            raise ExpansionError(
                f"there is no .{name}; write .Labels, .Value, .ExternalLabels or .ExternalURL"
            ) from None
    if isinstance(value, QuerySample) and name in ("Labels", "Value"):
        return value.labels if name == "Labels" else value.value
    if isinstance(value, Moment) and name in TIME_FIELDS:
        return TIME_FIELDS[name](value)
    raise ExpansionError(f"{kind_of(value)} has no field {name}")


def _check_count(name: str, spec: FunctionSpec, count: int) -> None:
    least = len(spec.takes)
    if count < least or (spec.rest is None and count > least):
        wanted = f"at least {least}" if spec.rest else str(least)
        raise ExpansionError(f"{name} takes {wanted} arguments, {count} are given")


def _check_argument(name: str, spec: FunctionSpec, index: int, value: Value) -> None:
    takes = spec.takes[index] if index < len(spec.takes) else spec.rest
    if takes in (None, Takes.ANY):
        return
    wanted = _TAKEN_KINDS[takes]
    found = kind_of(value)
    if found is not wanted:
        raise ExpansionError(f"argument {index + 1} of {name} is {found}, not {wanted}")


def _shown(head: Operand) -> str:
    match head:
        case Constant(_, written):
            return f"`{written}`"
        case Variable(name, fields):
            return "`" + ".".join(("$" + name, *fields)) + "`"
        case Dot(fields):
            return "`." + ".".join(fields) + "`"
    return "what stands in parentheses"
