"""A job's counter as a scalar that it writes for TensorBoard; how event files are read is known elsewhere."""

from math import isfinite

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
from .event_file import EventFile, EventLook
from .event_record import Scalar
from .files import Unusable
from .place import find_place
from .processes import Processes
from .settings import TensorBoardSettings


class TensorBoardInput:
    """Follows one tag in the newest file of one folder. A new file is a new count."""

    def __init__(
        self,
        settings: TensorBoardSettings,
        *,
        processes: Processes | None = None,
        uuid_of: GpuNames = no_gpus,
    ) -> None:
        self._settings = settings
        self._processes = processes or Processes()
        self._uuid_of = uuid_of
        self._file = EventFile(settings.folder, settings.tag)
        self._pulse = Pulse()
        self._complaints = Complaints("tensorboard")

    def look(self, now: Instant) -> tuple[tuple[Service, ...], tuple[TokenRead, ...]]:
        """Give the job, and its counter where the file has told it."""
        settings, problems = self._settings, dict[str, str]()
        place = find_place(
            settings.gpus, settings.pid_file, uuid_of=self._uuid_of, processes=self._processes, now=now
        )
        if place.problem:
            problems[settings.service] = place.problem
        look: EventLook | None = None
        reason = Withheld.UNREACHABLE
        try:
            look = self._file.look()
            problem = self._silence(look, now)
            if look.problem and not problem:
                reason, problem = Withheld.NOT_UNDERSTOOD, f"{settings.folder / look.file}: {look.problem}"
        except Unusable as error:
            problem = str(error)
        tokens = None if look is None or look.scalar is None else self._tokens(look.scalar)
        if look is not None and look.at_end and tokens is None and not problem:
            reason = Withheld.NOT_UNDERSTOOD
            problem = f"{settings.folder / look.file}: no number of tokens under the tag {settings.tag!r} yet"
        if problem:
            problems[str(settings.folder)] = problem
        self._complaints.state(problems)
        service = job(
            settings.service,
            "tensorboard",
            pids=place.pids,
            devices=place.devices,
            endpoint=str(settings.folder),
            problem=reason if problem else None,
            detail=problem or place.problem,
        )
        if problem:
            self._pulse.forget()
            return (service,), (failed(service.name, now, reason, problem),)
        if look is None or look.scalar is None or tokens is None or not look.at_end:
            return (service,), ()  # an old file is read from its beginning, over several looks
        reads = self._pulse.read(
            service.name,
            now,
            counts=count(settings.kind, settings.model, tokens),
            process=f"{look.file} {place.process}".strip(),
            moved=instant_of_wall(_wall_ns(look.scalar, look.written_wall_ns), now),
        )
        return (service,), reads

    def problems(self) -> tuple[InputProblem, ...]:
        """Give what was wrong at the last look."""
        return self._complaints.current()

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _tokens(self, scalar: Scalar) -> int | None:
        number: float | None = scalar.value
        if self._settings.tokens_per_step:
            number = scalar.step * self._settings.tokens_per_step
        return None if number is None or not 0 <= number <= TOKENS_LIMIT else int(number)

    def _silence(self, look: EventLook, now: Instant) -> str:
        if now.wall_ns - look.written_wall_ns <= self._settings.stale_ns:
            return ""
        return (
            f"{self._settings.folder / look.file}: was not written for {self._settings.stale_ns // NS_PER_SECOND} s"
        )


def _wall_ns(scalar: Scalar, written_wall_ns: int) -> int:
    """Give when a value was reached: writers keep events for a while, and say when each was."""
    if not isfinite(scalar.wall_seconds) or not 0 < scalar.wall_seconds * NS_PER_SECOND <= written_wall_ns:
        return written_wall_ns
    return int(scalar.wall_seconds * NS_PER_SECOND)
