"""SIGHUP: a running daemon goes on with other services, and counts no token of any of them twice."""

import signal
from pathlib import Path

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import machine
from tests.agent.tokens.running import page_server

TOKENS = "wattledger_service_tokens_total"


def names(page: Page) -> set[str]:
    """Give the services that are shown."""
    return {row.labels["service"] for row in page.rows("wattledger_service_info")}


def test_services_take_effect_with_a_reload(tmp_path: Path) -> None:
    config = tmp_path / "wattledger.yml"
    config.write_text("services: {discovery: false}\n")
    with machine(tmp_path / "driver", "h100", "h100") as double, page_server() as server:
        double.gpu(0).process(server.child)
        with DaemonProcess(tmp_path / "state", "--config", str(config), env=double.env) as daemon:

            def reload(services: str) -> None:
                config.write_text(f"services: {services}\n")
                daemon.process.send_signal(signal.SIGHUP)

            def told(name: str, attribution: str) -> Page:
                def seen(page: Page) -> Page | None:
                    is_so = page.has("wattledger_service_info", service=name, attribution=attribution)
                    return page if is_so and page.total(TOKENS, service=name, kind="output") else None

                return daemon.wait_for(seen, f"{name} is {attribution}")

            assert names(daemon.wait_ticks(5)) == set()
            reload("{interval: 1s}")
            found = f"vllm:{server.port}"
            assert names(told(found, "exclusive")) == {found}
            entry = f"service: chat, endpoint: 'http://127.0.0.1:{server.port}/metrics'"
            reload(f"{{interval: 1s, list: [{{{entry}}}]}}")
            assert names(told("chat", "exclusive")) == {"chat"}
            reload(f"{{interval: 1s, list: [{{{entry}, gpus: [1]}}]}}")
            page = told("chat", "configured")
            assert names(page) == {"chat"}
            assert "takes effect at the next start" not in daemon.logged()
            reload("{textfile_dir: /run/jobs}")
            daemon.wait_for(lambda _: "key services.textfile_dir takes effect at" in daemon.logged(), "a restart")
