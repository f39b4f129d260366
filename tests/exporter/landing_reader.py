"""The landing page as a reader sees it, and what a browser would load or run of it."""

from __future__ import annotations

from html.parser import HTMLParser

from tests.exporter.snapshots import NOW
from wattledger.exporter.landing import Asked, landing_page
from wattledger.exporter.snapshot import Snapshot

VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """The page's words, tags and addresses, and the words of each row of a table; unbalanced tags fail."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.words, self.tags, self.addresses, self._open = "", set[str](), list[str](), list[str]()
        self.rows = list[str]()  # cells begin with a bar, small print with a blank
        self.feed(body.decode())
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [text or "" for name, text in attrs if name in ("src", "href", "action", "data", "style")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag == "tr":
            self.rows.append("")
        elif "tr" in self._open:
            self.rows[-1] += "|" if tag in ("td", "th") else " " * (tag in ("small", "br", "div", "title"))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data
        if "tr" in self._open:
            self.rows[-1] += data

    def row(self, start: str) -> str:
        """Give the one row whose first cell begins with *start*."""
        (found,) = [row for row in self.rows if row.startswith(f"|{start}")]
        return found


def page_of(made: Snapshot | None, address: str = "node7:9889") -> Page:
    """Give the page of *made* as it was asked for at *address*."""
    asked = Asked(address)
    return Page(landing_page(made, now=NOW, version="0.1.0", asked=asked, no_snapshot="no sample yet"))
