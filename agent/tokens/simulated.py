"""The tokens that simulated boards serve: they follow from the stories that their power follows from.

How long a board has spent in each doing has a closed form, so a counter, which is a rate by doing times these times,
is exact at any moment, the same for everybody who asks, and knows nothing of earlier reads. No joules here.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import (
    Count,
    CounterClass,
    Role,
    SeriesKey,
    Service,
    TokenKind,
    TokenPage,
    TokenRead,
    Withheld,
)

from ..clock import Clock
from ..config.schema import Services
from ..sources.sim_board import Board, board_of
from ..sources.sim_chance import chance
from ..sources.sim_fleet import Fleet, SimHost
from ..sources.sim_profiles import PROFILES
from ..sources.sim_story import CHAT, EMBEDDING, LOADS, OFFICE, ROLES, TRAINING, Doing

READ_EVERY_NS = 5 * NS_PER_SECOND
_READ_STREAM = 103

_PREFILL, _DECODE, _LIGHT, _TRAIN, _CAPPED = Doing.PREFILL, Doing.DECODE, Doing.LIGHT, Doing.TRAIN, Doing.CAPPED
_VLLM_PROMPT = "vllm:prompt_tokens_by_source_total"
_COMPUTED, _CACHED = (("source", "local_compute"),), (("source", "local_cache_hit"),)


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of a server's page. `rates` are tokens a second by doing, on a board with an H100's power limit.

    `step` is the tokens by which it moves: those of a request where a server counts requests that ended.
    """

    kind: TokenKind
    name: str
    rates: tuple[tuple[Doing, int], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    step: int = 1


@dataclass(frozen=True, slots=True)
class Trade:
    """What boards of one role serve. `requests` run and wait, by doing; None: the server does not tell.

    With `is_joint` all boards of the role are one service, else each has its own.
    """

    service: str
    server: str
    model: str
    counters: tuple[Counter, ...]
    requests: tuple[tuple[Doing, tuple[int, int]], ...] | None
    role: Role = Role.UNIFIED
    counter_class: CounterClass = CounterClass.ITERATION
    model_label: str = ""
    is_joint: bool = False

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """Give the labels that every series of the page has."""
        return ((self.model_label, self.model),) if self.model_label else ()


# Rates are assumed, within what was published for each doing. Output of an 8B model on an H100 takes 0.07 J (batch
# 768) to 0.46 J (batch 8) a token (ML.ENERGY Benchmark v3). Prompts and training are bounded by arithmetic: 2 or 6
# operations a parameter and token (16 GFLOP for a prompt to 8B) at about half of the peak.
TRADES: Mapping[str, Trade] = MappingProxyType(
    {
        CHAT.name: Trade(
            "chat", "vllm", "llama-3.1-8b", model_label="model_name",
            counters=(
                Counter(TokenKind.OUTPUT, "vllm:generation_tokens_total", ((_DECODE, 2_400), (_LIGHT, 600))),
                Counter(TokenKind.PROMPT_COMPUTED, _VLLM_PROMPT, ((_PREFILL, 28_000), (_LIGHT, 500)), _COMPUTED),
                Counter(TokenKind.PROMPT_CACHED, _VLLM_PROMPT, ((_PREFILL, 16_000), (_LIGHT, 300)), _CACHED),
            ),
            requests=((_PREFILL, (48, 12)), (_DECODE, (56, 0)), (_LIGHT, (6, 0))),
        ),
        EMBEDDING.name: Trade(  # 0.6B parameters; it puts nothing out, and its server says so
            "search", "vllm", "bge-m3", model_label="model_name",
            counters=(
                Counter(TokenKind.OUTPUT, "vllm:generation_tokens_total"),
                Counter(
                    TokenKind.PROMPT_COMPUTED, _VLLM_PROMPT,
                    ((_PREFILL, 180_000), (_DECODE, 70_000), (_LIGHT, 20_000)), _COMPUTED,
                ),
                Counter(TokenKind.PROMPT_CACHED, _VLLM_PROMPT, (), _CACHED),
            ),
            requests=((_PREFILL, (96, 30)), (_DECODE, (32, 0)), (_LIGHT, (4, 0))),
        ),
        OFFICE.name: Trade(  # few slots, and counters that wait for the end of requests
            "assistant", "llamacpp", "qwen3-8b-q8", counter_class=CounterClass.FINISH,
            counters=(
                Counter(
                    TokenKind.OUTPUT, "llamacpp:tokens_predicted_total",
                    ((_DECODE, 900), (_LIGHT, 140)), step=300,
                ),
                Counter(
                    TokenKind.PROMPT_COMPUTED, "llamacpp:prompt_tokens_total",
                    ((_PREFILL, 7_000), (_LIGHT, 200)), step=700,
                ),
                Counter(
                    TokenKind.PROMPT_CACHED, "llamacpp:prompt_tokens_cached_total",
                    ((_PREFILL, 2_500), (_LIGHT, 60)), step=240,
                ),
            ),
            requests=((_PREFILL, (8, 3)), (_DECODE, (8, 0)), (_LIGHT, (1, 0))),
        ),
        TRAINING.name: Trade(  # nothing is consumed while gradients are summed up or weights are saved
            "pretrain", "push", "llama-3.1-8b", role=Role.TRAINING, is_joint=True,
            counters=(Counter(TokenKind.OUTPUT, "wattledger_job_tokens_total", ((_TRAIN, 9_500), (_CAPPED, 8_800))),),
            requests=None,
        ),
    }
)  # fmt: skip


@dataclass(slots=True)
class _Desk:
    """One service: the boards of it that were seen, and when it is read."""

    name: str
    trade: Trade
    phase_ns: int
    boards: list[Board] = field(default_factory=list)
    last_ns: int = 0  # of the last read, or of the moment since which there is something to read


class SimulatedTokens:
    """Services of the host that *fleet* describes, and reads of their counters. For the tick thread alone.

    Reads have moments of their own, a few seconds apart and up to a tick in the past when they are drained: what a
    board had served at a moment is as well known later.
    """

    def __init__(self, clock: Clock, fleet: Fleet | None = None) -> None:
        self._clock = clock
        self._fleet = fleet or Fleet()
        # Which boot it is matters to the meters of the boards and not to their stories.
        boards = SimHost(self._fleet).boards
        self._boards = {board.identity.uuid: board for board in boards if board.role.name in TRADES}
        self._names = {board.identity.index: service_name(board) for board in self._boards.values()}
        self._holders: dict[str, Collection[int]] | None = None
        self._desks: dict[str, _Desk] = {}
        self._services: tuple[Service, ...] = ()

    def observe(self, holders: Mapping[str, Collection[int]]) -> None:
        """Take which boards there are, and which processes hold each."""
        ours = {uuid: pids for uuid, pids in holders.items() if uuid in self._boards}
        if ours == self._holders:
            return
        self._holders = ours
        since_ns = self._clock.now().mono_ns
        desks: dict[str, _Desk] = {}
        pids: dict[str, set[int]] = {}
        for uuid, here in ours.items():
            board = self._boards[uuid]
            name = self._names[board.identity.index]
            if name not in desks:
                desks[name] = self._desk(name, board, since_ns)
            desks[name].boards.append(board)
            pids.setdefault(name, set()).update(here)
        self._desks = desks
        self._services = tuple(_service(desk, frozenset(pids[name])) for name, desk in sorted(desks.items()))

    def services(self) -> tuple[Service, ...]:
        """Give the services of the boards that there are. One whose process has ended stays: its board has a next."""
        return self._services

    def service_of(self, pid: int) -> str:
        """Give the service that a process works for; empty where it works for none."""
        index = board_of(pid)
        return "" if index is None else self._names.get(index, "")

    def device_service(self, uuid: str) -> str:  # noqa: ARG002  (as of services that are configured)
        """Give the service that the configuration gives a device to: none."""
        return ""

    def drain(self) -> list[TokenRead]:
        """Read each service that is due. Moments that passed while nobody asked are not made up for."""
        now = self._clock.now()
        reads: list[TokenRead] = []
        for desk in self._desks.values():
            due_ns = now.mono_ns - (now.mono_ns - desk.phase_ns) % READ_EVERY_NS
            if due_ns > desk.last_ns:
                desk.last_ns = due_ns
                reads.append(_read(desk, _moment(due_ns, now)))
        return reads

    def apply(self, section: Services) -> None:
        """Do nothing: what is simulated is not configured."""

    def start(self) -> None:
        """Do nothing: reads take no time, and are made when they are drained."""

    def close(self) -> None:
        """Read nothing any more."""
        self._holders, self._desks, self._services = None, {}, ()

    def _desk(self, name: str, board: Board, since_ns: int) -> _Desk:
        before = self._desks.get(name)
        phase_ns = chance(self._fleet.seed, _READ_STREAM, board.identity.index) % READ_EVERY_NS
        return _Desk(name, TRADES[board.role.name], phase_ns, last_ns=since_ns if before is None else before.last_ns)


def service_name(board: Board) -> str:
    """Give the service of a board whose role has a trade: the first board of a role goes without a number."""
    trade, turn = TRADES[board.role.name], board.identity.index // len(ROLES)
    return trade.service if trade.is_joint or not turn else f"{trade.service}-{turn}"


def tokens_of(board: Board, counter: Counter, mono_ns: int) -> int:
    """Give what *counter* of the board's server says at *mono_ns*: the tokens since its process began."""
    story, limit_mw = board.physics.story, board.physics.profile.limit_mw
    before, after = story.spent_ns(_began_ns(board, mono_ns)), story.spent_ns(mono_ns)
    served = sum(rate * (after[doing] - before[doing]) for doing, rate in counter.rates)
    tokens = served * limit_mw // (PROFILES["h100"].limit_mw * NS_PER_SECOND)
    return tokens - tokens % counter.step


def _began_ns(board: Board, mono_ns: int) -> int:
    """Give when the process began that serves at *mono_ns*, or is the next to do so."""
    if not board.role.restarts:
        return 0
    return max(0, board.physics.story.cycle_start_ns(mono_ns) + board.role.vacant_ns)


def _service(desk: _Desk, pids: frozenset[int]) -> Service:
    trade = desk.trade
    return Service(desk.name, trade.server, role=trade.role, counter_class=trade.counter_class, pids=pids)


def _read(desk: _Desk, at: Instant) -> TokenRead:
    board = desk.boards[0]  # a service of several boards has no restarts
    doing = board.physics.story.doing(at.mono_ns)
    if not LOADS[doing].context:
        return TokenRead(
            desk.name, at, None, problem=Withheld.UNREACHABLE, detail="its process has ended", not_serving=True
        )
    if doing is Doing.LOADING:
        return TokenRead(
            desk.name, at, None, problem=Withheld.UNREACHABLE, detail="HTTP 503: loading the model", not_serving=True
        )
    began_ns = _began_ns(board, at.mono_ns)
    return TokenRead(
        desk.name, at, _page(desk, doing, at.mono_ns), process=str(began_ns), started=_moment(began_ns, at)
    )


def _page(desk: _Desk, doing: Doing, mono_ns: int) -> TokenPage:
    trade = desk.trade
    counts: dict[SeriesKey, Count] = {}
    for board in desk.boards:
        rank = (("rank", str(board.identity.index)),) if trade.is_joint else ()
        for counter in trade.counters:
            labels = tuple(sorted((*trade.labels, *counter.labels, *rank)))
            tokens = tokens_of(board, counter, mono_ns)
            counts[counter.name, labels] = Count(counter.kind, trade.model, float(tokens))
    if trade.requests is None:
        return TokenPage(counts)
    running, waiting = dict(trade.requests).get(doing, (0, 0))
    return TokenPage(counts, running=float(running), waiting=float(waiting))


def _moment(mono_ns: int, near: Instant) -> Instant:
    """Give a moment of the monotonic clock on both, with the wall clock as it is at *near*."""
    return Instant(mono_ns, near.wall_ns - (near.mono_ns - mono_ns))
