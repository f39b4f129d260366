"""Pages of servers that the catalogue knows: which server one is of, and what it says; whose it is is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tokens.model import TokenPage, Withheld
from wattledger.rules.tokens.server import ServerFacts, ServerSpec, inspect, name_filter, read_page, recognise

from .access import Access
from .fetch import TIMEOUT_NS, Body, Failure, FetchError
from .page import Page, PageError, read_samples

_MODELS_BYTES = 1 << 20
_MODEL_CHARACTERS = 200
_MODELS_TIMEOUT_NS = NS_PER_SECOND


class ReadError(Exception):
    """A page is not there or not understood; the message says why.

    `is_final`: what answers is no server of pages. `not_serving`: nobody listens there, or it says it is not ready.
    """

    def __init__(self, problem: Withheld, reason: str, *, is_final: bool = False, not_serving: bool = False) -> None:
        super().__init__(reason)
        self.problem = problem
        self.is_final = is_final
        self.not_serving = not_serving


@dataclass(frozen=True, slots=True)
class Told:
    """What one page told: the server's facts and its counters."""

    facts: ServerFacts
    page: TokenPage

    @property
    def lacks_model(self) -> bool:
        """Tell whether some counter is of no named model."""
        return any(not count.model for count in self.page.counts.values())


class PageReader:
    """Reads pages by one catalogue. Every method may be called by several threads at a time."""

    def __init__(self, catalogue: tuple[ServerSpec, ...]) -> None:
        self._catalogue = catalogue
        self._wanted = name_filter(catalogue)
        self.paths = tuple(dict.fromkeys(path for spec in catalogue for path in spec.paths))

    def spec(self, key: str) -> ServerSpec | None:
        """Give the entry of *key*."""
        return next((spec for spec in self._catalogue if spec.key == key), None)

    def paths_of(self, kind: str) -> tuple[str, ...]:
        """Give the paths at which servers of *kind* have their page; of any kind where it is empty or not known."""
        spec = self.spec(kind)
        return self.paths if spec is None else spec.paths

    def keys(self) -> tuple[str, ...]:
        """Give the keys of all entries."""
        return tuple(spec.key for spec in self._catalogue)

    def identify(self, access: Access, paths: Sequence[str], kind: str = "") -> tuple[ServerSpec, str]:
        """Find the path whose page is of a known server, of *kind* if given. Raises ReadError.

        Where nothing answers, or nothing that speaks HTTP, the other paths are not tried.
        """
        reasons: list[str] = []
        not_serving = False
        wanted = self._of_kind(kind)
        for path in paths:
            try:
                page = self.samples(access.get(path))
            except FetchError as error:
                if error.failure is not Failure.REFUSED:
                    raise _unreachable(error) from None
                reasons.append(f"{path}: {error}")
                not_serving = not_serving or error.not_serving
                continue
            except PageError as error:
                reasons.append(f"{path}: {error}")
                continue
            spec = recognise(wanted, page.names)
            if spec is not None:
                return spec, path
            reasons.append(f"{path}: no token counters" + (f" of {kind}" if kind else " of a known server"))
        raise ReadError(Withheld.NOT_UNDERSTOOD, "; ".join(reasons), not_serving=not_serving)

    def get(self, access: Access, path: str) -> Body:
        """Give the page at *path*. Raises ReadError."""
        try:
            return access.get(path, timeout_ns=TIMEOUT_NS)
        except FetchError as error:
            raise _unreachable(error) from None

    def understand(self, spec: ServerSpec, body: Body, command: Sequence[str], model: str) -> Told:
        """Give what a page of *spec* says. *model* names the model where no label does. Raises ReadError."""
        try:
            page = self.samples(body)
        except PageError as error:
            raise ReadError(Withheld.NOT_UNDERSTOOD, str(error)) from None
        if recognise((spec,), page.names) is None:
            raise ReadError(Withheld.NOT_UNDERSTOOD, f"the page has no token counters of {spec.key}")
        facts = inspect(spec, page.samples, command)
        return Told(facts, read_page(spec, page.samples, facts, model))

    def samples(self, body: Body) -> Page:
        """Give what of a page is worth reading. Raises PageError."""
        return read_samples(body.content, self._wanted, is_framed=body.is_framed)

    def model(self, access: Access, path: str) -> str:
        """Give the name of the first model that a server lists. Raises ReadError."""
        try:
            body = access.get(
                path, accept="application/json", timeout_ns=_MODELS_TIMEOUT_NS, most_bytes=_MODELS_BYTES
            )
        except FetchError as error:
            raise ReadError(Withheld.UNREACHABLE, f"{path}: {error}") from None
        return _first_model(body.content, path)

    def _of_kind(self, kind: str) -> tuple[ServerSpec, ...]:
        if not kind:
            return self._catalogue
        spec = self.spec(kind)
        if spec is None:
            raise ReadError(
                Withheld.NOT_UNDERSTOOD, f"kind {kind!r} is not known; write one of {', '.join(self.keys())}"
            )
        return (spec,)


def _first_model(content: bytes, path: str) -> str:
    import json  # noqa: PLC0415  (only where a page names no model)

    try:
        name = json.loads(content)["data"][0]["id"]
    except (ValueError, LookupError, TypeError, RecursionError):  # no JSON, or of another shape
        raise ReadError(Withheld.NOT_UNDERSTOOD, f"{path}: no list of models") from None
    # Servers that are given a file give its path. Names are shown to others: what is no text in them is not.
    shown = name.rstrip("/").rpartition("/")[2] if isinstance(name, str) else ""
    shown = "".join(character for character in shown if character.isprintable())[:_MODEL_CHARACTERS]
    if not shown:
        raise ReadError(Withheld.NOT_UNDERSTOOD, f"{path}: the model has no name")
    return shown


def _unreachable(error: FetchError) -> ReadError:
    is_final = error.failure is Failure.NOT_HTTP
    return ReadError(Withheld.UNREACHABLE, str(error), is_final=is_final, not_serving=error.not_serving)
