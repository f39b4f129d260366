"""What a mistake in the file is answered with: place, key, value and cure, all of them in one go."""

from pathlib import Path

import pytest

from wattledger.agent.config import Config, ConfigError, Overrides, load_config

GPU_CURE = "is not a GPU; write an index such as 0, or a UUID such as GPU-... or MIG-..."
TOP_KEYS = (
    "listen, interval, state_dir, source, web_config, history, log, gpus, states, owners, workloads, services, "
    "carbon, supply, facility, tariff, dcgm, rules, alerts"
)
TIME_CURE = "is not a time; write ISO 8601 with an offset, such as 2026-01-31T22:00:00+01:00"
MAINTENANCE = "states: {{maintenance: [{{from: {}, to: 2026-01-02T00:00:00Z}}]}}"

MISTAKES: dict[str, tuple[str | bytes, list[str]]] = {
    "a log pattern without a group": (
        "services: {logs: [{service: a, path: b, pattern: 'x+'}]}",
        ["1:50: services.logs[0].pattern: `x+` the pattern 'x+' needs one group named tokens or samples"],
    ),
    "samples that are of unknown size": (
        "services: {logs: [{service: a, path: b, gpus: [0], pattern: '(?P<samples>[0-9]+)'}]}",
        ["1:19: services.logs[0]: counts samples; add tokens_per_sample, the tokens of one"],
    ),
    "two names of whose energy it is": (
        "services: {tensorboard: [{service: a, path: b, tag: t, gpus: [0], pid_file: p}]}",
        ["1:26: services.tensorboard[0]: has both gpus and pid_file; keep the one that says whose energy it is"],
    ),
    "two services of one name": (
        "services:\n  list:\n  - {service: a, endpoint: 'http://h:1'}\n  - {service: a, endpoint: 'http://h:2'}",
        ["4:15: services.list[1].service: `a` is taken already in line 3; rename one"],
    ),
    "one page for two services": (
        "services: {list: [{service: a, endpoint: 'http://localhost'}, {service: b, endpoint: 'http://127.0.0.1'}]}",
        ["1:86: services.list[1].endpoint: is already told in line 1, so tokens would count twice; keep one"],
    ),
    "one GPU for two services": (
        "services: {list: [{service: a, gpus: [1], endpoint: 'http://h'}, {service: b, gpus: [1], endpoint: 'http://i'}]}",
        ["1:86: services.list[1].gpus[0]: GPU 1 is already named in line 1; keep one of them"],
    ),
    "pushing from elsewhere": (
        "services: {push: {listen: ':9890'}}",
        ["1:27: services.push.listen: is not loopback; only jobs of this host may push: write 127.0.0.1:9890"],
    ),
    "a server that is not in the catalogue": (
        "services: {list: [{service: a, endpoint: 'http://h:1', kind: vlm}]}",
        ["1:62: services.list[0].kind: `vlm` is no server that is known; did you mean `vllm`?"],
    ),
    "a label that workloads do not have": (
        "workloads: {labels: [pods]}",
        ["1:22: workloads.labels[0]: `pods` is no name of workloads; did you mean `pod`?"],
    ),
    "a limit that is no whole number": (
        "workloads: {limit: 1e3}",
        ["1:20: workloads.limit: `1e3` is not a whole number; write one from 1 to 10000"],
    ),
    "unknown key near a known one": ("intervall: 1s", ["1:1: unknown key `intervall`; did you mean `interval`?"]),
    "unknown key near none": ("zzz: 1", [f"1:1: unknown key `zzz`; the keys here are {TOP_KEYS}"]),
    "unknown key below": ("log: {levl: info}", ["1:7: log: unknown key `levl`; did you mean `level`?"]),
    "duplicate key": (
        "interval: 1s\nlisten: :1\ninterval: 2s",
        ["3:1: the key `interval` already stands in line 1; keep one of them"],
    ),
    "list at the top": (
        "- 1",
        ["1:1: the file holds a list; write keys with values, such as `interval: 1s`"],
    ),
    "text at the top": (
        "wattledger",
        ["1:1: the file holds a single value; write keys with values, such as `interval: 1s`"],
    ),
    "key that is a list": ("? [a]\n: 1", ["1:3: a key must be a single word, not a list or mapping"]),
    "tag": (
        "interval: !!python/name:os.system 1s",
        ["1:11: the tag `tag:yaml.org,2002:python/name:os.system` has no"],
    ),
    "anchor in itself": ("log: &a {level: *a}", ["1:6: an anchor stands inside itself; write the value out"]),
    "merge of a scalar": ("log: {<<: info}", ["1:11: `<<` takes a mapping or a list of mappings; give it an alias"]),
    "syntax": (
        "log: {level: info\ninterval: 1s\n",
        ["2:9: is not valid YAML: expected ',' or '}', but got ':'; check the indentation, colons and"],
    ),
    "tab": (
        "log:\n\tlevel: info",
        ["2:1: is not valid YAML: found character '\\t' that cannot start any token; indent"],
    ),
    "two documents": (
        "interval: 1s\n---\ninterval: 2s",
        ["2:1: is not valid YAML: but found another document; keep one"],
    ),
    "IPv6 without quotes": (
        "interval: 1s\nlisten: [::1]:9889",
        ["2:10: is not valid YAML: expected the node content, but found ':'; put an IPv6 address in quotes: listen:"],
    ),
    "nesting": ("[" * 100, ["1:34: is not valid YAML: nested deeper than 32 levels; check"]),
    "escape beyond Unicode": (
        'a: "\\U00110000"',
        [" is not valid YAML: chr() arg not in range(0x110000); check its"],
    ),
    "not UTF-8": (b"log:\n  # \xff", ["2:5: is not UTF-8 text; save the file as UTF-8"]),
    "control character": ("log:\n  # \x07", ["2:5: holds a character that YAML does not allow; remove it"]),
    "size": ("#" * (1 << 20) + "\n", [" is larger than 1 MiB; a configuration is a few kilobytes"]),
    "port alone": ("listen: 9889", ["1:9: listen: `9889` is not an address; write 127.0.0.1:9889 or :9889"]),
    "host alone": ("listen: a", ["1:9: listen: `a` is not an address; write host:port, such as 127.0.0.1:9889"]),
    "port with zeros": (
        "listen: :000000080",
        ["1:9: listen: `:000000080` has no port from 0 to 65535 after its last colon; write 127.0.0.1:9889"],
    ),
    "port too high": (
        "listen: :65536",
        ["1:9: listen: `:65536` has no port from 0 to 65535 after its last colon; write 127.0.0.1:9889"],
    ),
    "IPv6 without brackets": ("listen: '::1:80'", ["1:9: listen: `::1:80` has too many colons; write [::1]:80"]),
    "brackets without IPv6": (
        "listen: '[a]:80'",
        ["1:9: listen: `[a]:80` has no IPv6 address in its brackets; write [::1]:9889"],
    ),
    "star": ("listen: '*:80'", ["1:9: listen: `*:80` has no host before the colon; for every address write :80"]),
    "URL": (
        "listen: http://a:80",
        ["1:9: listen: `http://a:80` has too many colons; write host:port, such as 127.0.0.1:9889"],
    ),
    "IPv4 beyond 255": (
        "listen: 300.0.0.1:80",
        ["1:9: listen: `300.0.0.1:80` has no host name or address before the colon; write host:port, such as"],
    ),
    "duration without unit": ("interval: 1", ["1:11: interval: `1` has no unit; write 1s"]),
    "milliseconds meant": ("interval: 500", ["1:11: interval: `500` has no unit; write 500ms"]),
    "days meant": ("history: 400", ["1:10: history: `400` has no unit; write 400d"]),
    "interval too short": (
        "interval: 100ms",
        ["1:11: interval: `100ms` is out of range; write a duration from 200ms to 10s"],
    ),
    "interval too long": (
        "interval: 11s",
        ["1:11: interval: `11s` is out of range; write a duration from 200ms to 10s"],
    ),
    "dwell too long": (
        "states: {dwell: 11m}",
        ["1:17: states.dwell: `11m` is out of range; write a duration from 0s to"],
    ),
    "no value": (
        "interval:",
        ["1:10: interval: has no value; give one (duration, 200ms to 10s) or leave the key out"],
    ),
    "list for a value": (
        "interval: [1s]",
        ["1:11: interval: a list is not taken here; write one value: duration, 200ms"],
    ),
    "value for a section": (
        "log: info",
        ["1:6: log: `info` is not taken here; write a mapping with the keys level, format"],
    ),
    "value for a list": ("owners: alice", ["1:9: owners: `alice` is not taken here; write a list: [...]"]),
    "level": ("log: {level: warn}", ["1:14: log.level: `warn` is not known; did you mean `warning`?"]),
    "format": ("log: {format: x}", ["1:15: log.format: `x` is not known; write one of auto, logfmt, json"]),
    "YAML boolean": (
        "gpus: {energy: off}",
        ["1:16: gpus.energy: `off` is not known; write one of auto, counter, power"],
    ),
    "source": ("source: nvm", ["1:9: source: `nvm` is not known; did you mean `nvml`?"]),
    "replay alone": ("source: replay", ["1:9: source: `replay` names no capture; write replay:FILE"]),
    "sim with a file": ("source: sim:x", ["1:9: source: `sim:x` takes nothing after the word; write sim"]),
    "capture missing": ("source: replay:x", ["1:9: source: `{dir}/x` does not exist; name a capture that does"]),
    "web config missing": (
        "web_config: w.yml",
        ["1:13: web_config: `{dir}/w.yml` does not exist; name a file that does"],
    ),
    "web config a folder": ("web_config: .", ["1:13: web_config: `{dir}` is a folder; name the file itself"]),
    "state a file": ("state_dir: c.yml", ["1:12: state_dir: `{dir}/c.yml` is no folder; name one"]),
    "home": (
        "state_dir: ~/x",
        ["1:12: state_dir: `~/x` starts with ~, which is not expanded here; write the whole path"],
    ),
    "path a number": (
        "state_dir: 1",
        ['1:12: state_dir: `1` is read by YAML as integer, not as text; put it in quotes: "1"'],
    ),
    "gain too high": (
        "gpus: {corrections: {GPU-1: {gain: 2.000001}}}",
        ["1:36: gpus.corrections.GPU-1.gain: `2.000001` is out of range; write a number from 0.5 to 2.0"],
    ),
    "gain too fine": (
        "gpus: {corrections: {GPU-1: {gain: 1.0000001}}}",
        ["1:36: gpus.corrections.GPU-1.gain: `1.0000001` has too many decimals; write at most 6"],
    ),
    "gain in quotes": (
        "gpus: {corrections: {GPU-1: {gain: '1.03'}}}",
        ["1:36: gpus.corrections.GPU-1.gain: `1.03` is text; write 1.03 without quotes"],
    ),
    "offset as YAML text": (
        "gpus: {corrections: {GPU-1: {offset_watts: -.5}}}",
        ["1:44: gpus.corrections.GPU-1.offset_watts: `-.5` is text; write -0.5 without quotes"],
    ),
    "gain not finite": (
        "gpus: {corrections: {GPU-1: {gain: .nan}}}",
        ["1:36: gpus.corrections.GPU-1.gain: `.nan` is not a decimal number; write a number from 0.5 to 2.0"],
    ),
    "offset": (
        "gpus: {corrections: {GPU-1: {offset_watts: -100.001}}}",
        ["1:44: gpus.corrections.GPU-1.offset_watts: `-100.001` is out of range; write a number from -100 to 100"],
    ),
    "correction of a MIG instance": (
        "gpus: {corrections: {MIG-1: {}}}",
        ["1:22: gpus.corrections: `MIG-1` is a MIG instance, which has no power reading of its own; write"],
    ),
    "correction by index": (
        "gpus: {corrections: {0: {}}}",
        ["1:22: gpus.corrections: `0` is not a GPU UUID; write it as `nvidia-smi -L` prints it: GPU-... or MIG-..."],
    ),
    "correction twice in two spellings": (
        "gpus: {corrections: {GPU-A: {}, GPU-a: {}}}",
        ["1:33: gpus.corrections: `GPU-a` stands here twice; keep one of them"],
    ),
    "correction of what is excluded": (
        "gpus:\n  corrections: {GPU-1: {}}\n  exclude: [GPU-1]",
        ["2:24: gpus.corrections.GPU-1: this GPU is excluded in line 3; remove the correction or the exclusion"],
    ),
    "context below bare": (
        "gpus: {corrections: {GPU-1: {bare_watts: 70, context_watts: 69.5}}}",
        ["1:61: gpus.corrections.GPU-1.context_watts: `69.5` is below bare_watts `70`, and a process only"],
    ),
    "GPU by name": ("gpus: {exclude: [A100]}", [f"1:18: gpus.exclude[0]: `A100` {GPU_CURE}"]),
    "GPU index as text": (
        "gpus: {exclude: ['0']}",
        ["1:18: gpus.exclude[0]: `0` is text; for the GPU with that index write 0 without quotes"],
    ),
    "GPU index octal": (
        "gpus: {exclude: [010]}",
        ["1:18: gpus.exclude[0]: `010` is not a GPU index; write a whole number from 0 to 999"],
    ),
    "GPU index negative": (
        "gpus: {exclude: [-1]}",
        ["1:18: gpus.exclude[0]: `-1` is not a GPU index; write a whole number from 0 to 999"],
    ),
    "GPU excluded twice": (
        "gpus: {exclude: [1, 1]}",
        ["1:21: gpus.exclude[1]: GPU 1 is already named in line 1; keep one of them"],
    ),
    "activity zero": (
        "states: {activity: 0}",
        ["1:20: states.activity: `0` is out of range; write a number above 0 and at most 1"],
    ),
    "activity per cent": (
        "states: {activity: 5%}",
        ["1:20: states.activity: `5%` is a percentage; write it as a fraction, such as 0.05 for 5%"],
    ),
    "time naive": (
        MAINTENANCE.format("2026-01-01T00:00:00"),
        ["1:31: states.maintenance[0].from: `2026-01-01T00:00:00` has no offset from UTC; write"],
    ),
    "time a date": (
        MAINTENANCE.format("2026-01-01"),
        [f"1:31: states.maintenance[0].from: `2026-01-01` {TIME_CURE}"],
    ),
    "time impossible": (
        MAINTENANCE.format("2026-02-30T00:00:00Z"),
        ["1:31: states.maintenance[0].from: `2026-02-30T00:00:00Z` is no moment of the calendar (day is out"],
    ),
    "maintenance backwards": (
        MAINTENANCE.format("2026-01-02T00:00:00Z"),
        ["1:57: states.maintenance[0].to: is not after `from`; exchange the two or correct one"],
    ),
    "maintenance without end": (
        "states:\n  maintenance:\n  - from: 2026-01-02T00:00:00Z",
        ["3:5: states.maintenance[0]: lacks the key `to`; add it"],
    ),
    "maintenance of a word": (
        "states: {maintenance: [{gpus: al, from: 2026-01-01T00:00:00Z, to: 2026-01-02T00:00:00Z}]}",
        ["1:31: states.maintenance[0].gpus: `al` is not taken here; write all or a list: [...]"],
    ),
    "owner twice": (
        "owners:\n- {gpus: [0, 1], owner: a}\n- {gpus: [1], owner: b}",
        ["3:11: owners[1].gpus[0]: GPU 1 is already named in line 2; keep one of them"],
    ),
    "owner boolean": (
        "owners: [{gpus: [0], owner: no}]",
        ['1:29: owners[0].owner: `no` is read by YAML as boolean, not as text; put it in quotes: "no"'],
    ),
    "owner blank": (
        "owners: [{gpus: [0], owner: ' '}]",
        ["1:29: owners[0].owner: ` ` has 1 characters; write 1 to 200, not all blank"],
    ),
    "owner surrogate": (
        'owners: [{gpus: [0], owner: "\\ud800"}]',
        ["1:29: owners[0].owner: `\\ud800` holds a character that cannot be printed; remove it"],
    ),
    "owner of nothing": (
        "owners: [{gpus: [], owner: a}]",
        ["1:17: owners[0].gpus: names no GPU; list at least one or remove the entry"],
    ),
    "all at once, in order": (
        "interval: 5\nlog: {level: loud}\nhistry: 1d\nstates:\n  dwell: 1y\n  activity: 2\n",
        [
            "1:11: interval: `5` has no unit; write 5s",
            "2:14: log.level: `loud`",
            "3:1: unknown key `histry`; did you mean `history`?",
            "5:10: states.dwell: `1y` is not a duration",
            "6:13: states.activity: `2` is out of range",
        ],
    ),
}


def load(file: Path, text: str | bytes) -> Config:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_config(file, environment={}, is_root=True).config


@pytest.mark.parametrize(("text", "messages"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_place_value_and_cure(text: str | bytes, messages: list[str], tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    with pytest.raises(ConfigError) as caught:
        load(file, text)
    told = str(caught.value).splitlines()
    expected = [f"{file}:{message}".replace("{dir}", str(tmp_path)) for message in messages]
    assert [line[: len(start)] for line, start in zip(told, expected, strict=True)] == expected


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "none.yml"
    with pytest.raises(ConfigError) as caught:
        load_config(file, environment={}, is_root=True)
    expected = f"{file}: cannot be read: No such file or directory; check the path and its permissions"
    assert str(caught.value) == expected
    with pytest.raises(ConfigError) as caught:
        load_config(None, environment={"WATTLEDGER_CONFIG": str(file)}, is_root=True)
    assert str(caught.value) == expected.replace("the path", "WATTLEDGER_CONFIG")


def test_mistakes_of_file_variables_and_flags_come_in_one_go(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    file.write_text("interval: 1\nlog: {level: x}\nlog2: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_config(
            file,
            environment={"WATTLEDGER_INTERVAL": "2", "WATTLEDGER_LOG_FORMAT": "jsn"},
            overrides=Overrides(interval="3", log_level="wrn"),
            is_root=True,
        )
    assert str(caught.value).splitlines() == [
        f"{file}:1:11: interval: `1` has no unit; write 1s",
        f"{file}:2:14: log.level: `x` is not known; write one of debug, info, warning, error",
        f"{file}:3:1: unknown key `log2`; did you mean `log`?",
        "WATTLEDGER_INTERVAL: interval: `2` has no unit; write 2s",
        "--interval: interval: `3` has no unit; write 3s",
        "WATTLEDGER_LOG_FORMAT: log.format: `jsn` is not known; did you mean `json`?",
        "--log-level: log.level: `wrn` is not known; did you mean `warning`?",
    ]
