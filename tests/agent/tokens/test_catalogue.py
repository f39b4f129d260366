"""The catalogue of servers is read strictly: what it cannot mean is refused with its place, all of it at once."""

import subprocess
import sys
from pathlib import Path

import pytest

from wattledger.agent.config.document import parse_document
from wattledger.agent.config.problem import Origin
from wattledger.agent.tokens.catalogue import CatalogueError, load_catalogue, read_catalogue
from wattledger.rules import tokens
from wattledger.rules.tokens.model import CounterClass, TokenKind
from wattledger.rules.tokens.server import ServerSpec

ROOT = Path(__file__).parents[3]
ENTRY = """\
servers:
- key: x
  title: X
  paths: [/metrics]
  signs: [x_total]
  ways:
  - counter_class: finish
    counters:
    - {kind: output, name: x_total, where: [{a: b}]}
"""


def parsed(text: str) -> tuple[ServerSpec, ...]:
    return read_catalogue(parse_document(text, Origin("servers.yml", Path())))


def refused(text: str) -> list[str]:
    with pytest.raises(CatalogueError) as raised:
        parsed(text)
    return str(raised.value).splitlines()


def test_an_entry_is_read_to_what_it_says() -> None:
    (entry,) = parsed(ENTRY.replace("  title: X\n", "  title: X\n  port: 8000\n  proxy: yes\n"))
    assert (entry.key, entry.title, entry.paths, entry.port, entry.proxy) == ("x", "X", ("/metrics",), 8000, True)
    (way,) = entry.ways
    (counter,) = way.counters
    assert (way.counter_class, way.needs, counter.kind) == (CounterClass.FINISH, (), TokenKind.OUTPUT)
    assert counter.finds("x_total", (("a", "b"),))
    assert not counter.finds("x_total", (("a", "bb"),))
    assert not counter.finds("x_total", ())
    assert not counter.finds("x_total_sum", (("a", "b"),))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("  title: X", "  titel: X", "servers.yml:3:3: servers[0]: unknown key `titel`; did you mean `title`?"),
        ("  title: X\n", "", "servers.yml:2:3: servers[0]: lacks the key `title`; add it"),
        ("[x_total]", "['x(']", "servers.yml:5:11: servers[0].signs[0]: `x(` is no pattern"),
        ("{a: b}", "{a: '['}", "servers[0].ways[0].counters[0].where[0].a: `[` is no pattern"),
        ("[x_total]", "x_total", "servers.yml:5:10: servers[0].signs: `x_total` is not taken here; write a list"),
        ("[x_total]", "[]", "servers[0].signs: is empty"),
        ("[/metrics]", "[]", "servers[0].paths: is empty"),
        ("[/metrics]", "[metrics]", "`metrics` is no path of a URL"),
        ("[/metrics]", "[8000]", "servers.yml:4:11: servers[0].paths[0]: `8000` is not taken here"),
        ("  title: X", "  title: [X]", "servers.yml:3:10: servers[0].title: a list is not taken here"),
        ("  title: X", "  title: on", "servers.yml:3:10: servers[0].title: `on` is not taken here"),
        ("  title: X", "  title: X\n  port: '8000'", "servers[0].port: `8000` is not taken here"),
        ("  title: X", "  title: X\n  port: -1", "servers[0].port: `-1` is no decimal number"),
        ("  title: X", "  title: X\n  port: 0x10", "servers[0].port"),
        ("  title: X", "  title: X\n  proxy: maybe", "servers[0].proxy: `maybe` is not taken here"),
        (
            "  title: X",
            "  title: X\n  role: {flags: [{flag: --a, role: x}]}",
            "flags[0].role: `x` is none of unified",
        ),
        ("kind: output", "kind: outputs", "counters[0].kind: `outputs` is none of prompt, prompt_cached"),
        ("finish", "end", "ways[0].counter_class: `end` is none of iteration, finish"),
        ("where: [{a: b}]", "where: {a: b}", "where: a mapping is not taken here; write a list"),
        ("where: [{a: b}]", "where: [a]", "where[0]: `a` is not taken here; write labels with patterns"),
        ("key: x", "key: X-1", "servers[0].key: `X-1` is no key"),
        ("servers:", "server:", "servers.yml:1:1: unknown key `server`"),
        (
            "- key: x\n",
            "- 5\n- key: x\n",
            "servers.yml:2:3: servers[0]: `5` is not taken here; write the keys key, title",
        ),
        ("  title: X", "  title: X\n  title: Y", "the key `title` already stands"),
        ("  title: X", "\ttitle: X", "is not valid YAML"),
    ],
)
def test_a_mistake_is_refused_with_its_place(old: str, new: str, problem: str) -> None:
    assert old in ENTRY
    found = refused(ENTRY.replace(old, new, 1))
    assert any(problem in line for line in found), found


def test_every_mistake_is_told_at_once() -> None:
    found = refused(ENTRY.replace("title: X", "titel: X").replace("finish", "end").replace("[x_total]", "['(']"))
    assert len(found) == 4
    assert found == sorted(found, key=lambda line: int(line.split(":")[1]))


def test_a_key_stands_once() -> None:
    assert any("is the key of another entry" in line for line in refused(ENTRY + ENTRY.removeprefix("servers:\n")))


@pytest.mark.parametrize("text", ["", "servers: []\n", "servers:\n", "servers: {a: b}\n", "[]\n"])
def test_a_catalogue_without_servers_is_a_mistake(text: str) -> None:
    assert refused(text)


def test_ways_that_can_never_be_taken_are_a_mistake() -> None:
    way = ENTRY[ENTRY.index("  - counter_class") :]
    assert any("later ways are never taken" in line for line in refused(ENTRY + way))
    assert parsed(ENTRY.replace("finish", "finish\n    needs: [y]", 1) + way)
    assert refused(ENTRY.replace("\n    - {kind: output, name: x_total, where: [{a: b}]}", " []"))


def test_the_shipped_catalogue_is_read_and_stands_beside_its_readers() -> None:
    catalogue = load_catalogue()
    assert len({spec.title for spec in catalogue}) == len(catalogue) >= 10
    assert (Path(str(tokens.__file__)).parent / "servers.yml").is_file()
    for spec in catalogue:
        # Groups would be numbered through all names once they are put together.
        assert not [pattern.pattern for pattern in spec.names() if pattern.groups]
        assert any(counter.kind is TokenKind.OUTPUT for way in spec.ways for counter in way.counters)


def test_the_documentation_has_every_server() -> None:
    text = (ROOT / "docs" / "servers.md").read_text("utf-8")
    for spec in load_catalogue():
        assert f"| `{spec.key}` |" in text, spec.key
        for path in spec.paths:
            assert f"`{path}`" in text, path


def test_yaml_is_loaded_with_the_catalogue_and_not_before() -> None:
    script = (
        "import sys; import wattledger.agent.tokens.catalogue as c;"
        "before = 'yaml' in sys.modules; c.load_catalogue(); print(before, 'yaml' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(ROOT / ".importroot")}
    shown = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["False", "True"]
