"""A dcgm-exporter on loopback: boards whose counters are the integral of their power, collected now and then.

Its pages are written as the templates of NVIDIA/dcgm-exporter write them (internal/pkg/rendermetrics), with the rows
of its default list. It shows what was last collected, however often it is asked. Faults are set from outside.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

NS = 1_000_000_000
INT64_NOT_SUPPORTED = "9223372036854775794"  # as on the page in the README of NVIDIA/dcgm-exporter
FLOAT_NOT_SUPPORTED = "140737488355330.000000"
INT32_BLANK = "2147483632"


class Fault(Enum):
    """What the server does in place of giving its page."""

    NONE = auto()
    SLOW = auto()  # accepts, and says nothing
    CUT_OFF = auto()  # promises more than it sends
    CUT_IN_LINE = auto()  # ends within a line, its length not told
    GARBAGE = auto()
    OTHER_PAGE = auto()
    NO_VALUES = auto()  # declarations alone, as where no GPU is found
    REDIRECT = auto()
    TOO_LARGE = auto()
    STATUS = auto()


@dataclass(slots=True)
class Burst:
    """Power as a square wave; all numbers whole, so that its integral is exact."""

    high_mw: int
    low_mw: int
    period_ns: int = NS
    high_ns: int = NS // 2

    def integral(self, duration_ns: int) -> int:
        """Give the energy of *duration_ns* from the beginning of a period, in mW ns."""
        whole, rest = divmod(duration_ns, self.period_ns)
        high = whole * self.high_ns + min(rest, self.high_ns)
        return self.high_mw * high + self.low_mw * (duration_ns - high)


@dataclass(slots=True)
class FakeBoard:
    """One board. Its counter is in whole millijoules since `born_ns`; *collected* is what was last read of it."""

    index: int
    model: str = "NVIDIA H100 80GB HBM3"
    burst: Burst = field(default_factory=lambda: Burst(300_000, 100_000))
    utilization: int = 0
    sm_clock_mhz: int = 1980
    max_sm_clock_mhz: int | None = None
    limit_w: int | None = None
    xid: int = 0
    xid_counts: dict[int, int] = field(default_factory=dict)
    instances: dict[int, str] = field(default_factory=dict)  # MIG: profile by GPU instance
    activity: dict[int, float] = field(default_factory=dict)  # of the graphics engine, by GPU instance
    blanks: dict[str, str] = field(default_factory=dict)  # written in place of a value, by name
    without: frozenset[str] = frozenset()  # names that it does not have
    born_ns: int = 0
    counter_mj: int = 0
    power_mw: int = 0

    @property
    def uuid(self) -> str:
        """Give its UUID."""
        return f"GPU-00000000-0000-4000-8000-{self.index:012x}"

    def collect(self, now_ns: int) -> None:
        """Read its counter and power."""
        lived_ns = now_ns - self.born_ns
        self.counter_mj = self.burst.integral(lived_ns) // NS
        is_high = lived_ns % self.burst.period_ns < self.burst.high_ns
        self.power_mw = self.burst.high_mw if is_high else self.burst.low_mw

    def reset(self, now_ns: int) -> None:
        """Let its counter begin anew, as when the driver is loaded again."""
        self.born_ns = now_ns


class DcgmExporter:
    """The exporter; `with` ends it. *now_ns* is its clock, *current* its generation of names.

    Without *every_s* it collects when told; else by itself. `history` is every collected counter of each board.
    """

    def __init__(
        self,
        *boards: FakeBoard,
        current: bool = False,
        every_s: float | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.boards = list(boards)
        self.current = current
        self.fault = Fault.NONE
        self.status = 500
        self.asked = 0
        self.history: dict[str, list[int]] = {board.uuid: [] for board in boards}
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._frozen = False
        for board in boards:
            board.born_ns = now_ns() - 3600 * NS
        self.collect()
        self._server = self._listen(0)
        self.port = self._server.server_port
        self._collector: threading.Thread | None = None
        if every_s is not None:
            self._collector = threading.Thread(target=self._collect_every, args=(every_s,), daemon=True)
            self._collector.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._collector is not None:
            self._collector.join()
        self.down()

    @property
    def url(self) -> str:
        """Give the address of the page."""
        return f"http://127.0.0.1:{self.port}/metrics"

    def down(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def up(self) -> None:
        """Answer again, at the same port."""
        self._server = self._listen(self.port)

    def collect(self) -> None:
        """Read every board."""
        with self._lock:
            self._collect()

    def freeze(self) -> dict[str, int]:
        """Collect once more and then never again; give the counters that the page has from now on."""
        with self._lock:
            self._frozen = True
            self._collect()
            return {board.uuid: self.shown_mj(board) for board in self.boards}

    def thaw(self) -> None:
        """Collect again."""
        with self._lock:
            self._frozen = False

    def reset(self, board: FakeBoard) -> None:
        """Let a board's counter begin anew."""
        with self._lock:
            board.reset(self._now_ns())

    def lose(self, board: FakeBoard) -> None:
        """Let a board fall off the bus."""
        with self._lock:
            self.boards.remove(board)

    def find(self, board: FakeBoard) -> None:
        """Let a board come back."""
        with self._lock:
            self.boards.append(board)
            self._collect()

    def shown_mj(self, board: FakeBoard) -> int:
        """Give the counter as a page has it: the newer names are in whole joules."""
        return board.counter_mj // 1000 * 1000 if self.current else board.counter_mj

    def page(self) -> str:
        """Give the page."""
        with self._lock:
            return "".join(self._rows())

    def _collect(self) -> None:
        now_ns = self._now_ns()
        for board in self.boards:
            board.collect(now_ns)
            self.history.setdefault(board.uuid, []).append(self.shown_mj(board))

    def _collect_every(self, every_s: float) -> None:
        while not self._stop.wait(every_s):
            with self._lock:
                if not self._frozen:
                    self._collect()

    def _rows(self) -> Iterator[str]:
        for legacy, current, kind, of in _ROWS:
            name = current if self.current else legacy
            yield f"# HELP {name} What it is.\n# TYPE {name} {kind}\n"
            for board in self.boards:
                if name in board.without:
                    continue
                for instance in board.instances or (None,):
                    value = of(board, instance, self.current)
                    if value is not None:
                        value = board.blanks.get(name, value)
                        yield f"{name}{{{self._labels(board, instance)}}} {value}\n"
        for board in self.boards:
            for xid, count in board.xid_counts.items():
                yield f'DCGM_EXP_XID_ERRORS_TOTAL{{{self._labels(board, None)},xid="{xid}"}} {count}\n'

    def _labels(self, board: FakeBoard, instance: int | None) -> str:
        bus = f"00000000:{board.index + 1:02X}:00.0"
        labels = [f'gpu="{board.index}"', f'UUID="{board.uuid}"', f'pci_bus_id="{bus}"']
        labels += [f'device="nvidia{board.index}"', f'modelName="{board.model}"']
        if instance is not None:
            labels += [f'GPU_I_PROFILE="{board.instances[instance]}"', f'GPU_I_ID="{instance}"']
        driver = "DCGM_FI_SYSTEM_DRIVER_VERSION" if self.current else "DCGM_FI_DRIVER_VERSION"
        return ",".join([*labels, f'{"hostname" if self.current else "Hostname"}="node-a"', f'{driver}="580.105.08"'])

    def _listen(self, port: int) -> ThreadingHTTPServer:
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return server


def _handler(exporter: DcgmExporter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            exporter.asked += 1
            fault = exporter.fault
            if self.path != "/metrics":
                self._give(404, b"404 page not found\n")
            elif fault is Fault.NONE:
                self._give(200, exporter.page().encode())
            elif fault is Fault.SLOW:
                threading.Event().wait(20)
            elif fault is Fault.STATUS:
                self._give(exporter.status, b"collecting failed\n")
            elif fault is Fault.REDIRECT:
                self._give(302, b"", location="http://127.0.0.1:1/")
            elif fault in (Fault.CUT_OFF, Fault.CUT_IN_LINE):
                self._cut(exporter.page().encode(), tell=fault is Fault.CUT_OFF)
            else:
                self._give(200, _WRONG[fault](exporter.page()))

        def _give(self, status: int, body: bytes, *, location: str = "") -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # a client may have had enough
                self.wfile.write(body)

        def _cut(self, body: bytes, *, tell: bool) -> None:
            self.send_response(200)
            if tell:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2].rstrip(b"\n"))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


_WRONG: dict[Fault, Callable[[str], bytes]] = {
    Fault.GARBAGE: lambda _: bytes(range(256)) * 40,
    Fault.OTHER_PAGE: lambda _: b"# TYPE node_load1 gauge\nnode_load1 0.1\n",
    Fault.NO_VALUES: lambda page: "".join(f"{line}\n" for line in page.splitlines() if line[0] == "#").encode(),
    Fault.TOO_LARGE: lambda _: b"# " + b"x" * (9 << 20) + b"\n",
}


def _plain(read: Callable[[FakeBoard], object]) -> Callable[[FakeBoard, int | None, bool], str | None]:
    return lambda board, _, __: str(read(board))


def _scaled(read: Callable[[FakeBoard], int], times: int) -> Callable[[FakeBoard, int | None, bool], str | None]:
    """Give a number of the older names; the newer ones have it *times* over."""
    return lambda board, _, current: str(read(board) * (times if current else 1))


def _energy(board: FakeBoard, _: int | None, current: bool) -> str:
    return str(board.counter_mj // 1000 if current else board.counter_mj)


def _percent(read: Callable[[FakeBoard], int]) -> Callable[[FakeBoard, int | None, bool], str | None]:
    """Utilisation: 0 for a MIG instance, whatever it does (NVIDIA/dcgm-exporter#216)."""

    def give(board: FakeBoard, instance: int | None, current: bool) -> str:
        percent = read(board) if instance is None else 0
        return f"{percent / 100:.6f}" if current else str(percent)

    return give


def _activity(board: FakeBoard, instance: int | None, _: bool) -> str:
    return f"{board.utilization / 100 if instance is None else board.activity.get(instance, 0.0):.6f}"


def _memory(board: FakeBoard, instance: int | None, current: bool) -> str:
    return str((1000 + (instance or 0)) * ((1 << 20) if current else 1))


def _max_clock(board: FakeBoard, _: int | None, current: bool) -> str | None:
    mhz = board.max_sm_clock_mhz
    return None if mhz is None else str(mhz * (1_000_000 if current else 1))


def _limit(board: FakeBoard, _: int | None, __: bool) -> str | None:
    return None if board.limit_w is None else f"{board.limit_w}.000000"


_DEV, _PROF = "DCGM_FI_DEV_", "DCGM_FI_PROF_"
_MHZ = 1_000_000
_ROWS: tuple[tuple[str, str, str, Callable[[FakeBoard, int | None, bool], str | None]], ...] = (
    (_DEV + "SM_CLOCK", _DEV + "SM_CLOCK_HERTZ", "gauge", _scaled(lambda board: board.sm_clock_mhz, _MHZ)),
    (_DEV + "MEM_CLOCK", _DEV + "MEMORY_CLOCK_HERTZ", "gauge", _scaled(lambda _: 2619, _MHZ)),
    (_DEV + "MAX_SM_CLOCK", _DEV + "SM_MAX_CLOCK_HERTZ", "gauge", _max_clock),
    (_DEV + "MEMORY_TEMP", _DEV + "MEMORY_TEMP_CELSIUS", "gauge", _plain(lambda _: 44)),
    (_DEV + "GPU_TEMP", _DEV + "GPU_TEMP_CELSIUS", "gauge", _plain(lambda _: 38)),
    (
        _DEV + "POWER_USAGE",
        _DEV + "BOARD_POWER_WATTS",
        "gauge",
        _plain(lambda board: f"{board.power_mw / 1000:.6f}"),
    ),
    (_DEV + "ENFORCED_POWER_LIMIT", _DEV + "BOARD_POWER_LIMIT_ENFORCED_WATTS", "gauge", _limit),
    (_DEV + "TOTAL_ENERGY_CONSUMPTION", _DEV + "GPU_ENERGY_JOULES_TOTAL", "counter", _energy),
    (_DEV + "PCIE_REPLAY_COUNTER", _DEV + "PCIE_REPLAY_TOTAL", "counter", _plain(lambda _: 3)),
    (_DEV + "GPU_UTIL", _DEV + "GPU_UTIL_RATIO", "gauge", _percent(lambda board: board.utilization)),
    (_DEV + "MEM_COPY_UTIL", _DEV + "MEMORY_UTIL_RATIO", "gauge", _percent(lambda board: board.utilization // 2)),
    (_DEV + "ENC_UTIL", _DEV + "ENC_UTIL_RATIO", "gauge", _percent(lambda _: 0)),
    (_DEV + "DEC_UTIL", _DEV + "DEC_UTIL_RATIO", "gauge", _percent(lambda _: 0)),
    (_DEV + "XID_ERRORS", _DEV + "XID_ERROR", "gauge", _plain(lambda board: board.xid)),
    (_DEV + "FB_FREE", _DEV + "FB_FREE_BYTES", "gauge", _memory),
    (_DEV + "FB_USED", _DEV + "FB_USED_BYTES", "gauge", _memory),
    (_PROF + "GR_ENGINE_ACTIVE", _PROF + "GR_ENGINE_UTIL_RATIO", "gauge", _activity),
    (_PROF + "PIPE_TENSOR_ACTIVE", _PROF + "TENSOR_UTIL_RATIO", "gauge", _plain(lambda _: "0.000000")),
    (_PROF + "DRAM_ACTIVE", _PROF + "DRAM_UTIL_RATIO", "gauge", _plain(lambda _: "0.010000")),
)
