"""Who answers a request: rate limit, room, password, page, in that order; it moves no bytes and opens no socket."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial

import h11

from .connection import Connection, Phase
from .model import Limits, Request, Responder, Response, Tally, Verdict, brief
from .policy import Policy, PolicyFile

LOG = logging.getLogger(__name__)

_SECOND_NS = 1_000_000_000
_REPEAT_NS = 60 * _SECOND_NS  # one line a minute for a page that keeps failing in the same place
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CHALLENGE = ("WWW-Authenticate", 'Basic realm="wattledger", charset="UTF-8"')


class FrontDesk:
    """The one layer in front of every path. Implements ``connection.Desk``; lives on the server's thread."""

    def __init__(
        self,
        respond: Responder,
        *,
        limits: Limits,
        web_config: PolicyFile | None,
        make_room: Callable[[], bool],
        in_flight: Callable[[], int],
        resume: Callable[[Connection, Response], None],
        drop_idle: Callable[[], None],
        monotonic_ns: Callable[[], int],
        wall_ns: Callable[[], int],
    ) -> None:
        self.tally = Tally()
        self.closing = False
        self._respond = respond
        self._limits = limits
        self._web_config = web_config
        self._make_room = make_room
        self._in_flight = in_flight
        self._resume = resume
        self._drop_idle = drop_idle
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns
        self._date = (0, "")
        self._failing: dict[str, int] = {}

    @property
    def policy(self) -> Policy:
        return _OPEN if self._web_config is None else self._web_config.policy

    def follow_web_config(self) -> None:
        """Take a changed file into force. Who is idle must connect anew; who is being served, after the answer."""
        if self._web_config is not None and self._web_config.changed(self._monotonic_ns()):
            self._drop_idle()

    def ask(self, connection: Connection, request: Request) -> Response | None:
        self.follow_web_config()
        rate = self.policy.rate
        wait_ns = rate.take(self._monotonic_ns()) if rate is not None else 0
        if wait_ns:
            return brief(429, "", ("Retry-After", str(-(-wait_ns // _SECOND_NS))))
        # The asking connection is in flight already.
        if self._in_flight() > self._limits.requests_in_flight and not self._make_room():
            return brief(503, "too many requests in flight", ("Retry-After", "1"))
        return self._admit(connection, request)

    def _admit(self, connection: Connection, request: Request) -> Response | None:
        from_policy = self.policy
        if from_policy.passwords is None:
            return self._page(request)
        done = partial(self._checked, from_policy, connection, connection.serial, request)
        verdict = from_policy.passwords.check(request.headers.get("authorization"), done)
        match verdict:
            case Verdict.GRANTED:
                return self._page(request)
            case Verdict.DENIED:
                return brief(401, "", _CHALLENGE)
            case Verdict.PENDING:
                return None
            case Verdict.BUSY:
                return brief(503, "too many passwords to check", ("Retry-After", "1"))

    def _checked(self, policy: Policy, connection: Connection, serial: int, request: Request, right: bool) -> None:
        if connection.phase is not Phase.CHECK or connection.serial != serial:
            return  # the client has gone or its time was up
        self.follow_web_config()
        response: Response | None
        if policy is not self.policy:
            # The users changed meanwhile: what was right before proves nothing now.
            response = self._admit(connection, request)
        else:
            response = self._page(request) if right else brief(401, "", _CHALLENGE)
        if response is not None:
            self._resume(connection, response)

    def _page(self, request: Request) -> Response:
        try:
            return self._respond(request)
        except Exception as error:  # noqa: BLE001  (the guard that keeps one bad page from ending the server)
            self._note_failure(f"{type(error).__name__} at={_place(error)}", str(error))
            return brief(500)

    def unusable(self, response: Response, error: h11.LocalProtocolError) -> None:
        self._note_failure(f"invalid_response status={response.status}", str(error))

    def _note_failure(self, what: str, message: str) -> None:
        self.tally.responder_failures += 1
        now_ns = self._monotonic_ns()
        if now_ns >= self._failing.get(what, now_ns):
            self._failing[what] = now_ns + _REPEAT_NS
            LOG.error("http page=failed error=%s message=%r", what, message)

    def common_headers(self) -> Iterable[tuple[str, str]]:
        headers = {"Server": "wattledger", "Date": self._http_date(), "X-Content-Type-Options": "nosniff"}
        return (headers | dict(self.policy.headers)).items()

    def _http_date(self) -> str:
        """Write the time as RFC 9110 section 5.6.7 wants it, whatever the locale; made once a second."""
        second = self._wall_ns() // _SECOND_NS
        if self._date[0] != second:
            t = time.gmtime(second)
            day = f"{_DAYS[t.tm_wday]}, {t.tm_mday:02d} {_MONTHS[t.tm_mon - 1]} {t.tm_year}"
            self._date = (second, f"{day} {t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} GMT")
        return self._date[1]

    def keeps(self, connection: Connection) -> bool:
        return not self.closing and connection.policy is self.policy

    def answered(self, status: int) -> None:
        self.tally.answered(status)

    def handshake_failed(self, error: OSError) -> None:
        self.tally.handshake_failures += 1
        LOG.debug("http handshake=failed error=%s", error)

    def timed_out(self) -> None:
        self.tally.timed_out += 1


_OPEN = Policy()


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
