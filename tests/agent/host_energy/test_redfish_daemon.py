"""Redfish in the daemon: what a controller measures now is on the page, whatever it says of its documents."""

from pathlib import Path

from tests.agent.daemon_process import DaemonProcess
from tests.agent.feeds.feed_server import serving
from tests.agent.host_energy.redfish_server import ROOT, hgx
from tests.nvml.double import NvmlDouble


def test_a_power_that_changes_under_an_etag_that_does_not_is_seen(tmp_path: Path) -> None:
    controller = hgx(6_000)
    controller.etag = '"1579617867"'
    name, watts = "wattledger_node_power_watts", {"domain": "node", "source": "redfish"}
    with serving(controller.answer) as server:
        config = tmp_path / "wattledger.yaml"
        config.write_text(
            f'facility: {{node: {{sources: [redfish], redfish: {{url: "{server.url}", poll: 10s}}}}}}\n'
        )
        with (
            NvmlDouble(tmp_path, gpus=["h100"], clock="real") as double,
            DaemonProcess(tmp_path / "state", "--config", str(config), env=double.env) as daemon,
        ):
            daemon.wait_for(lambda page: [row.value for row in page.rows(name, **watts)] == [6_000], "6 kW")
            controller.change(f"{ROOT}/Chassis/1/EnvironmentMetrics", PowerWatts={"Reading": 5_500})
            daemon.wait_for(lambda page: [row.value for row in page.rows(name, **watts)] == [5_500], "5.5 kW")
