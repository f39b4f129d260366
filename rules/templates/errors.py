"""What can be wrong with a template: its text, or what it is asked to do with the values it gets."""


class TemplateSyntaxError(Exception):
    """The text is no template, or asks for something that is not supported. `line` and `column` count from 1."""

    def __init__(self, reason: str, *, line: int, column: int) -> None:
        super().__init__(reason, line, column)
        self.reason = reason
        self.line = line
        self.column = column

    def __str__(self) -> str:
        """Give place and reason."""
        return f"at {self.line}:{self.column} of the template: {self.reason}"


class ExpansionError(Exception):
    """A template that was understood cannot be carried out with the values at hand."""
