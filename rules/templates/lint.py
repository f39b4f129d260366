"""What can be told of a template before it is expanded: its queries, and literals that can never work."""

from collections.abc import Iterator

from .errors import ExpansionError
from .go_format import directives
from .go_regex import compile_pattern
from .lexer import syntax_error
from .nodes import Action, Body, Command, Constant, Function, Group, If, Pipeline, Range

_PATTERN_FUNCTIONS = frozenset({"match", "reReplaceAll"})


def _pipelines(body: Body) -> Iterator[Pipeline]:
    """Give every pipeline below *body*, those in parentheses included."""
    for node in body:
        match node:
            case Action(pipeline):
                yield from _with_groups(pipeline)
            case If(pipeline, inner, otherwise) | Range(pipeline, inner, otherwise):
                yield from _with_groups(pipeline)
                yield from _pipelines(inner)
                yield from _pipelines(otherwise)


def _with_groups(pipeline: Pipeline) -> Iterator[Pipeline]:
    yield pipeline
    for command in pipeline.commands:
        for operand in (command.head, *command.arguments):
            if isinstance(operand, Group):
                yield from _with_groups(operand.pipeline)


def _calls(body: Body) -> Iterator[tuple[str, Command, Command | None]]:
    """Give the name of each function called with arguments, its command and the one before the `|`."""
    for pipeline in _pipelines(body):
        previous: Command | None = None
        for command in pipeline.commands:
            if isinstance(command.head, Function):
                yield command.head.name, command, previous
            previous = command


def refuse_what_cannot_work(source: str, body: Body) -> None:
    """Raise TemplateSyntaxError for what fails with any values: a bad pattern or format, arguments to no function."""
    for pipeline in _pipelines(body):
        for stage, command in enumerate(pipeline.commands):
            if (command.arguments or stage) and not isinstance(command.head, Function):
                reason = "only functions take arguments; methods such as .Format are not supported"
                raise syntax_error(source, command.offset, reason)
    for name, command, _ in _calls(body):
        first = command.arguments[0] if command.arguments else None
        if not isinstance(first, Constant) or not isinstance(first.value, str):
            continue
        try:
            if name in _PATTERN_FUNCTIONS:
                compile_pattern(first.value)
            elif name == "printf":
                directives(first.value)
        except ExpansionError as error:
            raise syntax_error(source, first.offset, str(error)) from None


def query_uses(body: Body) -> Iterator[tuple[int, str | None, bool]]:
    """Give offset and text of each query; a text that printf fills has placeholders and is not exact."""
    for name, command, previous in _calls(body):
        if name != "query":
            continue
        argument = command.arguments[0] if command.arguments else None
        if isinstance(argument, Constant) and isinstance(argument.value, str):
            yield command.offset, argument.value, True
        elif isinstance(argument, Group) and len(argument.pipeline.commands) == 1:
            yield command.offset, _filled(argument.pipeline.commands[0]), False
        elif argument is None and previous is not None and isinstance(previous.head, Constant):
            text = previous.head.value
            yield command.offset, text if isinstance(text, str) else None, True
        else:
            yield command.offset, _filled(previous) if argument is None and previous else None, False


def _filled(command: Command) -> str | None:
    """Give what printf would make of placeholders, None where its format is not written out."""
    layout = command.arguments[0] if command.arguments else None
    if not isinstance(command.head, Function) or command.head.name != "printf":
        return None
    if not isinstance(layout, Constant) or not isinstance(layout.value, str):
        return None
    placeholders = {"q": '"x"', "%": "%", "s": "x", "v": "x"}
    parts = directives(layout.value)
    return "".join(part if isinstance(part, str) else placeholders.get(part.verb, "1") for part in parts)
