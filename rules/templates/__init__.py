"""Texts of rules with Go template actions, the subset that rules use. What stands here is all that others may use."""

from .durations import format_duration_ms, parse_duration_ms
from .errors import ExpansionError, TemplateSyntaxError
from .go_numbers import format_float, parse_float
from .go_quote import quoted_text
from .template import QueryUse, Template, compile_template
from .values import QuerySample, TemplateData

__all__ = [
    "ExpansionError",
    "QuerySample",
    "QueryUse",
    "Template",
    "TemplateData",
    "TemplateSyntaxError",
    "compile_template",
    "format_duration_ms",
    "format_float",
    "parse_duration_ms",
    "parse_float",
    "quoted_text",
]
