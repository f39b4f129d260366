"""The daemon as the pod starts it: with the chart's own arguments, configuration and web configuration."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import bcrypt
import yaml

from tests.agent.daemon_process import DaemonProcess
from tests.deploy.helm_chart import (
    CASES,
    Manifest,
    configuration,
    container,
    objects,
    of_kind,
    only,
    pod,
    rendered,
    values,
)

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def arguments(among: Sequence[Manifest], folder: Path) -> list[str]:
    """Give the arguments of the container with what is mounted there put into *folder*.

    Address and state folder are left to the test, which says them in front.
    """
    run, *options = container(among)["args"]
    assert run == "run"
    web = folder / "web"
    web.mkdir()
    for secret in of_kind("Secret", among):
        for name, text in secret["stringData"].items():
            (web / name).write_text(text)
    configuration(among, folder)
    mounts = {"/etc/wattledger/": f"{folder}/", "/etc/wattledger-web/": f"{web}/"}
    given = []
    for option in options:
        name, _, value = option.partition("=")
        if name not in {"--listen", "--state-dir"}:
            place = next((place for place in mounts if value.startswith(place)), "")
            given += [name, value.replace(place, mounts[place]) if place else value]
    return given


def test_the_probes_ask_what_the_page_answers(tmp_path: Path) -> None:
    among = rendered({"source": "sim", "config": {"interval": "200ms", "rules": {"packs": ["idle"]}}})
    with DaemonProcess(tmp_path / "state", *arguments(among, tmp_path)) as daemon:
        daemon.wait_ready()
        for name in PROBES:
            probe = container(among)[name]["httpGet"]
            assert (probe["port"], probe["scheme"]) == ("metrics", "HTTP")
            assert daemon.get(probe["path"])[0] == 200
        assert daemon.page().value("wattledger_source_info", source="sim") == 1


def test_a_page_without_a_driver_is_alive_and_not_ready(tmp_path: Path) -> None:
    among = objects("default")
    env = {"LD_LIBRARY_PATH": str(tmp_path)}
    with DaemonProcess(tmp_path / "state", *arguments(among, tmp_path), env=env) as daemon:
        alive, ready = (container(among)[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe"))
        assert daemon.get(alive)[0] == 200
        assert daemon.get(ready)[0] == 503
        assert container(among)["startupProbe"]["httpGet"]["path"] == ready


def guarded(kind: Mapping[str, Any]) -> bool:
    """Tell whether every probe of a release only looks at the port."""
    found = [container(rendered({"web": dict(kind)}))[name] for name in PROBES]
    assert len({"tcpSocket" in probe for probe in found}) == 1
    return "tcpSocket" in found[0]


def test_probes_do_not_ask_where_they_would_be_turned_away(tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(b"let-me-in", bcrypt.gensalt(4)).decode()
    web = {"config": {"basic_auth_users": {"prometheus": hashed}}}
    among = rendered({"source": "sim", "web": web, "config": {"rules": {"packs": []}}})
    with DaemonProcess(tmp_path / "state", *arguments(among, tmp_path)) as daemon:
        assert daemon.get("/-/healthy")[0] == 401
    assert guarded(web)
    assert guarded({"config": {"tls_server_config": {"client_auth_type": "RequireAndVerifyClientCert"}}})
    assert guarded({"config": {"tls_server_config": {"client_ca_file": "ca.crt"}}})
    assert guarded({"existingSecret": "web", "authentication": True})
    assert not guarded({"existingSecret": "web", "scheme": "https"})
    assert not guarded({"tlsSecret": "tls"})
    assert not guarded({})


def test_tls_alone_is_probed_with_it() -> None:
    among = rendered({"web": {"tlsSecret": "wattledger-tls"}})
    assert {container(among)[name]["httpGet"]["scheme"] for name in PROBES} == {"HTTPS"}
    written = yaml.safe_load(only("Secret", among)["stringData"]["web.yml"])
    assert written == {"tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key"}}
    (volume,) = (one for one in pod(among)["spec"]["volumes"] if one["name"] == "web")
    names = [one["secret"]["name"] for one in volume["projected"]["sources"]]
    assert names == ["wattledger-web", "wattledger-tls"]


def test_a_certificate_and_users_stand_in_one_file() -> None:
    written = yaml.safe_load(only("Secret", objects("tls-auth"))["stringData"]["web.yml"])
    assert written["basic_auth_users"] == values("tls-auth")["web"]["config"]["basic_auth_users"]
    assert written["tls_server_config"]["cert_file"] == "tls.crt"
    assert "tcpSocket" in container(objects("tls-auth"))["livenessProbe"]
    assert only("ServiceMonitor", objects("tls-auth"))["spec"]["endpoints"][0]["scheme"] == "https"


def test_a_secret_of_the_users_is_taken_as_it_is() -> None:
    assert not of_kind("Secret", objects("all-on"))
    assert "--web-config=/etc/wattledger-web/web.yml" in container(objects("all-on"))["args"]


def test_tokens_lie_where_the_configuration_looks_for_them() -> None:
    among = objects("all-on")
    volumes = {one["name"]: one for one in pod(among)["spec"]["volumes"]}
    mounted = {
        one["mountPath"]: volumes[one["name"]]["secret"]
        for one in container(among)["volumeMounts"]
        if one["name"].startswith("secret-")
    }
    text = only_configuration(among)
    for place, secret in mounted.items():
        assert f"{place}/" in text
        assert secret["defaultMode"] == 0o400
    assert set(mounted) == {"/run/secrets/wattledger/em", "/run/secrets/wattledger/hook"}


def only_configuration(among: Sequence[Manifest]) -> str:
    """Give the configuration's text."""
    (found,) = (
        one["data"]["wattledger.yaml"] for one in of_kind("ConfigMap", among) if "wattledger.yaml" in one["data"]
    )
    assert isinstance(found, str)
    return found


def test_the_command_knows_every_argument() -> None:
    command = [sys.executable, "-m", "wattledger.agent", "run", "--help"]
    known = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    for case in CASES:
        for option in container(objects(case))["args"][1:]:
            assert f"{option.partition('=')[0]} " in known
