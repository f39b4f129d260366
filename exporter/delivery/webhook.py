"""What one webhook was told and has yet to hear, by alert name; it knows neither the wording nor the connection.

A webhook has no memory of what it was told, so the memory is here, with the rules of Alertmanager's notification log:
a group is told when an alert in it begins or ends, and again every repeat interval while one fires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.promql.labels import value_of
from wattledger.rules.promql.model import Labels

from .model import NS_PER_MS, Notice, Receiver
from .outbox import Parcel
from .webhook_body import Telling, encode_telling

# Alertmanager's default group_interval: after a refusal it tries the group again then.
_REST_NS = 300 * NS_PER_SECOND


@dataclass(slots=True)
class _Group:
    """The alerts of one name that fire, and those over of which the webhook may have heard.

    *told* is what it takes as firing since its last good answer; *known* has also what was sent without one: it may
    have been heard, so the end has to be told.
    """

    alerts: dict[Labels, Notice] = field(default_factory=dict)
    told: frozenset[Labels] = frozenset()
    known: frozenset[Labels] = frozenset()
    told_at_ns: int | None = None
    rest_until_ns: int = 0

    def firing(self) -> Iterator[Notice]:
        return (notice for notice in self.alerts.values() if not notice.resolved)

    def news(self) -> int:
        return sum(notice.resolved or labels not in self.told for labels, notice in self.alerts.items())

    def due_ns(self, now: Instant, repeat_ns: int) -> int | None:
        if self.news():
            return max(now.mono_ns, self.rest_until_ns)
        if self.told_at_ns is not None and self.alerts:
            return max(self.told_at_ns + repeat_ns, self.rest_until_ns)
        return None


@dataclass(frozen=True, slots=True)
class _Out:
    """The parcel that is out: the alerts of one group as they were when it was taken."""

    name: str
    notices: tuple[Notice, ...]


class WebhookOutbox:
    """Alerts in groups of one `alertname`, at most *capacity* in all.

    Beyond that a new alert is the one dropped: to forget one that was told would mean to tell it anew for ever.
    """

    def __init__(self, receiver: Receiver, *, capacity: int, external_url: Callable[[], str] = str) -> None:
        self._receiver = receiver
        self._capacity = capacity
        self._external_url = external_url
        self._groups: dict[str, _Group] = {}
        self._out: _Out | None = None
        self.dropped = 0

    @property
    def waiting(self) -> int:
        return sum(group.news() for group in self._groups.values())

    def adjust(self, receiver: Receiver) -> None:
        self._receiver = receiver

    def put(self, notice: Notice) -> None:
        name = value_of(notice.labels, "alertname")
        group = self._groups.get(name)
        if notice.resolved and not notice.from_before:
            if group is not None:
                self._end(group, notice)
                self._tidy(name, group)
            return
        if group is None or notice.labels not in group.alerts:
            if sum(len(each.alerts) for each in self._groups.values()) >= self._capacity:
                self.dropped += 1
                return
            group = self._groups.setdefault(name, _Group())
        if notice.resolved:  # the process before may have told of its beginning, and nobody else tells of its end
            group.known |= {notice.labels}
            self._end(group, notice)
            self._tidy(name, group)
        else:
            group.alerts[notice.labels] = notice

    def due_ns(self, now: Instant) -> int | None:
        due = [
            moment_ns
            for group in self._groups.values()
            if (moment_ns := group.due_ns(now, self._receiver.repeat_ns)) is not None
        ]
        ends_ms = [notice.ends_at_ms for group in self._groups.values() for notice in group.firing()]
        if ends_ms:
            due.append(now.mono_ns + min(ends_ms) * NS_PER_MS - now.wall_ns)
        return min(due, default=None)

    def take(self, now: Instant) -> Parcel | None:
        self._expire(now)
        for name, group in self._groups.items():
            due_ns = group.due_ns(now, self._receiver.repeat_ns)
            if due_ns is not None and due_ns <= now.mono_ns:
                notices = tuple(sorted(group.alerts.values(), key=_order))
                group.known |= {notice.labels for notice in notices if not notice.resolved}
                self._out = _Out(name, notices)
                telling = Telling(self._receiver.name, name, notices, self._external_url())
                return Parcel(len(notices), partial(encode_telling, telling))
        return None

    def delivered(self, now: Instant) -> None:
        out, group = self._take_out()
        if group is None:
            return
        for notice in out.notices:
            if notice.resolved and group.alerts.get(notice.labels) is notice:
                del group.alerts[notice.labels]
        fired = (notice.labels for notice in out.notices if not notice.resolved)
        # One that ended meanwhile and is not to be told of is gone from alerts: should it fire again, that is news.
        group.told = group.known = frozenset(labels for labels in fired if labels in group.alerts)
        group.told_at_ns = now.mono_ns
        group.rest_until_ns = 0
        self._tidy(out.name, group)

    def returned(self) -> None:
        # The others come first now: one group that the webhook always fails at must not keep them from it.
        out, group = self._take_out()
        if group is not None:
            self._groups[out.name] = self._groups.pop(out.name)

    def refused(self, now: Instant) -> None:
        # The alerts stay: nobody else tells the webhook of an end. The group rests, so that others get their turn.
        _, group = self._take_out()
        if group is not None:
            group.rest_until_ns = now.mono_ns + _REST_NS

    def _take_out(self) -> tuple[_Out, _Group | None]:
        out, self._out = self._out, None
        if out is None:
            raise RuntimeError("no parcel is out")
        return out, self._groups.get(out.name)

    def _end(self, group: _Group, notice: Notice) -> None:
        """Keep the end of an alert where the webhook may have heard of its beginning and wants to hear of it."""
        if self._receiver.send_resolved and notice.labels in group.known:
            former = group.alerts.get(notice.labels)
            if former is None or not former.resolved:  # the first word of the end is kept, it may be out already
                group.alerts[notice.labels] = notice
            return
        group.alerts.pop(notice.labels, None)
        group.told -= {notice.labels}
        group.known -= {notice.labels}

    def _expire(self, now: Instant) -> None:
        """End what was to be heard of again and was not, as Alertmanager does."""
        for name, group in list(self._groups.items()):
            for notice in [notice for notice in group.firing() if notice.over(now.wall_ns)]:
                self.dropped += notice.labels not in group.known
                self._end(group, replace(notice, resolved=True))
            self._tidy(name, group)

    def _tidy(self, name: str, group: _Group) -> None:
        if not group.alerts:
            self._groups.pop(name, None)


def _order(notice: Notice) -> tuple[bool, Labels]:
    return (notice.resolved, notice.labels)
