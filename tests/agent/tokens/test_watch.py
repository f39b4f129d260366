"""Services and their counters kept up to date on a thread of its own, from real servers."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.tokens.raw_server import ok, serving
from tests.agent.tokens.running import FewProcesses, Running, page_server, until
from wattledger.agent.clock import Clock, SystemClock
from wattledger.agent.tokens.catalogue import load_catalogue
from wattledger.agent.tokens.settings import ConfiguredService, TokenSettings
from wattledger.agent.tokens.watch import TokenInput, TokenWatch
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import CounterClass, Role, Service, TokenKind, TokenPage, TokenRead, Withheld
from wattledger.rules.tokens.server import ServerSpec

_UUID = "GPU-0"
_QUICK = TokenSettings(interval_ns=NS_PER_SECOND // 10)


@dataclass
class Host:
    """A watch of a host with the processes of the test alone."""

    processes: FewProcesses
    watch: TokenWatch
    clock: Clock
    reads: list[TokenRead] = field(default_factory=list)

    def hold(self, *pids: int) -> None:
        """Let these hold the device."""
        self.processes.add(*pids)
        self.watch.observe({_UUID: pids})

    def turn(self) -> None:
        """Make one turn."""
        self.watch.turn(self.clock.now())

    def turn_until(self, happened: Callable[[], bool]) -> None:
        """Make turns until *happened*, without any time going by on the watch's clock."""

        def has_happened() -> bool:
            self.turn()
            return happened()

        until(has_happened)

    def drained(self) -> list[TokenRead]:
        """Give all that was read since the beginning."""
        self.reads += self.watch.drain()
        return self.reads

    def service(self) -> Service:
        """Give the only service."""
        (found,) = self.watch.services()
        return found


Make = Callable[..., Host]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Give what makes a watch."""
    made: list[TokenWatch] = []

    def build(settings: TokenSettings = _QUICK, *, clock: Clock | None = None, **more: object) -> Host:
        processes = FewProcesses(tmp_path)
        time = clock or FakeClock()
        watch = TokenWatch(time, load_catalogue, settings=settings, proc=processes.root, **more)  # type: ignore[arg-type]
        made.append(watch)
        return Host(processes, watch, time)

    yield build
    for watch in made:
        watch.close()


def _output(reads: list[TokenRead]) -> list[float]:
    pages = [read.page for read in reads if read.page is not None]
    kinds = [[count.value for count in page.counts.values() if count.kind is TokenKind.OUTPUT] for page in pages]
    return [sum(values) for values in kinds]


def _configured(server: Running, *, name: str = "chat", path: str = "/metrics") -> ConfiguredService:
    return ConfiguredService(name, f"http://127.0.0.1:{server.port}{path}")


def test_a_server_is_found_and_read_without_any_configuration(make: Make) -> None:
    host = make(clock=SystemClock())
    with page_server() as server:
        host.hold(server.child)
        host.watch.start()
        until(lambda: len(_output(host.drained())) >= 3)
        service = host.service()
        assert (service.name, service.server) == (f"vllm:{server.port}", "vllm")
        assert (service.role, service.counter_class, service.problem) == (Role.UNIFIED, CounterClass.ITERATION, None)
        assert service.pids == {server.child}
        assert service.endpoint == f"http://127.0.0.1:{server.port}/metrics"
        assert host.watch.service_of(server.child) == service.name
        assert host.watch.service_of(server.pid + 1_000_000) == ""
        health = host.watch.health()
        assert (health.services, health.read, health.folded, health.failures) == (1, 1, 0, 0)
        assert health.last_round is not None
    reads = host.drained()
    output = _output(reads)
    assert output == sorted(set(output))
    moments = [read.at.mono_ns for read in reads]
    assert moments == sorted(moments)
    assert {read.service for read in reads} == {service.name}
    assert {read.process.partition(":")[0] for read in reads if read.page} == {str(server.pid)}


def test_a_server_that_ends_is_told_and_one_in_its_place_goes_on_under_its_name(make: Make) -> None:
    host = make(TokenSettings(interval_ns=NS_PER_SECOND))
    clock = host.clock
    assert isinstance(clock, FakeClock)
    with page_server() as server:
        port = server.port
        host.hold(server.child)
        host.turn_until(lambda: bool(host.watch.drain()))
        name = host.service().name
    clock.advance(5)
    host.turn_until(lambda: any(read.problem is Withheld.UNREACHABLE for read in host.watch.drain()))
    clock.advance(5)
    host.turn_until(lambda: host.service().problem is Withheld.UNREACHABLE)
    assert host.service().detail == "its process has ended"
    assert host.watch.service_of(server.child) == ""
    with page_server("--port", str(port)) as again:
        host.hold(again.child)
        clock.advance(15)
        host.turn_until(lambda: bool(_output(host.drained())))
        assert (host.service().name, host.service().problem) == (name, None)
        assert host.watch.service_of(again.child) == name
        assert host.reads[-1].process.startswith(f"{again.pid}:")


def test_a_new_process_on_a_device_is_looked_at_soon_and_others_seldom(make: Make) -> None:
    host = make(TokenSettings(interval_ns=NS_PER_SECOND))
    clock = host.clock
    assert isinstance(clock, FakeClock)

    def rounds() -> int:
        last = host.watch.health().last_round
        return 0 if last is None else (last.mono_ns - began) // NS_PER_SECOND

    began = clock.now().mono_ns
    with page_server() as server, page_server() as other:
        host.hold(server.child)
        host.turn_until(lambda: bool(host.watch.services()))
        seen = set()
        for _ in range(70):
            clock.advance(1)
            host.turn()
            seen.add(rounds())
        assert seen == {0, 60}  # all that is there was found
        host.hold(server.child, other.child)
        due_ns = host.watch.turn(clock.now())
        assert due_ns <= clock.now().mono_ns + NS_PER_SECOND
        assert rounds() == 70
        host.turn_until(lambda: len(host.watch.services()) == 2)


def test_what_is_sought_in_vain_is_sought_less_often_after_a_while(make: Make) -> None:
    host = make()
    clock = host.clock
    assert isinstance(clock, FakeClock)
    moments: list[int] = []
    with subprocess.Popen(["sleep", "60"]) as training:
        host.hold(training.pid)
        for _ in range(900):
            host.turn()
            last = host.watch.health().last_round
            if last is not None and (not moments or last.mono_ns != moments[-1]):
                moments.append(last.mono_ns)
            clock.advance(1)
        training.kill()
    pauses = [(later - earlier) // NS_PER_SECOND for earlier, later in pairwise(moments)]
    assert pauses == [15] * 39 + [60] * 5


def test_a_configured_service_is_read_and_owns_its_devices(make: Make) -> None:
    with page_server() as server:
        devices = {"chat": ("GPU-1", "GPU-2")}
        settings = TokenSettings(discovery=False, configured=(_configured(server),))
        host = make(settings, devices_of=lambda name: devices[name])
        host.turn_until(lambda: bool(_output(host.watch.drain())))
        host.turn()
        service = host.service()
        assert (service.name, service.server, service.devices) == ("chat", "vllm", ("GPU-1", "GPU-2"))
        assert (service.pids, service.problem) == (frozenset(), None)
        assert [host.watch.device_service(uuid) for uuid in ("GPU-1", "GPU-2", "GPU-3")] == ["chat", "chat", ""]


def test_a_configured_endpoint_is_no_second_service_and_gets_what_discovery_knows(make: Make) -> None:
    with page_server() as server:
        host = make(TokenSettings(configured=(_configured(server, path=""),)))
        clock = host.clock
        assert isinstance(clock, FakeClock)
        host.hold(server.child)
        host.turn_until(lambda: host.watch.service_of(server.child) == "chat")
        assert host.service().pids == {server.child}
        clock.advance(5)
        host.turn_until(lambda: any(read.process for read in host.drained()))
        assert host.reads[-1].process.startswith(f"{server.pid}:")
        assert host.service().name == "chat"


def test_a_configured_service_with_devices_leaves_its_processes_to_them(make: Make) -> None:
    with page_server() as server:
        host = make(TokenSettings(configured=(_configured(server),)), devices_of=lambda _: (_UUID,))
        host.hold(server.child)
        host.turn_until(lambda: bool(_output(host.watch.drain())))
        clock = host.clock
        assert isinstance(clock, FakeClock)
        clock.advance(15)
        host.turn()
        assert [service.name for service in host.watch.services()] == ["chat"]
        assert host.watch.service_of(server.child) == ""
        assert host.watch.device_service(_UUID) == "chat"


@pytest.mark.parametrize("endpoint", ["gpu7:8000", "http://127.0.0.1:1/metrics"])
def test_a_configured_service_that_cannot_be_asked_is_shown_with_the_reason(make: Make, endpoint: str) -> None:
    host = make(TokenSettings(discovery=False, configured=(ConfiguredService("chat", endpoint, "vllm"),)))
    host.turn_until(lambda: host.service().problem is Withheld.UNREACHABLE)
    assert (host.service().name, host.service().server) == ("chat", "vllm")
    assert host.service().detail


def test_a_service_that_was_read_and_fails_for_a_moment_keeps_what_is_known_of_it(make: Make) -> None:
    answers = [ok(b'vllm:generation_tokens_total{model_name="m"} 5\n')]
    with serving(lambda sock, _: sock.sendall(answers[0])) as server:
        configured = ConfiguredService("chat", f"http://127.0.0.1:{server.port}/metrics")
        host = make(TokenSettings(discovery=False, configured=(configured,)))
        host.turn_until(lambda: host.service().server == "vllm")
        answers[0] = b"HTTP/1.1 500 Oops\r\n\r\n"
        clock = host.clock
        assert isinstance(clock, FakeClock)
        clock.advance(5)
        host.turn_until(lambda: any(read.problem is Withheld.UNREACHABLE for read in host.watch.drain()))
        host.turn_until(lambda: host.watch.health().read == 0)
        assert (host.service().server, host.service().problem) == ("vllm", None)


def test_other_settings_hold_from_the_next_turn_on(make: Make) -> None:
    with page_server() as server:
        host = make(TokenSettings(discovery=False))
        host.hold(server.child)
        host.turn()
        assert host.watch.services() == ()
        host.watch.apply(TokenSettings())
        host.turn_until(lambda: bool(host.watch.services()))
        host.watch.apply(TokenSettings(discovery=False, configured=(_configured(server),)))
        host.turn_until(lambda: bool(_output(host.watch.drain())))
        assert [service.name for service in host.watch.services()] == ["chat"]


def test_what_was_found_is_a_configured_service_from_the_next_turn_on(make: Make) -> None:
    with page_server() as server:
        host = make()
        host.hold(server.child)
        host.turn_until(lambda: bool(_output(host.watch.drain())))
        assert [service.name for service in host.watch.services()] == [f"vllm:{server.port}"]
        host.watch.apply(replace(_QUICK, configured=(_configured(server),)))
        host.turn()
        assert [service.name for service in host.watch.services()] == ["chat"]
        host.turn_until(lambda: host.service().pids == {server.child})
        host.watch.apply(_QUICK)
        host.turn_until(lambda: [one.name for one in host.watch.services()] == [f"vllm:{server.port}"])


def test_services_beyond_the_limit_are_counted_and_not_read(make: Make) -> None:
    with page_server() as first, page_server() as second:
        settings = TokenSettings(configured=(_configured(first),), limit=1)
        host = make(settings)
        host.hold(second.child)
        host.turn_until(lambda: host.watch.health().folded == 1)
        assert host.service().name == "chat"
        clock = host.clock
        assert isinstance(clock, FakeClock)
        clock.advance(30)
        host.turn_until(lambda: len(host.drained()) > 1)
        assert {read.service for read in host.reads} == {"chat"}


@dataclass
class Job:
    """An input with one job, which has got on a bit at each look."""

    name: str
    pids: frozenset[int] = frozenset()
    looks: list[Instant] = field(default_factory=list)

    def look(self, now: Instant) -> tuple[tuple[Service, ...], tuple[TokenRead, ...]]:
        """Give the job and how far it is."""
        self.looks.append(now)
        job = Service(
            self.name, "textfile", Role.TRAINING, CounterClass.ITERATION, pids=self.pids, devices=("GPU-9",)
        )
        return (job,), (TokenRead(self.name, now, TokenPage({})),)


def test_jobs_of_inputs_are_services_too_and_cost_no_catalogue(tmp_path: Path) -> None:
    job: TokenInput = Job("train", frozenset({7}))

    def none_needed() -> tuple[ServerSpec, ...]:
        raise AssertionError

    clock = FakeClock()
    settings = TokenSettings(discovery=False)
    watch = TokenWatch(clock, none_needed, settings=settings, proc=tmp_path, inputs=[job])
    for _ in range(3):
        watch.turn(clock.now())
        clock.advance(5)
    assert [read.service for read in watch.drain()] == ["train"] * 3
    assert watch.drain() == []
    assert [service.name for service in watch.services()] == ["train"]
    assert (watch.service_of(7), watch.device_service("GPU-9")) == ("train", "train")


def test_a_job_is_looked_at_every_interval_and_not_before(tmp_path: Path) -> None:
    job = Job("train")
    clock = FakeClock()
    watch = TokenWatch(clock, load_catalogue, settings=TokenSettings(discovery=False), proc=tmp_path, inputs=[job])
    for _ in range(11):
        watch.turn(clock.now())
        clock.advance(1)
    assert len(job.looks) == 3


def test_of_two_services_of_one_name_the_configured_one_is_meant(make: Make) -> None:
    with page_server() as server:
        settings = TokenSettings(discovery=False, configured=(_configured(server, name="train"),))
        host = make(settings, inputs=[Job("train")], devices_of=lambda _: ("GPU-1",))
        host.turn()
        assert host.service().devices == ("GPU-1",)


@contextmanager
def _started(watch: TokenWatch) -> Iterator[None]:
    watch.start()
    yield
    watch.close()


def test_a_turn_that_goes_wrong_ends_no_thread_and_is_said_once(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    is_broken = threading.Event()
    is_broken.set()

    def title_of(_: int) -> str:
        if is_broken.is_set():
            raise ZeroDivisionError
        return "chat"

    host = make(clock=SystemClock(), title_of=title_of)
    with page_server() as server, _started(host.watch):
        host.hold(server.child)
        until(lambda: host.watch.health().failures > 2)
        assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
        is_broken.clear()
        until(lambda: [service.name for service in host.watch.services()] == ["chat"])


def test_close_ends_the_thread(make: Make) -> None:
    host = make(clock=SystemClock())
    host.watch.start()
    thread = host.watch._thread
    assert thread is not None
    assert thread.is_alive()
    host.watch.close()
    until(lambda: not thread.is_alive())


_IDLE = """
import sys
opened = []
def note(event, args):
    if event in ("open", "os.listdir"):
        opened.append(str(args[0]))
sys.addaudithook(note)
from pathlib import Path
from wattledger.agent.clock import SystemClock
from wattledger.agent.tokens.settings import TokenSettings
from wattledger.agent.tokens.watch import TokenWatch
def load():
    from wattledger.agent.tokens.catalogue import load_catalogue
    return load_catalogue()
clock = SystemClock()
for discovery in (True, False):
    watch = TokenWatch(clock, load, settings=TokenSettings(discovery=discovery), proc=Path("/proc"))
    if not discovery:
        watch.observe({"GPU-0": [1, 2]})
    watch.turn(clock.now())
    watch.turn(clock.now())
heavy = {"yaml", "prometheus_client", "ssl", "concurrent.futures", "asyncio"} & set(sys.modules)
print(sorted(heavy), [path for path in opened if path.startswith("/proc")])
"""


def test_where_there_is_nothing_to_read_nothing_is_loaded_and_nothing_looked_at() -> None:
    root = Path(__file__).parents[3]
    code = f"import sys; sys.path.insert(0, {str(root / '.importroot')!r})\n{_IDLE}"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root)
    assert told.stdout.strip() == "[] []"
