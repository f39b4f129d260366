"""The shipped files of Prometheus and Alertmanager, changed where docs/prometheus.md says so and nowhere else."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.agent.e2e_daemon import environment

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
PAGE = ROOT / "docs" / "prometheus.md"
INTERVALS = (
    *("scrape_interval", "scrape_timeout", "evaluation_interval", "refresh_interval"),
    *("group_wait", "group_interval", "repeat_interval"),
)
_ROW = re.compile(r"^\| `([^`]+)` \| `(deploy/[^`]+)` \|", re.MULTILINE)
_INTERVAL = re.compile(rf"\b({'|'.join(INTERVALS)}): \w+")


@cache
def changeable() -> frozenset[tuple[str, str]]:
    """Give what the page tells to change: the text as it stands, and the file."""
    return frozenset(_ROW.findall(PAGE.read_text()))


def changed(name: str, texts: Mapping[str, str] | None = None, intervals: Mapping[str, str] | None = None) -> str:
    """Give the file *name* of the repository with *texts* replaced, and with its intervals set to these.

    Each of *texts* is one that the page tells to change.
    """
    text = (ROOT / name).read_text()
    for old, new in (texts or {}).items():
        assert (old, name) in changeable(), f"the page does not tell to change {old} in {name}"
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    times = intervals or {}
    return _INTERVAL.sub(lambda found: f"{found[1]}: {times[found[1]]}" if found[1] in times else found[0], text)


def wattledger(*arguments: str) -> str:
    """Give what the command prints."""
    command = [sys.executable, "-m", "wattledger.agent", *arguments]
    done = subprocess.run(command, env=environment({}), capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def templates_into(folder: Path, *, texts: Mapping[str, str] | None = None) -> None:
    """Put the shipped templates where an Alertmanager with its configuration in *folder* looks for them."""
    (folder / "templates").mkdir()
    for path in (DEPLOY / "alertmanager" / "templates").iterdir():
        relative = str(path.relative_to(ROOT))
        (folder / "templates" / path.name).write_text(changed(relative, texts))


@contextmanager
def server(command: list[str], log: Path) -> Iterator[None]:
    """Run *command* until the end of the block; it has to be alive by then."""
    assert shutil.which(command[0])
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield
            assert process.poll() is None, f"{command[0]} has ended\n{log.read_text(errors='replace')[-3000:]}"
        finally:
            process.terminate()
