"""All pages against reality: paths, make targets, commands with their flags, links with anchors, configurations."""

import argparse
import io
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
import yaml

from tests.agent.ledger.helpers import FakeClock, assert_whole, commit_tick
from wattledger.agent.cli import parser
from wattledger.agent.config import Config
from wattledger.agent.config.check import check_file
from wattledger.agent.ledger import LEDGER_NAME, SqliteLedger, peek

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "tests/**/*.md") for path in ROOT.glob(pattern)
)
# Those that are not sent to readers of this tree: what earlier versions did.
HISTORY = "CHANGELOG.md"
UPGRADE = ROOT / "docs/upgrade.md"
FENCE = re.compile(r"^( *)```(?P<language>[\w-]*)\n(?P<text>.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
# NAME, KIND and such stand for anything, as do X... and {a,b}.
TREE_PATH = re.compile(r"(?<![\w/.:~$-])(?:agent|deploy|docs|exporter|rules|tests)/[\w./{},*+-]+")
COMMAND = re.compile(r"(?:^|[|;&(] ?|-- |`)(?:\$ |sudo |[A-Z_]+=\S+ )*(?:[\w./-]*/)?wattledger (?P<rest>[a-z-].*)")
CHART_KEYS = ("image", "config")  # by which values of the chart are told from a configuration
FOLDERS_OF_READERS = {"rules/*.yml"}


class Block(NamedTuple):
    """One block of code of a page."""

    page: str
    language: str
    text: str


@cache
def text_of(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path) -> list[Block]:
    found = FENCE.finditer(text_of(page))
    return [Block(page.name, match["language"], match["text"]) for match in found]


def code(page: Path) -> Iterator[str]:
    """Give every line of code and every span of code, lines that go on joined."""
    for block in blocks(page):
        yield from re.sub(r"\\\n\s*", "", block.text).splitlines()
    yield from INLINE.findall(FENCE.sub("", text_of(page)))


def identified(page: Path) -> str:
    return str(page.relative_to(ROOT))


def every_page(*, history: bool = False) -> pytest.MarkDecorator:
    pages = [page for page in PAGES if history or page.name != HISTORY]
    return pytest.mark.parametrize("page", pages, ids=identified)


def expanded(path: str) -> list[str]:
    """Give the patterns that *path* stands for: braces taken apart, words in capitals as wildcards."""
    if match := re.search(r"\{([^{}]*)\}", path):
        before, after = path[: match.start()], path[match.end() :]
        return [one for part in match[1].split(",") for one in expanded(before + part + after)]
    return [re.sub(r"\b[A-Z]{3,}\b(?!\.md)", "*", path)]


def missing_paths(text: str) -> list[str]:
    """Give the paths of this tree that are named in a piece of code and are not there."""
    found = (one.rstrip(".,") for one in TREE_PATH.findall(text))
    named = (one for path in found if path not in FOLDERS_OF_READERS for one in expanded(path))
    return [path for path in named if not any(ROOT.glob(path))]


def unknown_targets(text: str) -> list[str]:
    """Give what a piece of code makes and the Makefile does not."""
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of(ROOT / "Makefile"), re.MULTILINE))
    if match := re.match(r"(?:\$ |sudo )*make((?: [a-z-]+)+)(?: [A-Z]+=\S+)*(?: +#.*)?$", text):
        return [word for word in match[1].split() if word not in targets]
    return []


def wrong_words(text: str) -> list[str]:
    """Give what a command line of ours has that the program does not take: commands and flags."""
    match = COMMAND.search(text.strip())
    if match is None:
        return []
    words = re.split(r"\s[|>;&#](?=[\s&]|$)(?![^\[]*\])", " " + match["rest"])[0]
    command, path, wrong = parser(), "wattledger", []
    for word in re.sub(r"[\[\]`]", " ", words).split():
        name = word.partition("=")[0]
        if (commands := commands_of(command)) and not name.startswith("-"):
            if name not in commands:
                return [f"{path} {name}"]
            command, path = commands[name], f"{path} {name}"
        elif re.fullmatch(r"--[a-z-]+", name) and name not in command._option_string_actions:
            wrong.append(f"{path} {name}")
    return wrong


def commands_of(command: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = (action for action in command._actions if isinstance(action, argparse._SubParsersAction))
    return {name: one for action in found for name, one in action.choices.items()}


def anchors(page: Path) -> set[str]:
    """Give the anchors of the headings of *page*, as web views of Markdown make them."""
    seen: dict[str, int] = {}
    found = set(re.findall(r'<a id="([^"]+)"', text_of(page)))
    for heading in re.findall(r"^#{1,6} +(.+?) *$", FENCE.sub("", text_of(page)), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        count = seen[slug] = seen.get(slug, -1) + 1
        found.add(f"{slug}-{count}" if count else slug)
    return found


def dead_links(page: Path) -> list[str]:
    return [link for link in LINK.findall(FENCE.sub("", text_of(page))) if is_dead(page, link)]


def is_dead(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors(target)


def configurations() -> list[Block]:
    """Give every block that is a configuration of ours, or the `config` in values of the chart.

    Without the packs, whose loading is of no matter here, where it does not choose them.
    """
    keys = {field.encode_name for field in msgspec.structs.fields(Config)}
    found = []
    for block in (block for page in PAGES for block in blocks(page) if block.language == "yaml"):
        for document in yaml.safe_load_all(block.text):
            of_chart = isinstance(document, dict) and any(key in document for key in CHART_KEYS)
            config = document.get("config") if of_chart else document
            if isinstance(config, dict) and keys & config.keys():
                found.append(Block(block.page, "yaml", yaml.safe_dump({"rules": {"packs": []}} | config)))
    return found


@every_page()
def test_the_paths_that_a_page_names_are_there(page: Path) -> None:
    assert [path for piece in code(page) for path in missing_paths(piece)] == []


@every_page()
def test_the_targets_that_a_page_makes_are_in_the_makefile(page: Path) -> None:
    assert [word for piece in code(page) for word in unknown_targets(piece)] == []


@every_page()
def test_the_commands_and_flags_that_a_page_names_are_those_of_the_program(page: Path) -> None:
    assert [word for piece in code(page) for word in wrong_words(piece)] == []


@every_page(history=True)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    assert dead_links(page) == []


@pytest.mark.parametrize("block", configurations(), ids=lambda block: block.page)
def test_the_configurations_that_a_page_shows_are_accepted(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the files beside it that it names, empty."""
    monkeypatch.chdir(tmp_path)
    text = block.text.replace("/etc/wattledger", str(tmp_path))
    (tmp_path / "web.yml").touch()
    (tmp_path / "site.rules.yml").write_text("groups: []\n")
    (tmp_path / "wattledger.yaml").write_text(text)
    said = io.StringIO()
    assert check_file(tmp_path / "wattledger.yaml", io.StringIO(), {}, err=said) == 0, said.getvalue()


def test_the_backup_that_the_page_on_upgrades_shows_is_whole_and_a_plain_copy_is_not(tmp_path: Path) -> None:
    for name in ("live", "backup", "plain"):
        (tmp_path / name).mkdir()
    live, backup, plain = (tmp_path / name / LEDGER_NAME for name in ("live", "backup", "plain"))
    shown = re.search(r"^(python3 -c .*) /var/lib/wattledger/ledger\.sqlite3 \S+$", text_of(UPGRADE), re.MULTILINE)
    assert shown is not None
    ledger = SqliteLedger(live.parent, clock=FakeClock())
    try:
        commit_tick(ledger, 1)
        _, *arguments = shlex.split(shown[1])
        subprocess.run([sys.executable, *arguments, str(live), str(backup)], check=True, timeout=30)
        shutil.copy(live, plain)
        commit_tick(ledger, 2)  # the copying stood in nobody's way
    finally:
        ledger.close()
    assert_whole(backup.parent, 1)
    assert peek(plain) != peek(backup)


def test_connections_are_opened_where_the_page_on_security_says() -> None:
    """Over a network; the other two are probes of Unix sockets."""
    opening = re.compile(r"\.connect\(|create_connection\(|urlopen\(")
    files = (path for folder in ("agent", "exporter", "rules") for path in (ROOT / folder).rglob("*.py"))
    found = {
        str(path.relative_to(ROOT))
        for path in files
        if opening.search(path.read_text("utf-8").replace("sqlite3.connect(", ""))
    }
    local = {"agent/workloads/kubernetes/client.py", "agent/tokens/inputs/push_listen.py"}
    assert found - local == {"exporter/outgoing.py", "agent/feeds/web_transport.py"}
    said = text_of(ROOT / "docs/security.md")
    assert "`exporter/outgoing.py` and `agent/feeds/web_transport.py`" in said


def test_what_is_wrong_would_be_found() -> None:
    assert missing_paths("cp deploy/no/such.yml /etc") == ["deploy/no/such.yml"]
    assert missing_paths("`agent/ledger/{rows,nothing}.py`") == ["agent/ledger/nothing.py"]
    assert unknown_targets("$ make test nonsense ARGS=-x") == ["nonsense"]
    assert wrong_words("$ sudo wattledger run --conf x") == ["wattledger run --conf"]
    assert wrong_words("kubectl exec x -- wattledger nonsense") == ["wattledger nonsense"]
    assert wrong_words("wattledger rules render --no-fleet --colour > x # --red") == [
        "wattledger rules render --colour"
    ]
    assert wrong_words("wattledger chain [--setup NAME | --compare A B] [--lod-kw N]") == [
        "wattledger chain --lod-kw"
    ]
    assert wrong_words("helm install wattledger deploy/helm/wattledger --set a=b") == []
    links = ("#install", "docs/web.md#limits", "https://example.org/", "#none", "docs/web.md#none", "none.md", "/etc")
    assert [link for link in links if is_dead(ROOT / "README.md", link)] == list(links[3:])


def test_what_is_looked_at_is_there() -> None:
    """A pattern that finds nothing would pass everywhere."""
    pieces = [piece for page in PAGES for piece in code(page)]
    assert len(PAGES) > 25
    assert sum(bool(TREE_PATH.search(piece)) for piece in pieces) > 100
    assert sum(bool(COMMAND.search(piece.strip())) for piece in pieces) > 50
    assert len(configurations()) > 25
