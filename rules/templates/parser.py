"""Tokens to the tree of a template: the grammar of Go's text/template as far as rules use it; it computes nothing."""

from collections.abc import Iterable

from .errors import TemplateSyntaxError
from .go_quote import unquoted
from .lexer import Token, TokenKind, syntax_error, tokens
from .literals import number_of
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

_DEEPEST = 64
_UNSUPPORTED_WORDS = ("define", "block", "template")
_OPERAND_KINDS = frozenset(
    {
        TokenKind.NUMBER,
        TokenKind.VARIABLE,
        TokenKind.FIELD,
        TokenKind.WORD,
        TokenKind.TEXT,
        TokenKind.RAW,
        TokenKind.RUNE,
    }
)


def parse(source: str, *, functions: Iterable[str], variables: Iterable[str] = ()) -> Body:
    """Parse *source*; only the *functions* named may be called, the *variables* named are there from the start.

    Raises TemplateSyntaxError.
    """
    parser = _Parser(source, frozenset(functions), list(variables))
    body, ending = parser.body(in_range=False)
    if ending:
        raise parser.error(parser.at, f"this `{ending}` belongs to nothing; remove it or write the `if` before it")
    return body


class _Parser:
    def __init__(self, source: str, functions: frozenset[str], variables: list[str]) -> None:
        self._source = source
        self._tokens = list(tokens(source))
        self._next = 0
        self._functions = functions
        self._variables = ["", *variables]
        self._depth = 0
        self._openings: list[int] = []
        self.at = 0

    def error(self, offset: int, reason: str) -> TemplateSyntaxError:
        return syntax_error(self._source, offset, reason)

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _skip_blank(self) -> Token:
        while self._peek().kind is TokenKind.BLANK:
            self._next += 1
        return self._peek()

    def body(self, *, in_range: bool) -> tuple[Body, str]:
        """Give the nodes up to an action that ends them, and its word: `end`, `else`, or none at the end of all."""
        made: list[Node] = []
        while True:
            token = self._take()
            if token.kind is TokenKind.END:
                if self._openings:
                    raise self.error(self._openings[-1], "this is not closed; write {{ end }}")
                return tuple(made), ""
            if token.kind is TokenKind.PLAIN:
                made.append(Text(token.text))
                continue
            word = self._skip_blank()
            self.at = token.offset
            if word.kind is TokenKind.WORD and word.text in ("end", "else"):
                self._next += 1
                return tuple(made), word.text
            made.append(self._action(word, in_range=in_range))

    def _action(self, word: Token, *, in_range: bool) -> Node:
        if word.kind is TokenKind.WORD and word.text in ("if", "with", "range"):
            self._next += 1
            return self._control(word, in_range=in_range)
        if word.kind is TokenKind.WORD and word.text in ("break", "continue"):
            if not in_range:
                raise self.error(word.offset, f"`{word.text}` stands outside of a range; remove it")
            self._next += 1
            self._close(word.text)
            return Leave(stays=word.text == "continue")
        if word.kind is TokenKind.WORD and word.text in _UNSUPPORTED_WORDS:
            raise self.error(word.offset, f"`{word.text}` is not supported; write its content where it is used")
        pipeline = self._pipeline("an action", may_assign=1)
        self._close("the pipeline")
        return Action(pipeline)

    def _close(self, what: str) -> None:
        token = self._skip_blank()
        if token.kind is not TokenKind.RIGHT:
            raise self.error(token.offset, f"unexpected `{token.text}` after {what}; close the action with }}}}")
        self._next += 1

    def _control(self, word: Token, *, in_range: bool) -> Node:
        """Parse what follows `if`, `with` or `range`, up to its `end`."""
        self._deeper(word.offset)
        self._openings.append(self.at)
        known = len(self._variables)
        pipeline = self._pipeline(f"`{word.text}`", may_assign=2 if word.text == "range" else 1)
        self._close("the pipeline")
        body, ending = self.body(in_range=in_range or word.text == "range")
        otherwise: Body = ()
        if ending == "else":
            otherwise = self._else(word.text, in_range=in_range)
        else:
            self._close("`end`")
        self._openings.pop()
        del self._variables[known:]
        self._depth -= 1
        if word.text == "range":
            return Range(pipeline, body, otherwise)
        return If(pipeline, body, otherwise, rebinds_dot=word.text == "with")

    def _else(self, opening: str, *, in_range: bool) -> Body:
        token = self._skip_blank()
        if token.kind is TokenKind.WORD and token.text == "if" and opening == "if":
            self._next += 1
            return (self._control(token, in_range=in_range),)
        self._close("`else`")
        body, ending = self.body(in_range=in_range)
        if ending == "else":
            raise self.error(self.at, "a second `else`; an `if` has one, use `else if` for more cases")
        self._close("`end`")
        return body

    def _pipeline(self, where: str, *, may_assign: int) -> Pipeline:
        start = self._skip_blank().offset
        assigned, declares = self._assignment(may_assign) if may_assign else ((), False)
        commands: list[Command] = []
        while True:
            token = self._skip_blank()
            if token.kind in _OPERAND_KINDS or token.text in ("(", "."):
                commands.append(self._command(stage=len(commands)))
                if self._peek().text == "|":
                    self._next += 1
                continue
            if not commands:
                raise self.error(token.offset, f"{where} holds nothing; write a value such as $value")
            if token.kind is TokenKind.RIGHT or token.text == ")":
                break
            raise self.error(token.offset, f"unexpected `{token.text}` in {where}")
        self._variables.extend(assigned if declares else ())
        return Pipeline(tuple(commands), start, assigned, declares)

    def _assignment(self, most: int) -> tuple[tuple[str, ...], bool]:
        """Read `$x :=`, `$x =` or `$i, $x :=`, when one stands here."""
        mark = self._next
        names: list[str] = []
        while self._skip_blank().kind is TokenKind.VARIABLE:
            variable = self._take()
            names.append(variable.text[1:])
            sign = self._skip_blank()
            if sign.text in (":=", "="):
                self._next += 1
                if sign.text == "=":
                    self._known(variable, names)
                return tuple(names), sign.text == ":="
            if sign.text != "," or most < 2:
                break
            if len(names) >= 2:
                raise self.error(sign.offset, "a range sets at most two variables")
            self._next += 1
        self._next = mark
        return (), False

    def _known(self, variable: Token, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._variables:
                raise self.error(variable.offset, f"the variable `${name}` is not set before; set it first with :=")

    def _command(self, *, stage: int) -> Command:
        operands: list[Operand] = []
        start = self._peek().offset
        while True:
            operands.append(self._operand(self._skip_blank()))
            following = self._peek()
            if following.kind is TokenKind.BLANK:
                token = self._skip_blank()
                if token.kind in _OPERAND_KINDS or token.text in ("(", "."):
                    continue
                break
            if following.kind is TokenKind.RIGHT or following.text in (")", "|"):
                break
            raise self.error(following.offset, f"unexpected `{following.text}`; put a blank between the arguments")
        head = operands[0]
        if isinstance(head, Nil):
            raise self.error(head.offset, "`nil` is no command; it only stands as an argument")
        if stage and isinstance(head, Constant):
            raise self.error(head.offset, f"`{head.written}` cannot take the result before the `|`; name a function")
        return Command(head, tuple(operands[1:]), start)

    def _operand(self, token: Token) -> Operand:
        self._next += 1
        match token.kind:
            case TokenKind.WORD:
                return self._without_fields(self._word(token))
            case TokenKind.NUMBER | TokenKind.TEXT | TokenKind.RAW | TokenKind.RUNE:
                return self._without_fields(self._literal(token))
            case TokenKind.FIELD:
                return Dot((token.text[1:], *self._fields()), token.offset)
            case TokenKind.VARIABLE:
                self._known(token, (token.text[1:],))
                return Variable(token.text[1:], self._fields(), token.offset)
        if token.text == "(":
            self._deeper(token.offset)
            pipeline = self._pipeline("the parenthesis", may_assign=0)
            self._skip_blank()
            self._next += 1
            self._depth -= 1
            return Group(pipeline, self._fields(), token.offset)
        if token.text == ".":
            return Dot((), token.offset)
        raise self.error(token.offset, f"unexpected `{token.text}`; a value is expected here")

    def _fields(self) -> tuple[str, ...]:
        names: list[str] = []
        while self._peek().kind is TokenKind.FIELD:
            names.append(self._take().text[1:])
        return tuple(names)

    def _without_fields(self, operand: Operand) -> Operand:
        if self._peek().kind is TokenKind.FIELD and not isinstance(operand, Function):
            raise self.error(self._peek().offset, "a literal has no fields; put a blank before the dot")
        if self._peek().kind is TokenKind.FIELD:
            fields = self._fields()
            call = Pipeline((Command(operand, (), operand.offset),), operand.offset)
            return Group(call, fields, operand.offset)
        return operand

    def _word(self, token: Token) -> Operand:
        if token.text in ("true", "false"):
            return Constant(token.text == "true", token.text, token.offset)
        if token.text == "nil":
            return Nil(token.offset)
        if token.text in self._functions:
            return Function(token.text, token.offset)
        raise self.error(token.offset, _unknown_function(token.text, self._functions))

    def _literal(self, token: Token) -> Constant:
        try:
            if token.kind is TokenKind.NUMBER:
                return Constant(number_of(token.text), token.text, token.offset)
            text = unquoted(token.text)
        except ValueError as error:
            raise self.error(token.offset, str(error)) from None
        if token.kind is TokenKind.RUNE:
            if len(text) != 1:
                raise self.error(token.offset, f"{token.text} is not one character; use double quotes for a text")
            return Constant(ord(text), token.text, token.offset)
        return Constant(text, token.text, token.offset)

    def _deeper(self, offset: int) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.error(offset, f"nested deeper than {_DEEPEST} levels; make it simpler")


def _unknown_function(name: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415  (only after a mistake)

    near = difflib.get_close_matches(name, sorted(known), n=1)
    cure = f"did you mean `{near[0]}`?" if near else "see docs/rules.md for the functions there are"
    return f"the function `{name}` is not known; {cure}"
