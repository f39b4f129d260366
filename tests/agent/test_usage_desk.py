"""The desk of workloads and services goes on under another configuration."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from tests.agent.fake_clock import FakeClock
from wattledger.agent.config import Config
from wattledger.agent.config.schema import Services
from wattledger.agent.ledger import Usage
from wattledger.agent.policy import token_policy, usage_settings
from wattledger.agent.usage_desk import UsageDesk
from wattledger.agent.workloads.attribution import Attribution
from wattledger.agent.workloads.processes import ForeignProcesses
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.tokens.model import (
    Count,
    CounterClass,
    Role,
    SeriesKey,
    Service,
    TokenKind,
    TokenPage,
    TokenRead,
)

_SERIES: SeriesKey = ("tokens_total", ())


@dataclass
class OneServer:
    """A server that has made ten more tokens at each read; it is read when it is drained."""

    clock: FakeClock
    output: int = 0
    section: Services | None = None
    known: tuple[Service, ...] = field(
        default=(Service(name="chat", server="vllm", role=Role.UNIFIED, counter_class=CounterClass.ITERATION),)
    )

    def apply(self, section: Services) -> None:
        """Take another configuration."""
        self.section = section

    def observe(self, holders: Mapping[str, Collection[int]]) -> None:
        """Know what it knows."""

    def services(self) -> tuple[Service, ...]:
        """Give the server."""
        return self.known

    def service_of(self, pid: int) -> str:  # noqa: ARG002  (the protocol's)
        """Give nothing: nobody holds anything."""
        return ""

    def device_service(self, uuid: str) -> str:  # noqa: ARG002  (the protocol's)
        """Give nothing."""
        return ""

    def drain(self) -> list[TokenRead]:
        """Read it now."""
        self.output += 10
        page = TokenPage({_SERIES: Count(TokenKind.OUTPUT, "m", self.output)})
        return [TokenRead("chat", self.clock.now(), page, "1:1")]

    def start(self) -> None:
        """Be there."""

    def close(self) -> None:
        """Be there no more."""


def test_another_window_and_other_services_are_taken_over() -> None:
    clock = FakeClock()
    server = OneServer(clock)
    before = Config()
    desk = UsageDesk(
        Attribution(clock, ForeignProcesses(), settings=usage_settings(before).workloads),
        Usage(),
        settings=usage_settings(before),
        tokens=server,
        token_policy=token_policy(before),
    )

    def window_after(seconds: int) -> int:
        for _ in range(0, seconds, 10):
            clock.advance(10)
            desk.book([], {}, lambda _: None, clock.now())
        (view,) = desk.services()
        return view.window_ns // NS_PER_SECOND

    assert window_after(600) == 300
    after = replace(before, services=replace(before.services, window_ns=60 * NS_PER_SECOND))
    desk.apply(usage_settings(after))
    assert server.section == after.services
    assert window_after(200) == 60
    desk.apply(usage_settings(after))  # what is as before begins nothing anew
    assert window_after(10) == 60
