"""A job's counter as its log tells it: the last match of a pattern; it knows no format of logs."""

import re
import time
from collections.abc import Callable

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import Service, TokenRead, Withheld

from .base import (
    TOKENS_LIMIT,
    Complaints,
    GpuNames,
    InputProblem,
    Pulse,
    count,
    failed,
    instant_of_wall,
    job,
    no_gpus,
)
from .files import Unusable
from .log_file import Chunk, LogFile
from .pattern import LINE_CHARACTERS, compile_log_pattern
from .place import find_place
from .processes import Processes
from .settings import LogSettings

# However many lines there are, no more time goes into them in one look.
_LOOK_NS = NS_PER_SECOND // 4
_NUMBER = re.compile(r"[0-9][0-9,_]{0,30}(?:\.[0-9]{0,30})?(?:[eE]\+?[0-9]{1,2})?", re.ASCII)
_SLOW = "lines took too long to match, some were not looked at; make the pattern simpler"


class LogInput:
    """Follows one log. Raises PatternError for a pattern that cannot be used."""

    def __init__(
        self,
        settings: LogSettings,
        *,
        processes: Processes | None = None,
        uuid_of: GpuNames = no_gpus,
        thread_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        self._settings = settings
        self._pattern, self._group = compile_log_pattern(settings.pattern)
        self._processes = processes or Processes()
        self._uuid_of = uuid_of
        self._thread_ns = thread_ns
        self._file = LogFile(settings.path)
        self._pulse = Pulse()
        self._complaints = Complaints("log")
        self._tokens: int | None = None
        self._moved: Instant | None = None
        self._looked: Instant | None = None

    def look(self, now: Instant) -> tuple[tuple[Service, ...], tuple[TokenRead, ...]]:
        """Give the job, and its counter where the log has told it."""
        settings, problems = self._settings, dict[str, str]()
        place = find_place(
            settings.gpus, settings.pid_file, uuid_of=self._uuid_of, processes=self._processes, now=now
        )
        if place.problem:
            problems[settings.service] = place.problem
        try:
            self._follow(now, problems)
            problem = self._silence(now)
        except Unusable as error:
            problem = f"{settings.path}: {error}"
        if problem:
            problems[str(settings.path)] = problem
        self._looked = now
        self._complaints.state(problems)
        service = job(
            settings.service,
            "log",
            pids=place.pids,
            devices=place.devices,
            endpoint=str(settings.path),
            problem=Withheld.UNREACHABLE if problem else None,
            detail=problem or place.problem,
        )
        if problem:
            self._pulse.forget()
            return (service,), (failed(service.name, now, Withheld.UNREACHABLE, problem),)
        if self._tokens is None or self._moved is None:
            return (service,), ()
        counts = count(settings.kind, settings.model, self._tokens)
        reads = self._pulse.read(service.name, now, counts=counts, process=place.process, moved=self._moved)
        return (service,), reads

    def problems(self) -> tuple[InputProblem, ...]:
        """Give what was wrong at the last look."""
        return self._complaints.current()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _follow(self, now: Instant, problems: dict[str, str]) -> None:
        for chunk in self._file.read():
            tokens = self._last(chunk, problems)
            if tokens is not None:
                self._tokens = tokens
                moved = instant_of_wall(chunk.written_wall_ns, now)
                # The line is newer than the last look, whatever the clock of a file server says.
                if self._looked is not None and moved.mono_ns < self._looked.mono_ns:
                    moved = self._looked
                self._moved = moved

    def _last(self, chunk: Chunk, problems: dict[str, str]) -> int | None:
        """Give the newest number in a chunk."""
        end_ns = self._thread_ns() + _LOOK_NS
        for raw in chunk.newest_first(LINE_CHARACTERS):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            match = self._pattern.search(line)
            if match is not None and match[self._group] is not None:
                tokens = self._number(match[self._group])
                if tokens is not None:
                    return tokens
                problems[f"{self._settings.path} (pattern)"] = f"matches {match[self._group]!r}, which is no count"
            if self._thread_ns() > end_ns:
                problems[f"{self._settings.path} (pattern)"] = _SLOW
                break
        return None

    def _number(self, text: str) -> int | None:
        text = text.strip()
        if _NUMBER.fullmatch(text) is None:
            return None
        plain = text.replace(",", "").replace("_", "")
        number = int(plain) if plain.isdigit() else float(plain)
        if self._group == "samples":
            number *= self._settings.tokens_per_sample
        return int(number) if 0 <= number <= TOKENS_LIMIT else None

    def _silence(self, now: Instant) -> str:
        written_wall_ns = self._file.written_wall_ns
        if written_wall_ns is None or now.wall_ns - written_wall_ns <= self._settings.stale_ns:
            return ""
        return f"{self._settings.path} was not written for {self._settings.stale_ns // NS_PER_SECOND} s"
