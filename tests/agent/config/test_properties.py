"""Whatever stands in the file: a configuration or ConfigError, and every problem is one line with its place."""

from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.agent.config.schema_keys import key_rows
from wattledger.agent.config import ConfigError, Overrides
from wattledger.agent.config.document import parse_document, scalars_below
from wattledger.agent.config.load import settle
from wattledger.agent.config.problem import Origin
from wattledger.agent.config.values import parse_listen

WORDS = sorted(
    {part for row in key_rows() for part in row.path.replace("[]", "").split(".")}
    | {row.default for row in key_rows()}
    | {"all", "GPU-1", "MIG-1", "2026-01-01T00:00:00Z", "5%", "a_file", "groups", "1e3", "0x10"}
)
SCALARS = (
    st.sampled_from(WORDS)
    | st.text(max_size=8)
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.none()
    | st.dates()
)
VALUES = st.recursive(
    SCALARS,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(), below, max_size=4)
    ),
    max_leaves=20,
)
YAML_BITS = st.sampled_from(
    [
        *WORDS,
        *"{}[]:,-?&*!|>'\"%@`#\t\n ~=<.",
        *(
            ": ",
            "- ",
            "\n  ",
            "&a ",
            "*a",
            "<<: *a\n",
            "!!set ",
            "---\n",
            "...\n",
            "%YAML 1.1\n",
            "\\U0011",
            "\ufeff",
        ),
    ]
)
GOOD = """\
listen: ":1"
gpus: &g {corrections: {GPU-1: {gain: 1.03}}, exclude: [1, GPU-2], energy: auto}
states: {dwell: 5s, maintenance: [{gpus: [1], from: 2026-01-01T00:00:00Z, to: 2026-01-02T00:00:00Z}]}
owners:
- {gpus: [0, 1], owner: alice}
"""


def judge(text: str) -> None:
    document = parse_document(text, Origin("c.yml", Path("/nowhere")))
    problems, told = 0, ""
    try:
        _, warnings = settle(document, environment={}, overrides=Overrides(), is_root=True)
    except ConfigError as error:
        problems, told, warnings = len(error.problems), str(error), error.warnings
    lines = told.split("\n") if told else []
    assert len(lines) == problems
    assert all(line.isprintable() and line.startswith("c.yml:") for line in lines)
    assert all(str(warning).isprintable() for warning in warnings)


@given(VALUES)
@settings(max_examples=200)
def test_any_data_as_yaml_is_a_configuration_or_refused(data: object) -> None:
    judge(yaml.safe_dump(data, allow_unicode=True))


@given(st.dictionaries(st.sampled_from([row.path.split(".")[0].strip("[]") for row in key_rows()]), VALUES))
@settings(max_examples=200)
def test_any_data_below_known_keys_is_a_configuration_or_refused(data: object) -> None:
    judge(yaml.safe_dump(data))


@given(st.lists(YAML_BITS, max_size=40).map("".join) | st.text(max_size=60))
@example("&a {<<: *a}")
@example("listen: &a\n  <<: [*a, *a]")
@example('"\\UFFFFFFFF"')
@example("%YAML " + "9" * 5000 + ".1\n---\n")
@example("[" * 5000)
@example("interval: " + "1" * 5000)
@example("gpus: {exclude: [" + "1" * 5000 + "]}")
@example('gpus: {corrections: {"a\\nb": {gain: 9}}}')
@example('"a\\n_file": x')
@example('state_dir: "\\0"')
@example("state_dir: " + "x" * 5000)
@example('source: "replay:\\0"')
@example('web_config: "replay:\\ud800"')
@example("states: {maintenance: [{from: 0001-01-01T00:00:00+23:59, to: 9999-12-31T23:59:59-23:59}]}")
@settings(max_examples=300)
def test_any_text_is_a_configuration_or_refused(text: str) -> None:
    judge(text)


@given(st.integers(0, len(GOOD)), st.integers(0, 4), YAML_BITS)
@settings(max_examples=300)
def test_a_good_file_with_a_wound_is_a_configuration_or_refused(at: int, cut: int, put: str) -> None:
    judge(GOOD[:at] + put + GOOD[at + cut :])


def test_a_chain_of_aliases_is_read_without_deep_recursion() -> None:
    chain = "".join(f"  k{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 3000))
    judge("carbon:\n  k0: &a0 [x]\n" + chain)


def test_a_bomb_of_aliases_is_not_unfolded() -> None:
    bomb = "".join(f"  k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 6))
    document = parse_document("carbon:\n  k0: &a0 {key_file: x}\n" + bomb, Origin("c.yml", Path("/nowhere")))
    assert [entry.key.text for entry in scalars_below(document.root)] == ["key_file"]


@given(st.text(alphabet="0123456789abc.:[]%*-", max_size=30) | st.text(max_size=30))
def test_an_address_that_is_accepted_is_written_as_one_that_means_the_same(text: str) -> None:
    try:
        address = parse_listen(text)
    except ValueError:
        return
    assert 0 <= address.port <= 65_535
    assert parse_listen(str(address)) == address
