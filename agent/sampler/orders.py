"""What the sampler is told from outside; knows signals and the other end of the pipe, no source.

SIGTERM and SIGINT stop; SIGUSR1 releases the source for maintenance, SIGUSR2 takes it again. Each may be sent any
number of times, by the daemon and by `systemctl kill` at once: a repeated order changes nothing. When nobody holds
the reading end of the pipe any more, the daemon is gone and the sampler stops too.
"""

import os
import select
import signal
import threading
from types import FrameType

from wattledger.agent.clock import Clock

from .exits import SamplerExit

HANDLED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)

_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


class Orders:
    """The orders in force. Given by any thread, waited for by one."""

    def __init__(self, *, released: bool = False) -> None:
        self.stopping = False
        self.released = released
        self._changed = threading.Event()

    def stop(self) -> None:
        """Order to finish the tick under way and to end."""
        self.stopping = True
        self._changed.set()

    def release(self) -> None:
        """Order to let go of the source, and to stay."""
        self._set_released(released=True)

    def take(self) -> None:
        """Order to take the source again."""
        self._set_released(released=False)

    def wait_until(self, clock: Clock, mono_ns: int) -> None:
        """Wait until *mono_ns* or until an order is given that was not in force."""
        if clock.wait_until(mono_ns, self._changed):
            self._changed.clear()

    def _set_released(self, *, released: bool) -> None:
        if released != self.released:
            self.released = released
            self._changed.set()


class OrderWatch:
    """A thread that turns signals and the loss of the reader into orders, also while a driver call hangs.

    Handlers in the main thread would not do: `Event.set` inside one can meet the lock its own thread holds, and a
    signal would interrupt driver calls. So the signals are blocked everywhere but in this thread.
    """

    def __init__(self, orders: Orders, frames_fd: int, *, stuck_seconds: float = 10.0) -> None:
        """Watch for *orders*. *stuck_seconds* after an order to stop, the process is ended from here."""
        self._orders = orders
        self._frames_fd = frames_fd
        self._stuck_seconds = stuck_seconds

    def start(self) -> None:
        """Take the signals and start the thread. Call in the main thread, before any other thread exists."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
        told_fd, tell_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(tell_fd, warn_on_full_buffer=False)
        for number in HANDLED_SIGNALS:
            signal.signal(number, _leave_to_the_watch)
        threading.Thread(target=self._watch, args=(told_fd,), name="orders", daemon=True).start()

    def _watch(self, told_fd: int) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED_SIGNALS)
        poller = select.poll()
        poller.register(told_fd, select.POLLIN)
        poller.register(self._frames_fd, 0)  # POLLERR comes unasked, when the last reader has closed
        while not self._orders.stopping:
            for fd, _ in poller.poll():
                if fd == told_fd:
                    self._obey(os.read(told_fd, 64))
                else:
                    self._orders.stop()
        threading.Event().wait(self._stuck_seconds)
        os._exit(SamplerExit.STUCK)

    def _obey(self, numbers: bytes) -> None:
        for number in numbers:
            if number in _STOP_SIGNALS:
                self._orders.stop()
            elif number == signal.SIGUSR1:
                self._orders.release()
            elif number == signal.SIGUSR2:
                self._orders.take()


def _leave_to_the_watch(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: the signal's number went into the wake-up pipe."""
