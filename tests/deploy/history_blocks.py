"""Pages as a Prometheus would have scraped them, in blocks of its storage, and what its rules make of them."""

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import promql_parser
import yaml

from tests.agent.e2e_daemon import poll
from tests.bench.contenders import free_port
from tests.deploy.promql_names import recording_rules, selectors
from tests.servers import need

BLOCK_S = 7_200
_LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
# A scrape keeps its own labels and shows those of the page under other names.
_TAKEN = (("job=", "exported_job="), ("instance=", "exported_instance="))


class Scrapes:
    """Samples with their times, which promtool makes blocks of.

    A block is of two hours, and promtool reads all of a file for each: so each has a file.
    """

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        """*names* are the series that are kept: a page has three times as many as dashboards and rules look at."""
        self._folder = folder
        self._names = frozenset(names)
        self._lines: dict[int, list[str]] = {}

    def add(self, page: str, moment_s: int, target: Mapping[str, str]) -> None:
        """Add a page as *target* showed it, and what Prometheus says of the scrape itself."""
        lines = self._lines.setdefault(moment_s // BLOCK_S, [])
        own = ",".join(f'{name}="{value}"' for name, value in target.items())
        samples = 0
        for line in page.splitlines():
            if line.startswith("#"):
                continue
            samples += 1
            found = _LINE.fullmatch(line)
            assert found is not None, line
            name, labels, value = found.groups()
            if name in self._names:
                lines.append(f"{name}{{{own}{_renamed(labels)}}} {value} {moment_s}\n")
        for name, number in (("up", 1.0), ("scrape_duration_seconds", 0.004), ("scrape_samples_scraped", samples)):
            lines.append(f"{name}{{{own}}} {number} {moment_s}\n")

    def make_blocks(self, folder: Path) -> None:
        """Write everything to the storage in *folder*."""
        for number, lines in self._lines.items():
            path = self._folder / f"block-{number}.om"
            path.write_text("".join((*lines, "# EOF\n")), encoding="utf-8")
            _promtool("tsdb", "create-blocks-from", "openmetrics", str(path), str(folder))


def _renamed(labels: str | None) -> str:
    if not labels:
        return ""
    for taken, shown in _TAKEN:
        labels = re.sub(rf"(^|,){taken}", rf"\1{shown}", labels)
    return f",{labels}"


def make_rule_blocks(folder: Path, start_s: int, end_s: int, *, wanted: Iterable[str]) -> None:
    """Add what the recording rules give to the storage in *folder*, those that others are made of first."""
    for number, rules in enumerate(_levels(set(wanted))):
        path = folder.parent / f"level-{number}.yml"
        path.write_text(yaml.safe_dump({"groups": [{"name": f"level-{number}", "rules": rules}]}), encoding="utf-8")
        with prometheus_of(folder) as url:
            moments = (f"--start={start_s}", f"--end={end_s}", "--eval-interval=4m")
            _promtool(
                "tsdb", "create-blocks-from", "rules", f"--url={url}", *moments, f"--output-dir={folder}", str(path)
            )


@contextmanager
def prometheus_of(folder: Path) -> Iterator[str]:
    """Give the address of a Prometheus that shows the storage in *folder*."""
    program, port = need("prometheus", "prometheus"), free_port()
    config = folder.parent / "prometheus.yml"
    config.write_text("{}\n", encoding="utf-8")
    log = folder.parent / "prometheus.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=output,
        )
    try:
        _wait(f"http://127.0.0.1:{port}", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    def is_ready() -> bool:
        assert server.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        try:
            with urlopen(f"{url}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    poll(is_ready, "Prometheus on the blocks", 40)


def _levels(wanted: set[str]) -> list[list[dict[str, Any]]]:
    """Give the rules that *wanted* series need, in steps: each needs only pages and the steps before it."""
    needs: dict[str, set[str]] = {}
    for rule in recording_rules():
        named = {str(one.name) for one in selectors(promql_parser.parse(str(rule["expr"])))}
        needs.setdefault(rule["record"], set()).update(name for name in named if name.startswith("wattledger:"))
    while more := {name for series in wanted for name in needs[series]} - wanted:
        wanted |= more
    levels: list[list[dict[str, Any]]] = []
    done: set[str] = set()
    while done < wanted:
        ready = {series for series in wanted - done if needs[series] - {series} <= done}
        assert ready, f"rules in a circle: {wanted - done}"
        levels.append(
            [
                {key: rule[key] for key in ("record", "expr", "labels") if key in rule}
                for rule in recording_rules()
                if rule["record"] in ready
            ]
        )
        done |= ready
    return levels


def _promtool(*arguments: str) -> None:
    done = subprocess.run(
        [need("promtool", "prometheus"), *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
