"""A chart with its heading, what it shows in words, and the meaning of its colours."""

from collections.abc import Iterable
from dataclasses import dataclass

from wattledger.agent.report.markup import safe


@dataclass(frozen=True, slots=True)
class Key:
    """A class of shapes, and what it stands for."""

    kind: str
    words: str
    is_line: bool = False


def figure(name: str, heading: str, summary: str, keys: Iterable[Key], picture: str) -> str:
    """Give the section of a chart. *name* is its anchor; *summary* is for all readers, below the heading."""
    return (
        f'<section class="figure" id="{name}">\n<h2>{safe(heading)}</h2>\n<p class="sum">{safe(summary)}</p>\n'
        f"{legend(keys)}{picture}</section>\n"
    )


def legend(keys: Iterable[Key]) -> str:
    """Give what colours and textures stand for."""
    items = "".join(f"<li>{swatch(key.kind, is_line=key.is_line)}{safe(key.words)}</li>" for key in keys)
    return f'<ul class="legend">{items}</ul>\n' if items else ""


def swatch(kind: str, *, is_line: bool = False) -> str:
    """Give a small piece of a colour and texture."""
    shape = f'<path class="{kind}" d="M0 6H16"/>' if is_line else f'<rect class="{kind}" width="16" height="12"/>'
    return f'<svg class="key" width="16" height="12" aria-hidden="true">{shape}</svg>'


def missing(name: str, heading: str, words: str) -> str:
    """Give the section in whose place there would be a chart if its numbers were known."""
    return (
        f'<section class="figure" id="{name}">\n<h2>{safe(heading)}</h2>\n'
        f'<p class="none">{safe(words)}</p>\n</section>\n'
    )
