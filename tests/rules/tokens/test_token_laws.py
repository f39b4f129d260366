"""The laws as properties, over arbitrary lives of servers, devices and agents."""

from dataclasses import dataclass, field

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.rules.tokens.stage import CHAT, Device, Stage, instant, page
from wattledger.rules.state import State
from wattledger.rules.tokens.model import Service, TokenKind, Withheld
from wattledger.rules.tokens.totals import COVERED_PHASES, Phase, ServiceTotal
from wattledger.rules.usage.workload import ShareMethod

NAMES = ("chat", "code")
SERVICES = tuple(Service(name, CHAT.server, CHAT.role, CHAT.counter_class) for name in NAMES)
lengths = st.one_of(st.floats(0.3, 3), st.floats(8, 40), st.floats(50, 900))
events = st.one_of(
    st.tuples(st.just("run"), st.floats(0.5, 12)),
    st.tuples(st.just("read"), st.sampled_from(NAMES)),
    st.tuples(st.just("fail"), st.sampled_from(NAMES)),
    st.tuples(st.just("work"), st.tuples(st.sampled_from(NAMES), st.integers(0, 5000))),
    st.tuples(st.just("restart"), st.tuples(st.sampled_from(NAMES), st.floats(0, 90))),
    st.tuples(st.just("restart agent"), st.booleans()),
)
disasters = st.one_of(
    events,
    st.tuples(st.just("late"), st.tuples(st.sampled_from("ab"), lengths)),
    st.tuples(st.just("silence"), lengths),
    st.tuples(st.just("power"), st.tuples(st.sampled_from("ab"), st.integers(0, 700_000))),
    st.tuples(st.just("holder"), st.tuples(st.sampled_from("ab"), st.sampled_from(("", *NAMES)))),
    st.tuples(st.just("state"), st.tuples(st.sampled_from("ab"), st.sampled_from(State))),
    st.tuples(st.just("method"), st.tuples(st.sampled_from("ab"), st.sampled_from(ShareMethod))),
    st.tuples(st.just("listed"), st.sampled_from([NAMES, ("chat",), ()])),
    st.tuples(st.just("nameless"), st.booleans()),
    st.tuples(st.just("old read"), st.sampled_from(NAMES)),
    st.tuples(st.just("reset"), st.sampled_from(NAMES)),
    st.tuples(st.just("model"), st.sampled_from(["m", "n"])),
)
Story = list[tuple[str, object]]


@dataclass(slots=True)
class Server:
    """Makes tokens at a constant rate once it has loaded; `made` is what all its processes ever made."""

    name: str
    rate: int = 100
    process: int = 1
    started: float = -100
    ready: float = -100
    count: float = 0
    made: float = 0

    def advance(self, start: float, end: float) -> None:
        tokens = self.rate * max(0.0, end - max(start, self.ready))
        self.count += tokens
        self.made += tokens

    def restart(self, at: float, loading: float) -> None:
        self.process, self.started, self.ready, self.count = self.process + 1, at, at + loading, 0


@dataclass(slots=True)
class Life:
    """Two devices, two servers, one agent. Ticks come every 0.9 to 1.1 s; time is in whole milliseconds."""

    stage: Stage
    servers: dict[str, Server]
    now: float = 0
    nameless: bool = False
    model: str = "m"
    late: dict[str, float] = field(default_factory=dict)
    ticks: int = 0

    def run(self, seconds: float, *, silent: bool = False) -> None:
        until = round(self.now + seconds, 3)
        while self.now < until:
            self.ticks += 1
            step = until - self.now if silent else min(until - self.now, 0.9 + self.ticks * 37 % 21 / 100)
            self.wait(step)
            here = self.now
            self.stage.tick(here, only=[d.uuid for d in self.stage.devices if self.late.get(d.uuid, 0) <= here])

    def wait(self, seconds: float) -> None:
        here = round(self.now + seconds, 3)
        for server in self.servers.values():
            server.advance(self.now, here)
        self.now = here

    def skew(self) -> None:
        """Let some time pass: ticks take no heed of reads."""
        self.wait(self.ticks * 53 % 70 / 100)

    def read(self, name: str, *, fails: bool = False, at: float | None = None) -> None:
        self.skew()
        server = self.servers[name]
        up = self.now >= server.ready and not fails
        shown = page(server.count, 3 * server.count, running=server.rate and 1, model=self.model) if up else None
        process, started = ("", None) if self.nameless else (str(server.process), server.started)
        self.stage.read(
            self.now if at is None else at,
            shown,
            process=process,
            started=started,
            service=name,
            problem=None if up else Withheld.UNREACHABLE,
            not_serving=self.now < server.ready,
        )

    def live(self, name: str, value: object) -> None:
        match name, value:
            case "run", float(seconds):
                self.run(seconds)
            case "silence", float(seconds):
                self.run(seconds, silent=True)
            case "read", str(service):
                self.read(service)
            case "fail", str(service):
                self.read(service, fails=True)
            case "old read", str(service):
                self.read(service, at=max(0, self.now - 3))
            case "work", (str(service), int(rate)):
                self.servers[service].rate = rate
            case "restart", (str(service), float(loading)):
                self.wait(0.001)
                self.servers[service].restart(self.now, round(loading, 3))
            case "reset", str(service):
                self.servers[service].count = 0
            case "restart agent", bool(clean):
                if clean:
                    self.stage.windows += self.stage.book.close(instant(self.now))
                    self.stage.kept |= {total.key: total for total in self.stage.book.take_changes()}
                self.stage.start_agent()
                self.run(1)
            case "late", (str(uuid), float(seconds)):
                self.late[uuid] = self.now + seconds
            case "power", (str(uuid), int(power_mw)):
                self.device(uuid).power_mw = power_mw
            case "holder", (str(uuid), str(service)):
                self.device(uuid).service = service
            case "state", (str(uuid), State() as state):
                self.device(uuid).state = state
            case "method", (str(uuid), ShareMethod() as method):
                self.device(uuid).method = method
            case "listed", tuple(names):
                self.stage.book.set_services([service for service in SERVICES if service.name in names])
            case "nameless", bool(nameless):
                self.nameless = nameless
            case "model", str(model):
                self.model = model

    def device(self, uuid: str) -> Device:
        return next(device for device in self.stage.devices if device.uuid == uuid)


def new_life() -> Life:
    devices = Device("a", service="chat"), Device("b", 500_000, service="code")
    return Life(Stage(*devices, services=SERVICES), {name: Server(name) for name in NAMES})


def numbers(total: ServiceTotal) -> list[int]:
    """Give everything of a total that may not fall."""
    phases = [total.phases.get(phase, 0) for phase in Phase]
    tokens = [total.tokens.get(kind, 0) for kind in TokenKind]
    return [total.active_mj, total.total_mj, *phases, *tokens, total.last_wall_ns]


def lived(story: Story) -> Life:
    life = new_life()
    for name, value in story:
        life.live(name, value)
    return life


@settings(max_examples=200)
@given(st.lists(disasters.filter(lambda event: event[0] != "restart agent"), max_size=40))
def test_conservation_windows_and_what_is_pending_are_the_parts(story: Story) -> None:
    life = new_life()
    for name, value in story:
        life.live(name, value)
        for service in NAMES:
            assert life.stage.conserves(service)
    life.stage.windows += life.stage.book.close(instant(life.now))
    for service in NAMES:
        assert life.stage.conserves(service)
        assert life.stage.book.pending_mj(service) <= sum(
            part.energy_mj for part in life.stage.parts if part.end.mono_ns > instant(life.now).mono_ns
        )


@settings(max_examples=200)
@given(st.lists(disasters, max_size=40))
def test_conservation_totals_are_the_sum_of_their_windows(story: Story) -> None:
    stage = lived(story).stage
    for service in NAMES:
        rows = [total for total in stage.kept.values() if total.service == service]
        windows = [window for window in stage.windows if window.service == service]
        covered = [window for window in windows if window.phase in COVERED_PHASES]
        assert sum(row.total_mj for row in rows) == sum(window.total_mj for window in covered)
        assert sum(row.active_mj for row in rows) == sum(window.active_mj for window in covered)
        for phase in Phase:
            booked_mj = sum(row.phases.get(phase, 0) for row in rows)
            assert booked_mj == sum(window.total_mj for window in windows if window.phase is phase)
        for model in ("m", "n"):
            for kind in TokenKind:
                counted = sum(window.tokens.get(model, {}).get(kind, 0) for window in covered)
                assert stage.tokens(model, service).get(kind, 0) == counted
        assert all(window.tokens == {} for window in windows if window.phase not in COVERED_PHASES)
        assert all(0 <= window.active_mj <= window.total_mj for window in windows)


@settings(max_examples=200)
@given(st.lists(disasters, max_size=40))
def test_monotony_no_total_ever_falls(story: Story) -> None:
    life = new_life()
    for name, value in story:
        before = dict(life.stage.kept)
        life.live(name, value)
        for key, total in before.items():
            after = numbers(life.stage.kept[key])
            assert all(new >= old for new, old in zip(after, numbers(total), strict=True))


@settings(max_examples=200)
@given(st.lists(disasters.filter(lambda event: event[0] != "restart agent"), max_size=40))
def test_windows_of_a_service_follow_each_other(story: Story) -> None:
    stage = lived(story).stage
    for service in NAMES:
        end_ns = None
        for window in (window for window in stage.windows if window.service == service):
            assert window.start < window.end
            assert end_ns is None or window.start.mono_ns >= end_ns
            end_ns = window.end.mono_ns


@settings(max_examples=300)
@given(
    st.lists(
        disasters.filter(lambda event: event[0] not in {"nameless", "reset", "old read"}),
        max_size=40,
    )
)
def test_no_token_is_counted_twice_over_restarts_of_servers_and_agents(story: Story) -> None:
    life = lived(story)
    for name, server in life.servers.items():
        counted = sum(life.stage.tokens(model, name).get(TokenKind.OUTPUT, 0) for model in ("m", "n"))
        assert counted <= server.made + 1


@settings(max_examples=300)
@given(
    st.lists(
        events.filter(lambda event: event[0] != "work"),
        max_size=60,
    ),
    st.integers(1000, 5000),
)
# A server that has just begun anew, and is at work while it does not answer in time.
@example([("run", 1.0), ("restart", ("code", 0.0)), ("fail", "code"), ("read", "code"), ("run", 1.0)], 1000)
def test_tokens_never_come_without_their_energy(story: Story, rate: int) -> None:
    """At constant draw and rate no window is cheaper than the truth, however servers and agents restart."""
    life = new_life()
    for server in life.servers.values():
        server.rate = rate
    for name, value in story:
        life.live(name, value)
    for window in life.stage.windows:
        power_mw = {"chat": 300_000, "code": 500_000}[window.service]
        tokens = window.tokens.get("m", {}).get(TokenKind.OUTPUT, 0)
        assert window.total_mj * rate + 2 * power_mw >= power_mw * tokens


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["run", "read"]), st.floats(0.5, 12)), max_size=40), st.integers(1, 5000))
def test_the_ratio_is_exact_while_nothing_happens_but_time(story: list[tuple[str, float]], rate: int) -> None:
    life = new_life()
    life.servers["chat"].rate = rate
    for name, seconds in story:
        life.run(seconds)
        if name == "read":
            life.read("chat")
    life.run(2)
    for window in life.stage.windows:
        if window.phase in COVERED_PHASES:
            tokens = window.tokens["m"][TokenKind.OUTPUT]
            assert abs(window.total_mj * rate - 300_000 * tokens) <= 300_000 + rate
    covered_ns = sum(window.duration_ns for window in life.stage.windows if window.phase in COVERED_PHASES)
    assert abs(life.stage.tokens().get(TokenKind.OUTPUT, 0) - rate * covered_ns / 10**9) <= 1


@settings(max_examples=150)
@given(st.lists(st.tuples(st.floats(0.5, 12), st.booleans(), st.integers(0, 5000)), min_size=1, max_size=30))
def test_splitting_more_reads_change_no_sum(story: list[tuple[float, bool, int]]) -> None:
    lives = [new_life(), new_life()]
    for life, reads_always in zip(lives, (True, False), strict=True):
        life.run(3)
        life.read("chat")
        for seconds, is_read, rate in story:
            life.run(seconds)
            if is_read or reads_always:
                life.read("chat")
            else:
                life.skew()
            life.live("work", ("chat", rate))
        life.read("chat")
        life.run(0.5)
        life.read("chat")
        life.run(2)
    often, seldom = (life.stage for life in lives)
    assert often.tokens() == seldom.tokens()
    assert sum(mj for _, _, mj in often.phases()) == sum(mj for _, _, mj in seldom.phases())
    assert often.kept["chat", "m"].total_mj == seldom.kept["chat", "m"].total_mj


@settings(max_examples=100)
@given(st.lists(disasters, max_size=30))
def test_replay_the_same_input_gives_the_same_books(story: Story) -> None:
    one, two = lived(story).stage, lived(story).stage
    assert one.windows == two.windows
    assert one.kept == two.kept
    assert list(one.kept) == list(two.kept)
    assert one.book.views() == two.book.views()
