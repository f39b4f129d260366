"""The command line as a user types it: help, wrong usage, version, and output that nobody reads to its end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wattledger.agent.cli import main, parser
from wattledger.agent.version import __version__

COMMANDS = ("run", "once", "check", "doctor", "capture")
IMPORT_ROOT = Path(__file__).resolve().parents[2] / ".importroot"


def environment() -> dict[str, str]:
    # Not PYTHONUNBUFFERED either: users have none, and what is buffered is written when the command ends.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WATTLEDGER_") and name != "PYTHONUNBUFFERED"
    }
    return kept | {"PYTHONPATH": str(IMPORT_ROOT)}


def wattledger(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wattledger.agent", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def piped(arguments: str, reader: str) -> subprocess.CompletedProcess[str]:
    """Run the command with its output in a pipe to *reader*; the exit code is that of the command."""
    script = f"set -o pipefail; {sys.executable} -m wattledger.agent {arguments} | {reader}"
    return subprocess.run(
        ["bash", "-c", script], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )


def test_the_top_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert all(f"\n    {command} " in text for command in COMMANDS)
    assert "WATTLEDGER_LISTEN" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_whose_options_are_all_explained(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: wattledger {command} ")
    (commands,) = (action for action in parser()._actions if action.dest == "command")
    assert commands.choices is not None
    explained = commands.choices[command]._actions  # type: ignore[index]  # argparse types its choices as iterable
    assert all(action.help or action.dest == "file" for action in explained)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["run", "--nonsense"],
        ["check"],
        ["capture"],
        ["capture", "out", "--seconds", "soon"],
        ["once", "--listen", "127.0.0.1:1"],
        ["doctor", "--source", "sim"],
    ],
)
def test_wrong_usage_is_exit_code_2_and_told_on_stderr(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage: wattledger" in captured.err


def test_no_command_is_wrong_usage_and_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "COMMAND" in captured.out + captured.err


def test_the_version_is_that_of_the_package() -> None:
    ran = wattledger("--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"wattledger {__version__}\n", "")


def test_a_page_of_the_simulated_host_goes_to_stdout_and_the_warning_to_stderr() -> None:
    ran = wattledger("once", "--source", "sim", "--interval", "200ms")
    assert ran.returncode == 0, ran.stderr
    assert "SIMULATED" in ran.stderr
    assert ran.stdout.startswith("# HELP ")
    assert 'wattledger_source_info{source="sim"} 1' in ran.stdout
    assert "wattledger_gpu_energy_joules_total{" in ran.stdout


@pytest.mark.parametrize("reader", ["head -1", "true"])
def test_a_reader_that_goes_away_early_is_no_error(reader: str) -> None:
    ran = piped("once --source sim --interval 200ms", reader)
    assert "Traceback" not in ran.stderr
    assert "BrokenPipe" not in ran.stderr
    assert ran.returncode == 0, ran.stderr


SHORT_OUTPUTS = ("size --it-mw 3", "chain --list", "--help", "--version")


@pytest.mark.parametrize("arguments", SHORT_OUTPUTS)
def test_a_reader_that_goes_away_before_a_short_output_is_no_error(arguments: str) -> None:
    ran = piped(arguments, "true")
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [*SHORT_OUTPUTS, "rules render"])
def test_an_output_without_room_is_told_in_a_line(arguments: str) -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "wattledger.agent", *arguments.split()],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    told = "the output cannot be written: No space left on device; give it another place\n"
    assert (ran.returncode, ran.stderr) == (1, told)


def test_ctrl_c_ends_a_command_without_a_traceback() -> None:
    command = [sys.executable, "-m", "wattledger.agent", "once", "--source", "sim"]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert "SIMULATED" in running.stderr.readline()  # it is measuring now
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
        assert running.wait(60) == 130
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["once", "--source", "gpu"], "gpu"),
        (["once", "--source", "replay:/nowhere/capture.jsonl"], "/nowhere/capture.jsonl"),
        (["once", "--interval", "1ms"], "1ms"),
        (["once", "--config", "/nowhere/wattledger.yaml"], "/nowhere/wattledger.yaml"),
        (["run", "--listen", "nonsense"], "nonsense"),
        (["check", "/nowhere/wattledger.yaml"], "/nowhere/wattledger.yaml"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_value(arguments: list[str], said: str) -> None:
    ran = wattledger(*arguments)
    assert ran.returncode == 1, ran.stderr
    assert said in ran.stderr + ran.stdout
    assert "Traceback" not in ran.stderr


def test_a_capture_of_no_time_is_wrong_usage(tmp_path: Path) -> None:
    ran = wattledger("capture", str(tmp_path / "out"), "--source", "sim", "--seconds", "0")
    assert ran.returncode == 2
    assert "--seconds 0" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_rules_test_runs_the_unit_tests_of_a_rule_file(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "groups: [{name: idle, rules: [{alert: Held, expr: 'wattledger_gpu_state{state=\"held\"} == 1', for: 5m}]}]\n"
    )
    tests = tmp_path / "tests.yml"
    series = """{series: 'wattledger_gpu_state{gpu="3",state="held"}', values: '1x10'}"""
    expected = "[{exp_labels: {gpu: '3', state: held}}]"
    tests.write_text(
        "rule_files: [rules.yml]\ntests:\n- interval: 1m\n"
        f"  input_series: [{series}]\n"
        f"  alert_rule_test: [{{eval_time: 6m, alertname: Held, exp_alerts: {expected}}}]\n"
    )
    assert wattledger("rules", "test", str(tests)).returncode == 0
    tests.write_text(tests.read_text().replace("6m", "4m"))
    failed = wattledger("rules", "test", str(tests))
    assert failed.returncode == 1
    assert "Held" in failed.stderr


def of_a_terminal_of(encoding: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "wattledger.agent", *arguments],
        env=environment() | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_cannot_show_a_character_gets_a_mark_for_it(encoding: str) -> None:
    ran = of_a_terminal_of(encoding, "size", "--it-mw", "1")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"  [2] MIIT letter ???????2025?279?\n" in ran.stdout


def test_programs_get_utf_8_whatever_the_terminal() -> None:
    ran = of_a_terminal_of("latin-1", "size", "--it-mw", "1", "--json")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert any("工信厅" in line["source"] for line in json.loads(ran.stdout)["policy"])
