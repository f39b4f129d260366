"""The thread that brings one receiver its alerts: when it tries, how long it waits, what it counts and says.

It knows neither what the alerts say nor how a request is made.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from wattledger.rules.instant import NS_PER_SECOND, Instant

from .model import Clock, Notice, Receiver, ReceiverStats
from .outbox import Outbox, Parcel
from .sender import Outcome, Sender, Verdict

LOG = logging.getLogger(__name__)


def even_chance() -> float:
    """Give a uniform number from 0 up to 1, without the memory of the random module."""
    return int.from_bytes(os.urandom(4), "big") / 2**32


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait after failures in a row: doubled from *first_ns* to *cap_ns*, shortened by up to a quarter.

    Shortened by chance, so that the hosts of a fleet do not return together. *asked_cap_ns* bounds what a receiver
    asks for: longer, and what was left with it would be out of date.
    """

    first_ns: int = NS_PER_SECOND
    cap_ns: int = 60 * NS_PER_SECOND
    asked_cap_ns: int = 180 * NS_PER_SECOND
    chance: Callable[[], float] = even_chance

    def delay_ns(self, failures: int, asked_ns: int) -> int:
        """Give the delay after so many *failures* in a row, at least what the receiver asked for."""
        whole_ns = min(self.first_ns << min(failures - 1, 32), self.cap_ns)
        return max(whole_ns - int(whole_ns * 0.25 * self.chance()), min(asked_ns, self.asked_cap_ns))


@dataclass(frozen=True, slots=True)
class _News:
    """A change of state that is to be logged: what happened, and how long it had failed before."""

    outcome: Outcome
    failing_before_s: int | None


class Courier:
    """One receiver with what waits for it. The thread starts with the first alert to be sent.

    `hand_over`, `adjust`, `finish` and `stats` are for any thread and wait for no socket: the lock is held only
    while values change hands.
    """

    def __init__(
        self, receiver: Receiver, outbox: Outbox, *, clock: Clock, capacity: int, patience: Patience
    ) -> None:
        self._receiver = receiver
        self._outbox = outbox
        self._clock = clock
        self._capacity = capacity
        self._patience = patience
        self._sender = Sender(receiver)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._end_ns: int | None = None
        self._not_before_ns = 0
        self._failures = 0
        self._failing_since: Instant | None = None
        self._state: tuple[Verdict, int | None] | None = None
        self._sent = self._failed = self._refused = 0
        self._last_success_wall_ns: int | None = None
        self._last_error = ""

    @property
    def receiver(self) -> Receiver:
        return self._receiver

    def hand_over(self, notices: tuple[Notice, ...]) -> None:
        """Take in the newest states of alerts."""
        news: _News | None = None
        with self._lock:
            if self._end_ns is not None:
                return
            for notice in notices:
                self._outbox.put(notice)
            # A thread that ended by a fault of its own is replaced here, too: its traceback is on stderr.
            alive = self._thread is not None and self._thread.is_alive()
            if not alive and self._outbox.due_ns(self._clock.now()) is not None:
                news = self._start()
        self._wake.set()
        self._say(news)

    def adjust(self, receiver: Receiver) -> None:
        """Go on with other settings for the same receiver; an attempt under way ends as it began."""
        with self._lock:
            self._receiver = receiver
            self._sender = Sender(receiver)
            self._outbox.adjust(receiver)
            self._not_before_ns = 0  # what was wrong may be right now
        self._wake.set()

    def finish(self, end_ns: int) -> None:
        """Try until the monotonic moment *end_ns* to send what waits, then end."""
        with self._lock:
            self._end_ns = end_ns
            self._not_before_ns = 0
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait at most *seconds* for the thread to end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def stats(self) -> ReceiverStats:
        """Give the counts."""
        with self._lock:
            return ReceiverStats(
                kind=self._receiver.kind,
                receiver=self._receiver.name,
                sent=self._sent,
                failed=self._failed,
                dropped=self._refused + self._outbox.dropped,
                queue_length=self._outbox.waiting,
                queue_capacity=self._capacity,
                last_success_wall_ns=self._last_success_wall_ns,
                last_error=self._last_error,
            )

    def _start(self) -> _News | None:
        thread = threading.Thread(target=self._run, name=f"alerts-{self._receiver.kind}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the limit of processes: the rules go on, the next alert tries again
            self._failed += 1
            return self._remember(Outcome(Verdict.FAILED, str(error)), self._clock.now())
        self._thread = thread
        return None

    def _run(self) -> None:
        while True:
            self._wake.clear()
            now = self._clock.now()
            with self._lock:
                due_ns = self._due_ns(now)
                end_ns, sender, timeout_ns = self._end_ns, self._sender, self._receiver.timeout_ns
                if end_ns is not None and (due_ns is None or max(due_ns, now.mono_ns) >= end_ns):
                    return
                due = due_ns is not None and due_ns <= now.mono_ns
                parcel = self._outbox.take(now) if due else None
            if parcel is not None:
                if end_ns is not None:
                    timeout_ns = min(timeout_ns, end_ns - now.mono_ns)
                outcome = sender.send(parcel.body(), timeout_ns=timeout_ns, wall_ns=now.wall_ns)
                self._settle(parcel, outcome)
            elif due_ns is None:
                self._wake.wait()
            elif not due:
                self._clock.wait_until(due_ns, self._wake)

    def _due_ns(self, now: Instant) -> int | None:
        due_ns = self._outbox.due_ns(now)
        return None if due_ns is None else max(due_ns, self._not_before_ns)

    def _settle(self, parcel: Parcel, outcome: Outcome) -> None:
        now = self._clock.now()
        with self._lock:
            self._not_before_ns = 0
            match outcome.verdict:
                case Verdict.DELIVERED:
                    self._outbox.delivered(now)
                    self._sent += parcel.alerts
                    self._last_success_wall_ns = now.wall_ns
                case Verdict.REFUSED:
                    self._outbox.refused(now)
                    self._failed += 1
                    self._refused += parcel.alerts
                case Verdict.FAILED:
                    self._outbox.returned()
                    self._failed += 1
                    self._failures += 1
                    delay_ns = self._patience.delay_ns(self._failures, outcome.wait_ns)
                    self._not_before_ns = now.mono_ns + delay_ns
            if outcome.verdict is not Verdict.FAILED:
                self._failures = 0
            news = self._remember(outcome, now)
        self._say(news)

    def _remember(self, outcome: Outcome, now: Instant) -> _News | None:
        """Note what the receiver is like now; give what there is to say where that is new."""
        self._last_error = outcome.reason
        # Of failures one line is enough until it works again; each kind of refusal wants its own cure.
        state = (outcome.verdict, outcome.status if outcome.verdict is Verdict.REFUSED else None)
        former, self._state = self._state, state
        since = self._failing_since
        self._failing_since = None if outcome.verdict is Verdict.DELIVERED else since or now
        if state == former:
            return None
        return _News(outcome, None if since is None else now.ns_since(since) // NS_PER_SECOND)

    def _say(self, news: _News | None) -> None:
        """Log *news*; never under the lock, as the log may be slow."""
        if news is None:
            return
        place = (self._receiver.kind, self._receiver.name, news.outcome.verdict)
        if news.outcome.verdict is not Verdict.DELIVERED:
            LOG.warning('alerts kind=%s receiver=%s attempt=%s reason="%s"', *place, news.outcome.reason)
        elif news.failing_before_s is None:
            LOG.info("alerts kind=%s receiver=%s attempt=%s", *place)
        else:
            LOG.info("alerts kind=%s receiver=%s attempt=%s failing_before_s=%d", *place, news.failing_before_s)
