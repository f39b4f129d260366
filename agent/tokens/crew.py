"""A few threads for work that may hang; who gives it work never waits. What the work is it does not know."""

import logging
import threading
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

Task = Callable[[], None]


class Crew:
    """Runs tasks on at most *size* daemon threads, which start when there is work and end when there is none.

    A task that hangs costs one thread for as long as it does.
    """

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._lock = threading.Lock()
        self._tasks: deque[Task] = deque()
        self._running = 0
        self._closing = False

    def ask(self, task: Task) -> bool:
        """Have *task* run soon. False when no thread can be had now, or no more at all."""
        with self._lock:
            if self._closing:
                return False
            self._tasks.append(task)
            if self._running >= self._size:
                return True
            try:
                threading.Thread(target=self._run, name=self._name, daemon=True).start()
            except RuntimeError:  # the limit of threads: whoever asks will ask again
                if self._running == 0:
                    self._tasks.pop()
                    return False
            else:
                self._running += 1
            return True

    def close(self) -> None:
        """Run nothing more; what runs now ends by itself, or with the program."""
        with self._lock:
            self._closing = True
            self._tasks.clear()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._tasks or self._closing:
                    self._running -= 1
                    return
                task = self._tasks.popleft()
            try:
                task()
            except Exception:  # noqa: BLE001  (the guard: a defect met by one task must not cost the others their thread)
                _log.exception("tokens task=%s problem=failed", self._name)
