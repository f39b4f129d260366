"""Bodies as they were packed for the way, unpacked piece by piece and never beyond a limit."""

from __future__ import annotations

import zlib


class UnpackError(Exception):
    """The body cannot be unpacked; the message says why."""


class Unpacker:
    """Takes the pieces of one body. *encoding* is that of its Content-Encoding header; raises UnpackError."""

    def __init__(self, encoding: str, most_bytes: int) -> None:
        self._encoding = encoding.strip().lower()
        self._left = most_bytes
        self._most_bytes = most_bytes
        self._stream: _Inflater | None = None
        if self._encoding in ("gzip", "x-gzip", "deflate"):
            self._stream = _Inflater(is_gzip=self._encoding != "deflate")
        elif self._encoding not in ("", "identity"):
            raise UnpackError(f"it is packed in a way that was not asked for ({self._encoding[:20]!r})")

    def feed(self, piece: bytes) -> bytes:
        """Give what *piece* unpacks to. Raises UnpackError, at the latest one byte beyond the limit."""
        try:
            found = piece if self._stream is None else self._stream.feed(piece, self._left + 1)
        except zlib.error:
            raise UnpackError(f"it says that it is {self._encoding}, and is not") from None
        self._left -= len(found)
        if self._left < 0:
            raise UnpackError(f"it has more than {self._most_bytes} bytes")
        return found

    def finish(self) -> None:
        """Note that no more comes. Raises UnpackError where some is missing."""
        if self._stream is not None and not self._stream.is_whole:
            raise UnpackError("it was cut off")


class _Inflater:
    """A gzip file, which may have several members, or a deflate stream with or without its zlib head."""

    def __init__(self, *, is_gzip: bool) -> None:
        self._is_gzip = is_gzip
        self._head = b""  # until there is enough to tell what follows
        self._stream: zlib._Decompress | None = None

    @property
    def is_whole(self) -> bool:
        return not self._head if self._stream is None else self._stream.eof

    def feed(self, piece: bytes, most_bytes: int) -> bytes:
        if self._stream is None:
            piece = self._head = self._head + piece
            if len(piece) < 2:
                return b""
            self._stream = zlib.decompressobj(self._window_bits(piece))
        found: list[bytes] = []
        while piece and most_bytes > 0:
            if self._stream.eof:
                piece = piece.lstrip(b"\0") if self._is_gzip else b""  # padding; nothing follows a deflate stream
                if not piece:
                    break
                self._stream = zlib.decompressobj(self._window_bits(piece))
            part = self._stream.decompress(piece, most_bytes)
            found.append(part)
            most_bytes -= len(part)
            piece = self._stream.unconsumed_tail or self._stream.unused_data
        return b"".join(found)

    def _window_bits(self, head: bytes) -> int:
        if self._is_gzip:
            return 16 + zlib.MAX_WBITS
        # Old servers send the stream without the head that RFC 9110 (8.4.1.2) wants.
        has_head = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
        return zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS
