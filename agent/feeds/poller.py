"""The thread that asks providers, one after another, each at its own pace; what it learns is handed on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wattledger.rules.instant import NS_PER_HOUR, Instant

from ..clock import Clock
from ..sampler.backoff import even_chance
from .base import Answer, FeedError, Provider, Trouble, Web, Window
from .breaker import Breakers, Pause
from .no_web import NoWeb
from .record import Record, Status
from .schedule import Chance, Patience, Schedule

_log = logging.getLogger(__name__)

_LONGEST_WAIT_NS = NS_PER_HOUR
_PAUSING = (Trouble.THROTTLED, Trouble.UNAUTHORIZED)


@dataclass(frozen=True, slots=True)
class Member:
    """A provider and what it may ask the web with. Without `web` it reads this host alone: a file, a constant.

    `origin` differs where the configuration has the numbers of one series come from elsewhere, or read otherwise.
    """

    provider: Provider
    web: Web | None = None
    origin: str = ""


class Deliver(Protocol):
    """Takes what the member of that index answered to the window. It runs on the poller's thread."""

    def __call__(self, index: int, window: Window, answer: Answer, /) -> None:
        """Take it."""
        ...


@dataclass(frozen=True, slots=True)
class _Seat:
    """One provider at the table."""

    index: int
    member: Member
    schedule: Schedule
    record: Record


class Poller:
    """Asks *members* on one daemon thread. `statuses` is for any thread and never blocks."""

    def __init__(
        self,
        clock: Clock,
        members: Sequence[Member],
        deliver: Deliver,
        *,
        chance: Chance = even_chance,
        patience: Patience | None = None,
    ) -> None:
        self._clock = clock
        self._deliver = deliver
        self._no_web = NoWeb()
        self._breakers = Breakers()
        now = clock.now()
        self._seats = [
            _Seat(
                index, member, Schedule(member.provider.pace, now, chance, patience), Record(member.provider.series)
            )
            for index, member in enumerate(members)
        ]
        self._is_failing = False
        self._wake = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of its own; without members there is none."""
        if self._seats:
            self._thread = threading.Thread(target=self._run, name="feeds", daemon=True)
            self._thread.start()

    def close(self) -> bool:
        """Stop; give whether it has. A request under way ends by itself, or with the program."""
        self._closing = True
        self._wake.set()
        if self._thread is None:
            return True
        self._thread.join(timeout=1.0)
        return not self._thread.is_alive()

    @property
    def is_closing(self) -> bool:
        """Tell whether what still comes is not wanted any more."""
        return self._closing

    def statuses(self) -> tuple[Status, ...]:
        """Give how it goes with each member. One that waits for the sake of another shows what that one met."""
        now = self._clock.now()
        return tuple(self._status(seat, now) for seat in self._seats)

    def turn(self) -> int:
        """Ask all that are due, the longest overdue first; give the monotonic time when the next one is.

        For the poller's own thread.
        """
        while not self._closing and self._seats:
            seat = min(self._seats, key=self._due_ns)
            due_ns = self._due_ns(seat)
            if due_ns > self._clock.now().mono_ns:
                return due_ns
            self._ask(seat)
        return self._clock.now().mono_ns + _LONGEST_WAIT_NS

    def _run(self) -> None:
        while not self._closing:
            due_ns = self._clock.now().mono_ns + _LONGEST_WAIT_NS
            try:
                due_ns = min(due_ns, self.turn())
                self._is_failing = False
            except Exception:  # noqa: BLE001  (the loop's guard: the other feeds go on)
                due_ns = self._clock.now().mono_ns + Patience().first_ns
                if not self._is_failing:
                    _log.exception("feeds problem=a turn failed")
                self._is_failing = True
            self._clock.wait_until(due_ns, self._wake)
            self._wake.clear()

    def _due_ns(self, seat: _Seat) -> int:
        pause = self._breakers.pause(seat.member.provider.credential)
        return seat.schedule.due_mono_ns if pause is None else max(seat.schedule.due_mono_ns, pause.until_mono_ns)

    def _ask(self, seat: _Seat) -> None:
        began = self._clock.now()
        window = seat.schedule.window(began)
        try:
            answer = seat.member.provider.fetch(seat.member.web or self._no_web, window)
            _check(answer)
        except FeedError as error:
            self._failed(seat, error)
        except Exception as error:  # noqa: BLE001  (the one seam: a defect of one provider must not cost the others)
            seat.record.trace()
            detail = f"a defect of its code ({type(error).__name__}); please report what the log says of it"
            self._failed(seat, FeedError(Trouble.INVALID, detail))
        else:
            now = self._clock.now()
            seat.schedule.succeeded(now, window, answer.points)
            self._breakers.close(seat.member.provider.credential)
            # First the points, then that there are any: who sees the success finds them.
            if not self._closing:
                self._deliver(seat.index, window, answer)
            seat.record.succeeded(now, answer)

    def _failed(self, seat: _Seat, error: FeedError) -> None:
        now, credential = self._clock.now(), seat.member.provider.credential
        seat.schedule.failed(now, error)
        seat.record.failed(now, error)
        if credential and error.trouble in _PAUSING:
            self._breakers.open(credential, Pause(seat.schedule.due_mono_ns, error.trouble, error.detail))

    def _status(self, seat: _Seat, now: Instant) -> Status:
        status = seat.record.status
        pause = self._breakers.pause(seat.member.provider.credential)
        if status.trouble is not None or pause is None or not self._waits(seat, pause, now):
            return status
        detail = f"waits with another feed of the same credential: {pause.detail}"
        return Status(
            status.last_success_wall_ns, pause.trouble, detail, status.errors, status.skipped, status.warnings
        )

    @staticmethod
    def _waits(seat: _Seat, pause: Pause, now: Instant) -> bool:
        return seat.schedule.due_mono_ns <= now.mono_ns < pause.until_mono_ns


def _check(answer: Answer) -> None:
    """Raise FeedError for what no caller could use."""
    if not answer.points:
        raise FeedError(Trouble.EMPTY, "the answer has no value for the time that was asked for")
    if any(point.end_wall_ns <= point.start_wall_ns for point in answer.points):
        raise FeedError(Trouble.INVALID, "the answer has a value whose time ends before it begins")
