"""How other threads reach the server's thread: they leave a call and wake it; it knows not what the calls do."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable


class Mailbox:
    """Calls from any thread, run by the one that owns the mailbox. One file descriptor."""

    def __init__(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._open = True

    def fileno(self) -> int:
        return self._event

    def put(self, call: Callable[[], None]) -> None:
        """Leave *call* and wake the owner; after ``close`` it is dropped."""
        # The lock keeps a late caller from writing to a descriptor number that belongs to another by now.
        with self._lock:
            if self._open:
                self._calls.append(call)
                os.eventfd_write(self._event, 1)

    def run(self) -> None:
        """Run what was left up to now; for the owner, when the descriptor is readable."""
        os.eventfd_read(self._event)
        for _ in range(len(self._calls)):
            self._calls.popleft()()

    def close(self) -> None:
        with self._lock:
            if self._open:
                self._open = False
                os.close(self._event)
