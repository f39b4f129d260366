"""How far a long reading has come, on a terminal; nowhere else is a word said."""

from typing import TextIO

_CELLS = 30


class Progress:
    """A bar on one line of *stream*. Nothing is written where that is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_shown = stream.isatty()

    def show(self, done: int, whole: int, words: str) -> None:
        """Show that *done* of *whole* is behind us; at the end the line is cleared."""
        if not self._is_shown:
            return
        filled = _CELLS * done // whole if whole else _CELLS
        bar = f"\r[{'#' * filled}{'.' * (_CELLS - filled)}] {100 * filled // _CELLS:3} % {words}\x1b[K"
        self._stream.write(bar if done < whole else "\r\x1b[K")
        self._stream.flush()
