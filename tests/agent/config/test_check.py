"""`wattledger check FILE`: what it prints where, and with which exit code."""

import io
from pathlib import Path

import pytest

from wattledger.agent.config.check import check_file


def check(file: Path, text: str, environment: dict[str, str] | None = None) -> tuple[int, str, str]:
    file.write_text(text)
    out, err = io.StringIO(), io.StringIO()
    code = check_file(file, out, {"STATE_DIRECTORY": "/s", **(environment or {})}, err=err)
    return code, out.getvalue(), err.getvalue()


def test_a_good_file_is_ok_and_shows_what_is_in_force(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    code, out, err = check(file, "interval: 500ms\nowners: [{gpus: [0, 1], owner: a}]", {"WATTLEDGER_LISTEN": ":1"})
    assert (code, err) == (0, "")
    assert out == (
        f"{file}: ok\n"
        "  listen      :1\n"
        "  interval    500ms\n"
        "  state_dir   /s\n"
        "  source      auto\n"
        "  web_config  none\n"
        "  history     400d\n"
        "  log         level=info format=auto\n"
        "  gpus        energy=auto corrections=0 exclude=0\n"
        "  states      dwell=5s activity=0.05 maintenance=0\n"
        "  owners      gpus=2\n"
        "  carbon      feeds=0 residual=0 marginal=0 carbon_free=0 open=6h\n"
        "  supply      entries=0\n"
        "  facility    none\n"
        "  tariff      none\n"
        "  rules       packs=idle,utilisation,power,workloads,tokens,carbon,agent files=0 vars=0 interval=15s\n"
        "  alerts      alertmanagers=0 webhooks=0 log=yes\n"
    )


def test_a_bad_file_gives_its_problems_and_warnings_and_no_output(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    (tmp_path / "hook.token").write_text("secret")
    (tmp_path / "hook.token").chmod(0o644)
    code, out, err = check(
        file, "interval: 5\nalerts: {webhooks: [{url: 'http://b', bearer_token_file: hook.token}]}\n"
    )
    assert (code, out) == (1, "")
    assert err == (
        f"{file}:1:11: interval: `5` has no unit; write 5s\n"
        f"warning: {file}:2:58: bearer_token_file: `hook.token` can be read by every user (mode 0644); "
        "run chmod o-rwx on it\n"
    )


def test_a_warning_alone_leaves_the_file_ok(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    code, out, err = check(file, "states: {dwell: 500ms}\n")
    assert code == 0
    assert err.startswith(f"warning: {file}:1:17: states.dwell: `500ms` is shorter than the interval")
    assert out.startswith(f"{file}: ok\n")


def test_problems_go_to_standard_error_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_file(tmp_path / "none.yml", io.StringIO(), {}) == 1
    assert "none.yml: cannot be read: No such file or directory" in capsys.readouterr().err


def test_a_rule_file_is_recognised_and_its_mistakes_and_doubts_are_told(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    code, out, err = check(file, "groups: [{name: idle, rules: [{alert: A, expr: wattledger_gpu_up == 0}]}]")
    assert (code, out, err) == (0, f"{file}: ok\n", "")
    code, out, err = check(file, "groups: [{name: idle, rules: [{alert: A, expr: up == 0}]}]")
    assert (code, out) == (0, f"{file}: ok\n")
    assert err.startswith(f"warning: {file}:1:")
    code, out, err = check(file, "groups: [{name: idle, rules: [{alert: A, expr: rate(up)}]}]")
    assert (code, out) == (1, "")
    assert err.startswith(f"{file}:1:")


def test_the_rule_files_of_a_configuration_are_checked_with_it(tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text("groups:\n- name: a\n  rules:\n  - {alert: A, expr: rate(up)}\n")
    code, out, err = check(tmp_path / "c.yml", "rules: {files: [site.yml]}")
    assert (code, out) == (1, "")
    assert err.startswith(f"{tmp_path / 'site.yml'}:4:")


def test_a_pattern_names_the_rule_files_that_match_it_maybe_none(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "a.yml").write_text(
        "groups: [{name: a, rules: [{alert: A, expr: wattledger_gpu_up == 0}]}]"
    )
    (tmp_path / "rules" / "b.yml").write_text("groups:\n- name: b\n  rules:\n  - {alert: B, expr: rate(up)}\n")
    code, _, err = check(tmp_path / "c.yml", "rules: {files: ['rules/*.yml']}")
    assert code == 1
    assert err.startswith(f"{tmp_path / 'rules' / 'b.yml'}:4:")
    assert len(err.splitlines()) == 1
    assert check(tmp_path / "c.yml", "rules: {files: ['rules/*.rules']}")[0] == 0


def test_packs_thresholds_and_rule_files_that_do_not_exist_are_refused_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "c.yml"
    text = "rules:\n  packs: [idle, powr]\n  files: [gone.yml]\n  vars: {held_warnin: 5m, held_notice: 7}\n"
    code, out, err = check(file, text)
    assert (code, out) == (1, "")
    places = [line.split(": ")[:2] for line in err.splitlines()]
    assert places == [
        [f"{file}:2:17", "rules.packs[1]"],
        [f"{file}:3:11", "rules.files[0]"],
        [f"{file}:4:23", "rules.vars.held_warnin"],
        [f"{file}:4:40", "rules.vars.held_notice"],
    ]
    assert "did you mean `power`?" in err
    assert "did you mean `held_warning`?" in err


def test_a_file_name_that_is_no_text_is_escaped(tmp_path: Path) -> None:
    code, out, _ = check(tmp_path / "c\udcff\n.yml", "web_config: null")
    assert code == 0
    assert out.startswith(f"{tmp_path}/c\\udcff\\n.yml: ok\n  listen")


def test_a_web_config_with_which_the_daemon_would_not_start_is_told_with_its_place(tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    for text, told in (
        ("\ntls_server_confg: {}\n", f"{web}:2: unknown key tls_server_confg in the file; did you mean"),
        (
            "tls_server_config: {cert_file: none.pem, key_file: k.pem}\n",
            f"{web}:1: cert_file {tmp_path}/none.pem cannot",
        ),
        ("basic_auth_users: {prom: in-the-clear}\n", f"{web}:1: the value for user prom is no bcrypt hash"),
    ):
        web.write_text(text)
        code, out, err = check(tmp_path / "c.yml", "web_config: web.yml\n")
        assert (code, out) == (1, "")
        assert err.startswith(told)
        assert "in-the-clear" not in err
    web.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    assert check(tmp_path / "c.yml", "web_config: web.yml\n")[0] == 0
