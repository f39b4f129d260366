"""A text with template actions, compiled once and expanded for each alert; where the text stands is unknown here."""

from collections.abc import Iterator
from dataclasses import dataclass

from .errors import ExpansionError, TemplateSyntaxError
from .evaluate import Run
from .functions import FUNCTIONS, QueryFunction, Surroundings
from .lexer import syntax_error
from .lint import query_uses, refuse_what_cannot_work
from .nodes import Body, Text
from .parser import parse
from .values import TemplateData, Value

# Set for every text, as Prometheus does.
_CONVENIENCES = ("labels", "externalLabels", "externalURL", "value")


@dataclass(frozen=True, slots=True)
class QueryUse:
    """A query in a template. `text` is None where it is only known when the template is expanded."""

    text: str | None
    line: int
    column: int
    exact: bool = True  # False: the text has placeholders where printf fills in values


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled text."""

    source: str
    body: Body

    @property
    def is_constant(self) -> bool:
        """Tell whether the text holds no action."""
        return all(isinstance(node, Text) for node in self.body)

    def queries(self) -> Iterator[QueryUse]:
        """Give the queries that expanding may run, so that their series can be kept."""
        for offset, text, exact in query_uses(self.body):
            place = syntax_error(self.source, offset, "")
            yield QueryUse(text, place.line, place.column, exact)

    def expand(self, data: TemplateData, *, query: QueryFunction | None = None) -> str:
        """Give the text for one alert.

        Raises ExpansionError.
        """
        surroundings = Surroundings(query or _no_query, data.external_url)
        variables: list[tuple[str, Value]] = [("", data)]
        given = (data.labels, data.external_labels, data.external_url, data.value)
        variables.extend(zip(_CONVENIENCES, given, strict=True))
        run = Run(surroundings, variables)
        try:
            run.body(self.body, data)
        except OverflowError as error:
            raise ExpansionError(f"a number is too large: {error}") from None
        return "".join(run.out)


def compile_template(source: str) -> Template:
    """Parse *source*, check what can be checked before any alert, and give the template.

    Raises TemplateSyntaxError.
    """
    body = parse(source, functions=FUNCTIONS, variables=_CONVENIENCES)
    refuse_what_cannot_work(source, body)
    return Template(source, body)


def _no_query(_text: str) -> tuple[()]:
    raise ExpansionError("queries cannot be run here")


__all__ = ["QueryUse", "Template", "TemplateSyntaxError", "compile_template"]
