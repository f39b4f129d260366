"""Job counters that are dropped as `*.prom` files into a folder, as for node_exporter; their text is read elsewhere.

A writer writes a file of another name and renames it: what stands under a name that ends in .prom is whole. A file
that is not renewed is stale by its time of modification, and is believed no more.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.tokens.model import Count, SeriesKey, Service, TokenRead, Withheld

from .base import Complaints, GpuNames, InputProblem, Pulse, count, failed, instant_of_wall, job, no_gpus
from .files import Unusable, open_file, read_all
from .processes import Processes
from .settings import TextfileSettings
from .textfile_page import JobPage, JobSample, parse_page

_FILES_LIMIT = 256
_FILE_BYTES = 256 << 10
_JOBS_LIMIT = 64
# A file that nobody renewed for so long is a left-over, and not a job with a problem.
_FORGOTTEN_NS = 24 * 3600 * NS_PER_SECOND


@dataclass(frozen=True, slots=True)
class _Source:
    """Who wrote a file, and when."""

    uid: int
    written_wall_ns: int
    age_ns: int


@dataclass(slots=True)
class _Job:
    """What all files together say of one job."""

    counts: dict[SeriesKey, Count] = field(default_factory=dict)
    roots: set[int] = field(default_factory=set)
    processes: set[str] = field(default_factory=set)
    devices: dict[str, None] = field(default_factory=dict)
    moved_wall_ns: int = 0
    stale_place: str = ""


class TextfileInput:
    """Reads the folder at each look. A file or a line that is wrong costs no other."""

    def __init__(
        self, settings: TextfileSettings, *, processes: Processes | None = None, uuid_of: GpuNames = no_gpus
    ) -> None:
        self._settings = settings
        self._processes = processes or Processes()
        self._uuid_of = uuid_of
        self._complaints = Complaints("textfile")
        self._pulses: dict[str, Pulse] = {}

    def look(self, now: Instant) -> tuple[tuple[Service, ...], tuple[TokenRead, ...]]:
        """Give the jobs of all files."""
        problems: dict[str, str] = {}
        jobs: dict[str, _Job] = {}
        for name, page, status in self._pages(problems):
            place = str(self._settings.folder / name)
            for line, text in page.problems.items():
                problems[f"{place}:{line}"] = text
            source = _Source(status.st_uid, status.st_mtime_ns, now.wall_ns - status.st_mtime_ns)
            for sample in page.samples:
                if sample.job in jobs or len(jobs) < _JOBS_LIMIT:
                    self._add(jobs, sample, source, place=f"{place}:{sample.line}", problems=problems)
                else:
                    problems[f"{place}:{sample.line}"] = f"is of one job more than {_JOBS_LIMIT}, and is not read"
        services: list[Service] = []
        reads: list[TokenRead] = []
        for name, found in sorted(jobs.items()):
            service, told = self._tell(name, found, now, problems)
            services.append(service)
            reads += told
        self._pulses = {name: pulse for name, pulse in self._pulses.items() if name in jobs}
        self._complaints.state(problems)
        return tuple(services), tuple(reads)

    def problems(self) -> tuple[InputProblem, ...]:
        """Give what was wrong at the last look."""
        return self._complaints.current()

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _pages(self, problems: dict[str, str]) -> Iterator[tuple[str, JobPage, os.stat_result]]:
        folder = self._settings.folder
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            problems[str(folder)] = (
                f"cannot be read ({error.strerror}); make the folder, or mend services.textfile_dir"
            )
            return
        try:
            with os.scandir(descriptor) as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith(".prom"))
            if len(names) > _FILES_LIMIT:
                problems[str(folder)] = f"holds {len(names)} files; only {_FILES_LIMIT} are read"
            for name in names[:_FILES_LIMIT]:
                try:
                    yield name, *self._page(descriptor, name)
                except FileNotFoundError:
                    continue  # taken away meanwhile
                except Unusable as error:
                    problems[str(folder / name)] = str(error)
        except OSError as error:
            problems[str(folder)] = f"cannot be read ({error.strerror})"
        finally:
            os.close(descriptor)

    def _page(self, folder: int, name: str) -> tuple[JobPage, os.stat_result]:
        with open_file(self._target(folder, name), folder=folder, follow=False) as file:
            status = os.fstat(file)
            if status.st_size > _FILE_BYTES:
                raise Unusable(f"has {status.st_size} bytes; the limit is {_FILE_BYTES}")
            text = read_all(file, _FILE_BYTES)
        try:
            return parse_page(text.decode()), status
        except UnicodeDecodeError:
            raise Unusable("is not UTF-8") from None

    def _target(self, folder: int, name: str) -> str:
        """Give the name to open. A link may name a file of the same folder, and nothing else: not even by its path.

        Else whoever may write here could have the agent read what only the agent may read.
        """
        try:
            target = os.readlink(name, dir_fd=folder)
        except OSError:
            os.stat(name, dir_fd=folder, follow_symlinks=False)  # FileNotFoundError where it is not there any more
            return name  # no link
        if "/" in target:
            raise Unusable("is a link out of the folder; put a file here")
        return target

    def _add(
        self, jobs: dict[str, _Job], sample: JobSample, source: _Source, *, place: str, problems: dict[str, str]
    ) -> None:
        age_ns = source.age_ns
        if age_ns > max(_FORGOTTEN_NS, self._settings.stale_ns):
            problems[place] = "was not renewed for a day; remove the file when its job has ended"
            return
        starts = {pid: self._processes.start(pid) for pid in sample.pids}
        if gone := [pid for pid, start in starts.items() if start is None]:
            problems[place] = f"process {gone[0]} is not there; remove the file when its job has ended"
            return
        for pid in sample.pids:
            owner = self._processes.owner(pid)
            if owner is None or source.uid not in (0, owner.uid):
                problems[place] = f"process {pid} is not of the user who wrote the file; write it as the job's user"
                return
        devices = {gpu: self._uuid_of(gpu) for gpu in sample.gpus}
        if unknown := [gpu for gpu, uuid in devices.items() if uuid is None]:
            problems[place] = f"this host has no GPU {unknown[0]}"
            return
        found = jobs.setdefault(sample.job, _Job())
        found.roots.update(sample.pids)
        found.processes.update(f"{pid}:{start}" for pid, start in starts.items())
        if age_ns > self._settings.stale_ns:
            found.stale_place = place
            return  # GPUs that it named may be another's by now; a process that lives is still its own
        found.devices.update(dict.fromkeys(uuid for uuid in devices.values() if uuid is not None))
        found.moved_wall_ns = max(found.moved_wall_ns, source.written_wall_ns)
        # Where several ranks count their own tokens, the place of each tells them apart.
        by = (("pid", ",".join(map(str, sample.pids))), ("gpu", ",".join(sample.gpus)))
        one = count(sample.kind, sample.model, sample.value, by=by)
        if one.keys() & found.counts.keys():
            problems[place] = f"job {sample.job} has the same counter in another file; write each counter once"
            return
        found.counts |= one

    def _tell(
        self, name: str, found: _Job, now: Instant, problems: dict[str, str]
    ) -> tuple[Service, tuple[TokenRead, ...]]:
        devices = tuple(found.devices)
        # Configured devices and processes would count the same energy twice over: devices say all.
        pids = frozenset() if devices else self._processes.family(found.roots, now)
        detail = ""
        if found.stale_place:
            detail = f"{found.stale_place} was not renewed for {self._settings.stale_ns // NS_PER_SECOND} s"
            problems.setdefault(found.stale_place, "was not renewed in time; its job is stuck, or has ended")
        folder = str(self._settings.folder)
        if not found.counts:
            reason = Withheld.UNREACHABLE
            if name in self._pulses:
                self._pulses[name].forget()
            service = job(
                name, "textfile", pids=pids, devices=devices, endpoint=folder, problem=reason, detail=detail
            )
            return service, (failed(name, now, reason, detail),)
        service = job(name, "textfile", pids=pids, devices=devices, endpoint=folder, detail=detail)
        reads = self._pulses.setdefault(name, Pulse()).read(
            name,
            now,
            counts=found.counts,
            process=" ".join(sorted(found.processes)),
            moved=instant_of_wall(found.moved_wall_ns, now),
        )
        return service, reads
