"""The settings that cross to the sampler, the source they build, and how exits read."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.fake_clock import FakeClock
from wattledger.agent.sampler.build import build_source
from wattledger.agent.sampler.exits import SamplerExit, describe_status
from wattledger.agent.sampler.launch import child_environment
from wattledger.agent.sampler.settings import (
    SamplerSettings,
    SettingsError,
    SimSettings,
    decode_settings,
    encode_settings,
)
from wattledger.agent.sources.base import SourceError
from wattledger.rules.reading import SourceKind


@given(st.builds(SamplerSettings, source=st.sampled_from(SourceKind), interval_ns=st.integers(1, 2**60)))
def test_settings_cross_unchanged(settings: SamplerSettings) -> None:
    assert decode_settings(encode_settings(settings)) == settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"source":"magic"}', "magic"),
        ('{"source":"sim","interval_ns":"1s"}', "interval_ns"),
        ('{"source":"sim","interval_ns":0}', "interval_ns is 0"),
        ("{", "truncated"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_place_and_value(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        decode_settings(text)


@pytest.mark.parametrize("kind", list(SourceKind))
def test_each_kind_builds_its_source(kind: SourceKind) -> None:
    source = build_source(SamplerSettings(kind, replay_path="capture.jsonl", exclude=("0",)), FakeClock())
    assert source.kind is kind


def test_a_simulated_host_is_as_large_as_told() -> None:
    settings = SamplerSettings(SourceKind.SIM, sim=SimSettings(count=3, profiles=("a100",)))
    clock = FakeClock()
    source = build_source(settings, clock)
    source.open()
    assert len(source.read(clock.now()).devices) == 3


def test_an_impossible_simulated_host_is_a_failure_of_the_source_that_names_the_cure() -> None:
    settings = SamplerSettings(SourceKind.SIM, sim=SimSettings(count=0))
    with pytest.raises(SourceError, match="count is 0"):
        build_source(settings, FakeClock())


def test_the_sampler_loads_nothing_of_the_daemon_and_no_source_that_is_not_asked_for() -> None:
    program = "import sys, wattledger.agent.sampler.main; print(*sys.modules)"
    environment = {**child_environment(), "COVERAGE_PROCESS_START": ""}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    loaded = set(done.stdout.split())
    assert "wattledger.agent.sampler.frames" in loaded
    for module in ("supervisor", "launch", "child"):
        assert f"wattledger.agent.sampler.{module}" not in loaded
    unwanted = {"pynvml", "ctypes", "fcntl", "subprocess", "random", "argparse", "ssl", "yaml", "asyncio"}
    assert not unwanted & loaded
    assert not {name for name in loaded if name.startswith(("wattledger.agent.sources.", "wattledger.exporter"))} - {
        "wattledger.agent.sources.base"
    }


def test_what_a_status_means_is_said_in_words() -> None:
    assert describe_status(signal.SIGSEGV) == "killed by SIGSEGV"
    assert describe_status(signal.SIGRTMIN + 3) == f"killed by signal {signal.SIGRTMIN + 3}"
    assert describe_status(1 << 8) == "exit code 1: its log has the reason"
    for code in SamplerExit:
        assert os.waitstatus_to_exitcode(code << 8) == code
        assert describe_status(code << 8).startswith(f"exit code {code.value}: ")


def test_released_is_a_setting_so_that_a_replacement_leaves_the_driver_alone_too() -> None:
    settings = replace(SamplerSettings(SourceKind.NVML), released=True)
    assert decode_settings(encode_settings(settings)).released
