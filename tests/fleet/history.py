"""The last minutes of a fleet as blocks that promtool makes, and what a sample takes on the disk."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

from tests.deploy.history_blocks import Scrapes, make_rule_blocks, prometheus_of
from tests.deploy.promql_names import recorded
from tests.fleet.engines import Engine, folder_bytes, victoria_metrics
from tests.fleet.herd import STEP_S, Herd, as_host, target_labels
from tests.fleet.reads import read_by_others
from tests.servers import need

EVERY = 2  # of the pages, each second one is in the history
MINUTES = 10
DISK_HOSTS, DISK_PAGES = 2, 480  # two hours, a whole block
_PLACES = {"instance": "@instance@", "cluster": "@cluster@", "rack": "@rack@"}


@dataclass(frozen=True, slots=True)
class Disk:
    """What is on the disk after two hours at 15 s, whole pages: of each sample, and of each series beside it."""

    samples_bytes: float
    index_bytes_a_series: float
    victoria_bytes: float


def write_history(path: Path, herd: Herd, hosts: int, start_s: int) -> int:
    """Write ten minutes of *hosts*, of the families that something reads, as OpenMetrics; give when they end."""
    moments = range(0, MINUTES * 60 // STEP_S + 1, EVERY)
    with path.open("wb") as file:
        for moment in moments:
            texts = [_lines(path.parent, pages[moment], start_s + moment * STEP_S) for pages in herd.originals]
            file.writelines(placed(texts[host % len(texts)], host) for host in range(hosts))
        file.write(b"# EOF\n")
    return start_s + moments[-1] * STEP_S


@contextmanager
def fleet_history(folder: Path, herd: Herd, hosts: int, start_s: int) -> Iterator[tuple[str, int]]:
    """Give the address of a Prometheus with ten minutes of *hosts*, rules evaluated, and when they end."""
    folder.mkdir()
    path, blocks = folder / "history.om", folder / "blocks"
    end_s = write_history(path, herd, hosts, start_s)
    make_blocks(path, blocks)
    path.unlink()
    names = {name for name in read_by_others() if name in recorded()}
    make_rule_blocks(blocks, end_s - 4 * 60, end_s, wanted=names)
    with prometheus_of(blocks) as url:
        yield url, end_s


def placed(text: bytes, host: int) -> bytes:
    """Give samples of an original as those of *host*."""
    own = as_host(text, host)
    for name, value in target_labels(host).items():
        own = own.replace(_PLACES[name].encode(), value.encode())
    return own


def disk_use(folder: Path, herd: Herd, start_s: int) -> Disk:
    """Measure two hours of a few hosts in a block of Prometheus and in a VictoriaMetrics."""
    folder.mkdir()
    path, blocks = folder / "disk.om", folder / "blocks"
    names = {line.partition(b"{")[0].partition(b" ")[0].decode() for line in herd.originals[0][-1].splitlines()}
    with path.open("wb") as file:
        for moment in range(DISK_PAGES):
            for host in range(DISK_HOSTS):
                pages = herd.originals[host % len(herd.originals)]
                file.write(placed(_lines(folder, pages[moment], start_s + moment * STEP_S, names), host))
        file.write(b"# EOF\n")
    make_blocks(path, blocks)
    (block,) = (one for one in blocks.iterdir() if one.is_dir())
    text = path.read_bytes()
    samples = text.count(b"\n") - 1
    series = len({line.rsplit(b" ", 2)[0] for line in text.splitlines()}) - 1
    return Disk(
        folder_bytes(block / "chunks") / samples,
        (block / "index").stat().st_size / series,
        _victoria_bytes(folder, text) / samples,
    )


def make_blocks(path: Path, folder: Path) -> None:
    """Have promtool make blocks of a file."""
    command = [need("promtool", "prometheus"), "tsdb", "create-blocks-from", "openmetrics", str(path), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800)
    assert done.returncode == 0, done.stderr[-2000:]


def _lines(folder: Path, page: bytes, moment_s: int, names: Iterable[str] | None = None) -> bytes:
    """Give the samples of a page with their time, and places for the labels of the target."""
    scrapes = Scrapes(folder, read_by_others() if names is None else names)
    scrapes.add(page.decode(), moment_s, {"job": "wattledger", **_PLACES})
    (lines,) = scrapes._lines.values()
    return "".join(lines).encode()


def import_into(store: Engine, text: bytes) -> None:
    """Import OpenMetrics into a VictoriaMetrics, and have it found at once."""
    lines = (line for line in text.splitlines() if not line.startswith(b"#"))
    body = b"\n".join(line + b"000" for line in lines)  # it takes milliseconds
    with urlopen(Request(f"{store.url}/api/v1/import/prometheus", body), timeout=300):
        pass
    with urlopen(f"{store.url}/internal/force_flush", timeout=300):
        pass


def _victoria_bytes(folder: Path, text: bytes) -> int:
    store = victoria_metrics(folder)
    with store.running():
        import_into(store, text)
        with urlopen(f"{store.url}/internal/force_merge", timeout=300):
            pass
    return folder_bytes(folder / "victoria" / "data") + folder_bytes(folder / "victoria" / "indexdb")
