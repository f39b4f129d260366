"""What a right configuration becomes: typed values, and who overrides whom."""

import subprocess
import sys
from pathlib import Path

import pytest

from wattledger.agent.config import (
    Config,
    ConfigError,
    Correction,
    GpuReference,
    LoadedConfig,
    LogLevel,
    Overrides,
    SourceChoice,
    SourceMode,
    changed_needing_restart,
    load_config,
)
from wattledger.agent.logs import LogFormat
from wattledger.exporter.http import ListenAddress
from wattledger.rules.energy import EnergyChoice
from wattledger.rules.instant import NS_PER_HOUR, NS_PER_SECOND


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> LoadedConfig:
    file = tmp_path / "c.yml"
    file.write_text(text)
    return load_config(file, environment=environment or {}, is_root=True)


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "{}", "null", "\ufeff", "log:\ngpus:\nowners:\n"])
def test_an_empty_file_gives_the_defaults(text: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, text)
    assert loaded == LoadedConfig(Config(), tmp_path / "c.yml", ())


def test_no_file_gives_the_defaults() -> None:
    loaded = load_config(None, environment={}, is_root=True)
    assert loaded == LoadedConfig(Config(), None, ())
    assert loaded.config.listen == ListenAddress("127.0.0.1", 9889)
    assert loaded.config.history_ns == 400 * 24 * NS_PER_HOUR


def test_every_value_becomes_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "web.yml").touch()
    config = load(
        tmp_path,
        """
        listen: "[::1]:80"
        interval: 0.5s
        state_dir: state
        web_config: web.yml
        source: sim
        history: 90d
        log: {level: debug, format: json}
        gpus:
          corrections:
            GPU-AB-12: {gain: 1.03, offset_watts: -1.2, bare_watts: 71.8, context_watts: 121.725}
          exclude: [3, MIG-1]
          energy: power
        states:
          dwell: 1m
          activity: 0.1
          maintenance:
          - {gpus: all, from: 2026-01-01T01:00:00+01:00, to: 2026-01-01T00:00:01.5Z, reason: fans}
          - {gpus: [3], from: "1970-01-01T00:00Z", to: 1970-01-01 00:00:01 +00:00}
        owners:
        - {gpus: [0, GPU-cd], owner: alice}
        """,
    ).config
    assert (config.listen, config.interval_ns) == (ListenAddress("::1", 80), NS_PER_SECOND // 2)
    assert (config.state_dir, config.web_config) == (tmp_path / "state", tmp_path / "web.yml")
    assert (config.log.level, config.log.format) == (LogLevel.DEBUG, LogFormat.JSON)
    assert config.gpus.corrections == {
        "GPU-ab-12": Correction(gain_ppm=1_030_000, offset_mw=-1_200, bare_mw=71_800, context_mw=121_725)
    }
    assert config.gpus.exclude == (GpuReference(index=3), GpuReference(uuid="MIG-1"))
    assert config.gpus.energy is EnergyChoice.POWER
    assert (config.states.dwell_ns, config.states.activity_ratio) == (60 * NS_PER_SECOND, 0.1)
    first, second = config.states.maintenance
    assert (first.gpus, first.reason) == (None, "fans")
    assert (first.from_wall_ns, first.to_wall_ns) == (1_767_225_600 * NS_PER_SECOND, 1_767_225_601_500_000_000)
    assert (second.gpus, second.from_wall_ns, second.to_wall_ns) == ((GpuReference(index=3),), 0, NS_PER_SECOND)
    assert config.owners[0].gpus == (GpuReference(index=0), GpuReference(uuid="GPU-cd"))


@pytest.mark.parametrize(
    ("text", "gain_ppm"),
    [("1.03", 1_030_000), ("0.999999", 999_999), ("2", 2_000_000), (".5", 500_000), ("+1.5", 1_500_000)],
)
def test_a_gain_is_exact(text: str, gain_ppm: int, tmp_path: Path) -> None:
    config = load(tmp_path, f"gpus: {{corrections: {{GPU-1: {{gain: {text}}}}}}}").config
    assert config.gpus.corrections["GPU-1"].gain_ppm == gain_ppm


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":0", ListenAddress("", 0)),
        ("localhost:80", ListenAddress("localhost", 80)),
        ("gpu-1.example.org:80", ListenAddress("gpu-1.example.org", 80)),
        ("0.0.0.0:65535", ListenAddress("0.0.0.0", 65_535)),
        ("[fe80::1%eth0]:80", ListenAddress("fe80::1%eth0", 80)),
    ],
)
def test_an_address_is_its_host_and_port_and_is_written_as_it_was(text: str, address: ListenAddress) -> None:
    config = load_config(None, environment={}, overrides=Overrides(listen=text), is_root=True).config
    assert config.listen == address
    assert str(address) == text


def test_anchors_and_merge_keys_work(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """
        gpus:
          corrections:
            GPU-1: &board {gain: 1.1, offset_watts: 1}
            GPU-2: {<<: *board, gain: 1.2}
            GPU-3: *board
        """,
    ).config
    corrections = config.gpus.corrections
    assert corrections["GPU-2"] == Correction(gain_ppm=1_200_000, offset_mw=1_000)
    assert corrections["GPU-3"] is not None
    assert corrections["GPU-3"] == corrections["GPU-1"]


def test_a_flag_goes_before_a_variable_before_the_file_before_the_default(tmp_path: Path) -> None:
    (tmp_path / "web.yml").touch()
    file = tmp_path / "c.yml"
    file.write_text("listen: :1\ninterval: 2s\nsource: nvml\nlog: {level: error, format: json}\n")
    environment = {
        "WATTLEDGER_CONFIG": str(file),
        "WATTLEDGER_LISTEN": ":2",
        "WATTLEDGER_SOURCE": "sim",
        "WATTLEDGER_LOG_LEVEL": "debug",
        "WATTLEDGER_WEB_CONFIG": str(tmp_path / "web.yml"),
        "WATTLEDGER_INTERVAL": "",
    }
    loaded = load_config(None, environment=environment, overrides=Overrides(listen=":3"), is_root=True)
    config = loaded.config
    assert loaded.path == file
    assert config.listen == ListenAddress("", 3)
    assert config.source == SourceChoice(SourceMode.SIM)
    assert config.interval_ns == 2 * NS_PER_SECOND
    assert (config.log.level, config.log.format) == (LogLevel.DEBUG, LogFormat.JSON)
    assert config.web_config == tmp_path / "web.yml"
    assert config.states.dwell_ns == 5 * NS_PER_SECOND


def test_relative_paths_count_from_the_file_and_in_flags_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "capture").touch()
    monkeypatch.chdir(tmp_path / "here")
    Path("../c.yml").write_text("state_dir: state\nsource: replay:here/capture\n")
    loaded = load_config(Path("../c.yml"), environment={}, is_root=True)
    assert loaded.config.state_dir.resolve() == tmp_path / "state"
    assert loaded.config.source.path is not None
    assert loaded.config.source.path.samefile(tmp_path / "here" / "capture")
    flags = Overrides(state_dir="state", source="replay:capture")
    config = load_config(Path("../c.yml"), environment={}, overrides=flags, is_root=True).config
    assert config.state_dir == tmp_path / "here" / "state"
    assert config.source == SourceChoice(SourceMode.REPLAY, tmp_path / "here" / "capture")


@pytest.mark.parametrize(
    ("environment", "is_root", "state_dir"),
    [
        ({"STATE_DIRECTORY": "/a:/b", "HOME": "/h"}, True, "/a"),
        ({"STATE_DIRECTORY": "/a", "WATTLEDGER_STATE_DIR": "/c"}, True, "/c"),
        ({"HOME": "/h"}, True, "/var/lib/wattledger"),
        ({"HOME": "/h", "XDG_STATE_HOME": "/x"}, False, "/x/wattledger"),
        ({"HOME": "/h", "XDG_STATE_HOME": "relative"}, False, "/h/.local/state/wattledger"),
        ({"HOME": "/h"}, False, "/h/.local/state/wattledger"),
    ],
)
def test_the_state_folder_where_none_is_named(environment: dict[str, str], is_root: bool, state_dir: str) -> None:
    assert load_config(None, environment=environment, is_root=is_root).config.state_dir == Path(state_dir)


def test_without_a_home_the_state_folder_must_be_named() -> None:
    with pytest.raises(ConfigError, match="HOME is not set; name one with state_dir, --state-dir or WATTLEDGER_ST"):
        load_config(None, environment={}, is_root=False)
    flags = Overrides(state_dir="/s")
    assert load_config(None, environment={}, overrides=flags, is_root=False).config.state_dir == Path("/s")


def test_a_receiver_of_alerts_may_be_written_as_its_url_alone(tmp_path: Path) -> None:
    short = load(tmp_path, "alerts: {alertmanagers: ['http://a:9093'], webhooks: ['http://b/hook']}")
    long = load(tmp_path, "alerts: {alertmanagers: [{url: 'http://a:9093'}], webhooks: [{url: 'http://b/hook'}]}")
    assert short.config == long.config
    assert short.config.alerts.webhooks[0].url == "http://b/hook"


def test_a_variable_that_only_looks_like_ours_gives_a_warning() -> None:
    environment = {
        "WATTLEDGER_LISTN": "x",
        "WATTLEDGER_NVML_DOUBLE": "x",
        "WATTLEDGER_SERVICE_HOST": "10.0.0.1",
        "WATTLEDGER_PORT_9889_TCP": "tcp://10.0.0.1:9889",
        "WATTLEDGER_PORT": "tcp://10.0.0.1:9889",
        "OTHER": "x",
    }
    warnings = load_config(None, environment=environment, is_root=True).warnings
    assert list(map(str, warnings)) == [
        "WATTLEDGER_LISTN: unknown variable, ignored; did you mean `WATTLEDGER_LISTEN`?"
    ]


def test_a_dwell_below_the_interval_and_the_owner_of_an_excluded_gpu_give_warnings(tmp_path: Path) -> None:
    short = "`500ms` is shorter than the interval `1s`; it acts as one tick, raise it or write 0s"
    text = "states: {dwell: 500ms}\ngpus: {exclude: [1]}\nowners: [{gpus: [0, 1], owner: a}]\n"
    assert list(map(str, load(tmp_path, text).warnings)) == [
        f"{tmp_path}/c.yml:1:17: states.dwell: {short}",
        f"{tmp_path}/c.yml:3:21: owners[0].gpus[1]: 1 is excluded under gpus.exclude; its owner has no effect",
    ]
    assert load(tmp_path, "states: {dwell: 0s}").warnings == ()
    assert load(tmp_path, "interval: 10s").warnings == ()


def test_a_secret_that_everyone_may_read_gives_a_warning(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.touch(mode=0o600)
    feed = "kind: electricity_maps, zone: DE, token_file"
    text = f"carbon: {{feeds: [{{{feed}: token, ca_file: ca}}, {{{feed}: none}}]}}"
    (tmp_path / "ca").touch(mode=0o644)
    assert load(tmp_path, text).warnings == ()
    secret.chmod(0o644)
    (warning,) = load(tmp_path, text).warnings
    assert str(warning) == (
        f"{tmp_path}/c.yml:1:65: token_file: `token` can be read by every user (mode 0644); run chmod o-rwx on it"
    )


def test_a_reload_names_the_keys_that_only_a_restart_can_apply(tmp_path: Path) -> None:
    old = Config()
    new = load(
        tmp_path, "listen: :1\nhistory: 1d\nlog: {level: debug, format: json}\nstates: {dwell: 9s}\nstate_dir: /x\n"
    ).config
    assert changed_needing_restart(old, old) == ()
    assert changed_needing_restart(old, new) == ("listen", "state_dir", "log.format")


def test_a_gpu_is_meant_by_its_index_or_its_uuid() -> None:
    assert GpuReference(index=1).names(1, "GPU-a")
    assert not GpuReference(index=1).names(2, "GPU-a")
    assert GpuReference(uuid="GPU-a").names(2, "GPU-a")
    assert not GpuReference(uuid="GPU-a").names(0, "GPU-b")


def test_the_configuration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Config().interval_ns = 1  # type: ignore[misc]  # what must not work


def test_yaml_and_difflib_are_loaded_only_when_they_are_needed(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("interval: 1s\n")
    program = """
import sys
from pathlib import Path
from wattledger.agent.config import load_config
import wattledger.agent.config.check
load_config(None, environment={"WATTLEDGER_INTERVAL": "2s"}, is_root=True)
print(sorted({"yaml", "difflib", "ssl", "asyncio"} & set(sys.modules)))
load_config(Path(sys.argv[1]), environment={}, is_root=True)
print("yaml" in sys.modules)
"""
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "c.yml")],
        env={"PYTHONPATH": str(Path(__file__).parents[3] / ".importroot")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ran.stdout.splitlines() == ["[]", "True"]
