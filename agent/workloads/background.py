"""A thread for look-ups that may hang, with a queue that nobody waits at."""

import threading
from collections import deque
from collections.abc import Callable

Task = Callable[[], None]


class Background:
    """Runs tasks in order on a thread that starts with the first of them. A task that hangs, hangs the later ones."""

    def __init__(self, name: str, *, capacity: int = 256) -> None:
        self._name = name
        self._capacity = capacity
        self._condition = threading.Condition()
        self._tasks: deque[Task] = deque()
        self._closing = False
        self._thread: threading.Thread | None = None

    def ask(self, task: Task) -> bool:
        """Have *task* run soon. False when too much waits already, or no thread can be had now."""
        with self._condition:
            if self._closing or len(self._tasks) >= self._capacity:
                return False
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the limit of threads: whoever asks will ask again
                    return False
                self._thread = thread
            self._tasks.append(task)
            self._condition.notify_all()
            return True

    def close(self) -> None:
        """Run nothing more; what runs now ends by itself, or with the program."""
        with self._condition:
            self._closing = True
            self._tasks.clear()
            self._condition.notify_all()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._tasks and not self._closing:
                    self._condition.wait()
                if self._closing:
                    return
                task = self._tasks.popleft()
            task()
