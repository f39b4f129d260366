"""Joules per token over the last windows of one service, and whether they can be told; it never guesses one."""

from collections import deque
from dataclasses import dataclass, field

from wattledger.rules.instant import NS_PER_SECOND

from .model import CounterClass, Role, TokenKind, Withheld
from .policy import TokenPolicy
from .totals import COVERED_PHASES, Phase, Scope, ServiceWindow, Tokens
from .view import Per, Ratio

# However short the windows are, no more of them are kept.
WINDOWS_LIMIT = 1024
_KINDS = tuple(TokenKind)
_UNCOVERED_PHASES = frozenset({Phase.RESTART, Phase.UNREAD})
_NEEDED = {
    Per.OUTPUT: (TokenKind.OUTPUT,),
    Per.TOTAL: (TokenKind.PROMPT, TokenKind.OUTPUT),
    Per.COMPUTED: (TokenKind.PROMPT_COMPUTED, TokenKind.OUTPUT),
    Per.PREFILL: (TokenKind.PROMPT_COMPUTED,),
    Per.DECODE: (TokenKind.OUTPUT,),
}
_OF_ROLE = {
    Role.UNIFIED: (Per.OUTPUT, Per.TOTAL, Per.COMPUTED),
    Role.PREFILL: (Per.PREFILL,),
    Role.DECODE: (Per.DECODE,),
    Role.TRAINING: (Per.TRAINING,),
}


@dataclass(slots=True)
class _Sums:
    """Whole numbers, so that what was added can be taken off again exactly."""

    covered_mj: int = 0
    uncovered_mj: int = 0
    active_mj: int = 0
    unknown_mj: int = 0
    shared_mj: int = 0
    equal_mj: int = 0
    covered_ns: int = 0
    pauses: int = 0  # windows that are covered and had no tokens
    drafts: int = 0
    drafts_wasted: int = 0
    requests: int = 0
    request_ns: int = 0
    tokens: dict[TokenKind, int] = field(default_factory=lambda: dict.fromkeys(TokenKind, 0))
    training: int = 0
    missing: dict[TokenKind, int] = field(default_factory=lambda: dict.fromkeys(TokenKind, 0))  # where it is unknown

    def add(self, window: ServiceWindow, sign: int) -> None:
        if window.phase in _UNCOVERED_PHASES or window.lossy:
            self.uncovered_mj += sign * window.total_mj
        elif window.phase in COVERED_PHASES:
            self._add_covered(window, sign)

    def _add_covered(self, window: ServiceWindow, sign: int) -> None:
        self.covered_mj += sign * window.total_mj
        self.active_mj += sign * window.active_mj
        self.unknown_mj += sign * window.unknown_mj
        self.shared_mj += sign * window.shared_mj
        self.equal_mj += sign * window.equal_mj
        self.covered_ns += sign * window.duration_ns
        self.drafts += sign * window.drafts
        self.drafts_wasted += sign * window.drafts_wasted
        self.requests += sign * window.requests
        self.request_ns += sign * window.request_ns
        came = False
        for tokens in window.tokens.values():
            if not any(tokens.values()):
                continue
            came = True
            self.training += sign * _consumed(tokens)
            for kind in _KINDS:
                self.tokens[kind] += sign * tokens.get(kind, 0)
                self.missing[kind] += sign * (kind not in tokens)
        self.pauses += sign * (not came)


class StatedWindow:
    """The last windows of a service that together reach as far back as ratios are to be over."""

    def __init__(self, policy: TokenPolicy) -> None:
        self._policy = policy
        self._windows: deque[ServiceWindow] = deque()
        self._sums = _Sums()

    def add(self, window: ServiceWindow) -> None:
        """Take the next window; those that end too long before it go. The first is one whose tokens are known."""
        if not self._windows and window.phase not in COVERED_PHASES:
            return
        self._windows.append(window)
        self._sums.add(window, 1)
        from_ns = window.end.mono_ns - self._policy.ratio_window_ns
        while self._windows[0].end.mono_ns <= from_ns or len(self._windows) > WINDOWS_LIMIT:
            self._sums.add(self._windows.popleft(), -1)

    def clear(self) -> None:
        """Begin anew."""
        self._windows.clear()
        self._sums = _Sums()

    @property
    def window_ns(self) -> int:
        """Give the time from the first start to the last end."""
        return self._windows[-1].end.mono_ns - self._windows[0].start.mono_ns if self._windows else 0

    @property
    def has_energy(self) -> bool:
        """Tell whether any energy was drawn, whatever for."""
        return any(window.total_mj for window in self._windows)

    @property
    def is_shared(self) -> bool:
        """Tell whether some of the energy came from devices that others held too."""
        return self._sums.shared_mj > 0

    @property
    def coverage(self) -> float | None:
        """Give the part of the energy that has tokens to go with, be they none; None without energy."""
        sums = self._sums
        known_mj = sums.covered_mj + sums.uncovered_mj
        return sums.covered_mj / known_mj if known_mj else None

    @property
    def wasted_draft_ratio(self) -> float | None:
        """Give the part of speculated tokens that was rejected; None where none was speculated."""
        return self._sums.drafts_wasted / self._sums.drafts if self._sums.drafts > 0 else None

    def tokens_per_second(self, role: Role) -> float | None:
        """Give the rate of the tokens that *role* is about, over the time whose tokens are known."""
        tokens = self._tokens(_OF_ROLE[role][0])
        return None if tokens is None or not self._sums.covered_ns else tokens * NS_PER_SECOND / self._sums.covered_ns

    def ratios(self, role: Role, model: str) -> tuple[Ratio, ...]:
        """Give every ratio that can be told."""
        sums, found = self._sums, []
        for per in _OF_ROLE[role]:
            tokens = self._tokens(per)
            if tokens is None or tokens < self._policy.tokens_min:
                continue
            # Where it cannot be told when devices worked, energy of work would be too small.
            if sums.active_mj and not self._is_much(sums.unknown_mj):
                found.append(Ratio(model, per, Scope.ACTIVE, sums.active_mj / 1000 / tokens))
            if sums.covered_mj:
                found.append(Ratio(model, per, Scope.TOTAL, sums.covered_mj / 1000 / tokens))
        return tuple(found)

    def is_implausible(self, ratios: tuple[Ratio, ...]) -> bool:
        """Tell whether joules per output token are far from what was ever measured (tokens.md section 5)."""
        policy = self._policy
        per_output = [ratio.joules for ratio in ratios if ratio.per in {Per.OUTPUT, Per.DECODE}]
        return (
            bool(per_output)
            and self._sums.tokens[TokenKind.OUTPUT] >= policy.plausible_tokens
            # The first is that of work, where it is known.
            and not policy.plausible_from_joules <= per_output[0] <= policy.plausible_to_joules
        )

    def is_shared_without_method(self) -> bool:
        """Tell whether much of the energy was split among holders that nothing tells apart."""
        return self._is_much(self._sums.equal_mj)

    def withheld(self, role: Role, counter_class: CounterClass, ratios: tuple[Ratio, ...]) -> Withheld | None:
        """Give what in the windows themselves speaks against *ratios*."""
        coverage = self.coverage
        if coverage is not None and coverage < self._policy.coverage_min:
            return Withheld.COVERAGE
        if counter_class is CounterClass.FINISH and self._sums.covered_ns < self._finish_ns():
            return Withheld.SHORT_WINDOW
        if ratios:
            return None
        counts = [count for per in _OF_ROLE[role] if (count := self._tokens(per)) is not None]
        is_few = 0 < max(counts, default=0) < self._policy.tokens_min
        return Withheld.FEW_TOKENS if is_few else Withheld.NO_TOKENS

    def _finish_ns(self) -> int:
        """Give how much time must be seen where tokens are counted only when their request ends."""
        sums, policy = self._sums, self._policy
        least_ns = policy.finish_quiet_ns if sums.pauses else policy.finish_busy_ns
        if sums.requests:
            least_ns = max(least_ns, policy.finish_requests * sums.request_ns // sums.requests)
        return least_ns

    def _tokens(self, per: Per) -> int | None:
        """Give the tokens to divide by; None where a kind of them was not known all the time."""
        sums = self._sums
        if per is Per.TRAINING:
            return sums.training
        tokens = 0
        for kind in _NEEDED[per]:
            if sums.missing[kind]:
                return None
            tokens += sums.tokens[kind]
        return tokens

    def _is_much(self, part_mj: int) -> bool:
        return part_mj > (1 - self._policy.coverage_min) * self._sums.covered_mj


def _consumed(tokens: Tokens) -> int:
    prompt = tokens.get(TokenKind.PROMPT)
    if prompt is None:
        prompt = tokens.get(TokenKind.PROMPT_COMPUTED, 0) + tokens.get(TokenKind.PROMPT_CACHED, 0)
    return prompt + tokens.get(TokenKind.OUTPUT, 0)
