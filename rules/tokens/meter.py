"""From successive pages of one server process to what was counted in between; energy and time are not its matter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from wattledger.rules.instant import NS_PER_SECOND

from .model import SeriesKey, TokenKind, TokenPage
from .totals import Tokens


@dataclass(frozen=True, slots=True)
class TokenDelta:
    """What was counted from one page to the next. A kind that is not there is not known; one that is 0 did not come.

    `fell` tells that a counter went back: what it counted meanwhile is not in here.
    """

    tokens: dict[str, Tokens] = field(default_factory=dict)
    preemptions: int = 0
    drafts: int = 0
    drafts_wasted: int = 0
    requests: int = 0
    request_ns: int = 0
    fell: bool = False

    @property
    def came(self) -> bool:
        """Tell whether there were tokens at all."""
        return any(count for tokens in self.tokens.values() for count in tokens.values())


NO_DELTA = TokenDelta()


class _Tally:
    """One counter: its last value, and the highest that it ever had."""

    __slots__ = ("highest", "last")

    def __init__(self) -> None:
        self.last = self.highest = 0


class _Tallies:
    """All counters of one sort. One that is not on a page is kept; one that was on none before counts whole."""

    def __init__(self) -> None:
        self._known: dict[SeriesKey, _Tally] = {}
        self.fell = False

    def to(self, key: SeriesKey, value: float, unit: int = 1) -> int:
        """Give what one counter has counted up to *value*, in whole parts of its unit."""
        if not 0 <= value < inf:
            return 0  # says nothing, like a series that is not there
        tally = self._known.get(key)
        if tally is None:
            tally = self._known[key] = _Tally()
        here = int(value * unit)
        last, highest = tally.last, tally.highest
        tally.last = here
        if here >= highest:
            tally.highest = here
            # One that fell and leaps back to where it was has counted nothing twice.
            self.fell = self.fell or last < highest
            return here - highest
        if here < last:
            self.fell = True
            return 0
        return here - last

    def all_to(self, values: Mapping[SeriesKey, float] | None, unit: int = 1) -> int:
        """Give what all counters of *values* have counted together."""
        return sum(self.to(key, value, unit) for key, value in (values or {}).items())


class TokenMeter:
    """Counts one process of one server. `begin` with its first page, then `advance` with each later one.

    Deltas are taken of every series by its full identity, and only then summed.
    """

    def __init__(self, *, models_limit: int) -> None:
        self._models_limit = models_limit
        self._forget()

    def _forget(self) -> None:
        self._tokens = _Tallies()
        self._others = _Tallies()  # names tell these apart
        self._kinds: dict[str, dict[TokenKind, None]] = {}  # what is known of each model, in the order of sight
        self._owed: dict[tuple[str, str], int] = {}  # differences below 0, to be taken from later ones

    @property
    def models(self) -> tuple[str, ...]:
        """Give the models that this process has counted for."""
        return tuple(self._kinds)

    def begin(self, page: TokenPage) -> TokenDelta:
        """Take the first page of a process; give what the process has counted since it began."""
        self._forget()
        return self.advance(page)

    def advance(self, page: TokenPage) -> TokenDelta:
        """Take the next page of the same process; give what was counted since the page before."""
        self._tokens.fell = False
        raw: dict[str, Tokens] = {}
        for key, count in page.counts.items():
            model = self._model(count.model)
            tokens = raw.setdefault(model, {})
            tokens[count.kind] = tokens.get(count.kind, 0) + self._tokens.to(key, count.value)
            self._kinds[model][count.kind] = None
        proposed = self._others.all_to(page.drafts_proposed)
        accepted = self._others.all_to(page.drafts_accepted)
        return TokenDelta(
            tokens={model: self._complete(model, raw.get(model, {})) for model in self._kinds},
            preemptions=self._others.all_to(page.preemptions),
            drafts=proposed,
            drafts_wasted=self._difference("", "drafts", proposed - accepted),
            requests=self._others.all_to(page.requests_finished),
            # In whole microseconds: a float of seconds holds no more after some years.
            request_ns=self._others.all_to(page.request_seconds, unit=1_000_000) * (NS_PER_SECOND // 1_000_000),
            fell=self._tokens.fell,
        )

    def _model(self, model: str) -> str:
        if model not in self._kinds:
            if len(self._kinds) >= self._models_limit:
                model = ""
            self._kinds.setdefault(model, {})
        return model

    def _complete(self, model: str, raw: Tokens) -> Tokens:
        """Add the one of prompt = cached + computed that the other two tell; with fewer than two it is not known."""
        tokens = {kind: raw.get(kind, 0) for kind in self._kinds[model]}
        prompt = tokens.get(TokenKind.PROMPT)
        cached = tokens.get(TokenKind.PROMPT_CACHED)
        computed = tokens.get(TokenKind.PROMPT_COMPUTED)
        if prompt is not None and cached is not None and computed is None:
            kind = TokenKind.PROMPT_COMPUTED
            tokens[kind] = self._difference(model, kind, prompt - cached)
        elif prompt is not None and computed is not None and cached is None:
            kind = TokenKind.PROMPT_CACHED
            tokens[kind] = self._difference(model, kind, prompt - computed)
        elif cached is not None and computed is not None and prompt is None:
            tokens[TokenKind.PROMPT] = cached + computed
        return tokens

    def _difference(self, model: str, what: str, difference: int) -> int:
        """Give a difference of counters that move at different moments: what is below 0 is taken from the next."""
        difference += self._owed.pop((model, what), 0)
        if difference < 0:
            self._owed[model, what] = difference
        return max(0, difference)
