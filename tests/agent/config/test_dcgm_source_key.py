"""The key `source` where it names a dcgm-exporter, and what follows for how its numbers are booked."""

from pathlib import Path

import pytest

from wattledger.agent.config import Config, ConfigError, SourceChoice, SourceMode, load_config
from wattledger.agent.policy import host_policy, token_policy
from wattledger.agent.source_choice import choose_source, sampler_settings, state_folder
from wattledger.agent.sources.dcgm_pace import COLLECT_NS, PACE, STALE_NS
from wattledger.rules.book import BookPolicy
from wattledger.rules.reading import DeviceIdentity, Pace, SourceKind

URL = "http://127.0.0.1:9400/metrics"


def load(text: str, folder: Path) -> Config:
    path = folder / "c.yml"
    path.write_text(f"state_dir: state\n{text}\n")
    return load_config(path, environment={}).config


def book_policy(config: Config, pace: Pace | None = None) -> BookPolicy:
    return host_policy(config).book(DeviceIdentity("GPU-1", 0, "NVIDIA L4")).at_pace(pace)


@pytest.mark.parametrize(
    ("written", "url"),
    [("dcgm", URL), (f"dcgm:{URL}", URL), ("'dcgm:https://gpu7:9400'", "https://gpu7:9400")],
)
def test_an_exporter_is_named_by_its_address(tmp_path: Path, written: str, url: str) -> None:
    config = load(f"source: {written}", tmp_path)
    assert config.source == SourceChoice(SourceMode.DCGM, url=url)
    assert str(config.source) == f"dcgm:{url}"
    assert choose_source(config, {}).kind is SourceKind.DCGM
    assert sampler_settings(config, SourceKind.DCGM).dcgm_url == url


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("'dcgm:'", "`dcgm:` is not a URL of HTTP; write dcgm:http://127.0.0.1:9400/metrics"),
        ("dcgm:127.0.0.1:9400", "is not a URL"),
        ("dcgm:http://u:p@127.0.0.1:9400", "holds a user name, which is not sent"),
        ("dcgn", "did you mean `dcgm`?"),
    ],
)
def test_a_mistake_is_said_with_its_place(tmp_path: Path, written: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(f"source: {written}", tmp_path)
    (problem,) = refused.value.problems
    assert str(problem).startswith("c.yml:2:9: source: ") or ":2:9: source: " in str(problem)
    assert said in str(problem)


def test_its_books_are_those_of_the_same_boards_through_nvml(tmp_path: Path) -> None:
    config = load("source: dcgm", tmp_path)
    assert state_folder(config, SourceKind.DCGM) == state_folder(config, SourceKind.NVML) == config.state_dir
    assert state_folder(config, SourceKind.SIM) != config.state_dir


def test_what_comes_seldom_is_booked_with_more_patience(tmp_path: Path) -> None:
    config = load("source: dcgm", tmp_path)
    seldom, often = book_policy(config, PACE), book_policy(config)
    assert (seldom.energy.gap_ns, seldom.energy.bound_slack_ns) == (STALE_NS, 2 * COLLECT_NS)
    assert seldom.states.dwell_ns == COLLECT_NS * 3 // 2
    assert seldom.energy.gap_ns > 2 * COLLECT_NS
    assert token_policy(config).at_pace(PACE).patience_ns == 3 * COLLECT_NS
    assert token_policy(config).at_pace(None) == token_policy(config)
    assert often.energy.gap_ns < COLLECT_NS
    assert often.states.dwell_ns < COLLECT_NS
    long = load("source: dcgm\nstates: {dwell: 5m}", tmp_path)
    assert book_policy(long, PACE).states.dwell_ns == 300 * 10**9
