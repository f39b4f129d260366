"""Joules per token without one line of configuration: a real inference server, the C double, and the daemon."""

from pathlib import Path

from tests.agent.daemon_process import DaemonProcess, Page
from tests.agent.e2e_daemon import SETTLED_NS, machine, poll
from tests.agent.inference_server import InferenceServer, Usage
from tests.nvml.double import NvmlDouble

TOKENS = "wattledger_service_tokens_total"
ENERGY = "wattledger_service_energy_joules_total"
PHASES = "wattledger_service_phase_energy_joules_total"
WITHHELD = "wattledger_service_ratio_withheld_info"


def tokens_of(page: Page, kind: str) -> float:
    return page.total(TOKENS, kind=kind)


class Bench:
    """A board that rests but while requests run, so that the energy of the requests is known to the millijoule."""

    def __init__(self, double: NvmlDouble, daemon: DaemonProcess) -> None:
        self._double = double
        self._daemon = daemon
        self.used: list[Usage] = []

    def rest(self) -> int:
        gpu = self._double.gpu(0)
        gpu.utilisation(gpu=0)
        gpu.draw(0)
        settled_ns = self._double.now_ns + SETTLED_NS
        poll(lambda: self._double.now_ns >= settled_ns, "rest")
        return self._double.now_ns

    def work(self, server: InferenceServer, requests: int) -> tuple[float, int]:
        """Let *server* answer; give joules per output token of the board's closed form, and the tokens so far."""
        begun_ns = self.rest()
        before = sum(usage.output for usage in self.used)
        gpu = self._double.gpu(0)
        gpu.utilisation(gpu=90)
        gpu.burst(high_w=610, low_w=140, period_s=0.23, duty=0.6)
        self.used += [server.complete(f"request {number} " * 7, 60 + number) for number in range(requests)]
        ended_ns = self.rest()
        output = sum(usage.output for usage in self.used)
        return gpu.truth_mj(begun_ns, ended_ns) / 1000 / (output - before), output

    def wait_for(self, output: int) -> Page:
        """Wait until the tokens have been read, and the energy up to then is booked."""
        self._daemon.wait_for(lambda page: tokens_of(page, "output") >= output, f"{output} tokens")
        # Further reads, so that all energy up to the rest has gone with its tokens.
        return self._daemon.wait_ticks(12)


def test_a_server_is_found_and_its_joules_per_token_are_the_truth(tmp_path: Path) -> None:
    with machine(tmp_path / "driver", "h100") as double, InferenceServer(tmp_path) as server:
        double.gpu(0).draw(0)
        double.gpu(0).process(server.pid)
        config = tmp_path / "wattledger.yml"
        config.write_text("services: {interval: 1s}\n")  # for the sake of the test's length
        with DaemonProcess(tmp_path / "state", "--config", str(config), env=double.env) as daemon:
            bench = Bench(double, daemon)
            page = daemon.wait_for(
                lambda page: page if page.total("wattledger_service_up") == 1 else None, "the server is found"
            )
            (info,) = page.rows("wattledger_service_info")
            assert info.labels["server"] == "llamacpp"
            assert info.labels["attribution"] == "exclusive"

            wanted, output = bench.work(server, 30)
            page = bench.wait_for(output)
            assert tokens_of(page, "output") == output
            prompt = sum(usage.prompt for usage in bench.used)
            assert tokens_of(page, "prompt") == prompt
            first_j = page.total(ENERGY, scope="total")
            assert abs(first_j / output / wanted - 1) < 0.005
            (withheld,) = page.rows(WITHHELD)
            assert withheld.labels["reason"] == "short_window"  # its counters move when requests end

            # Killed and started anew in mid-run, on the same port, while the board draws on.
            double.gpu(0).draw(95)
            double.gpu(0).end_process(server.pid)
            server.kill()
            daemon.wait_for(lambda page: page.rows("wattledger_service_up")[0].value == 0, "its end is seen")
            with InferenceServer(tmp_path, port=server.port) as anew:
                double.gpu(0).process(anew.pid)
                daemon.wait_for(lambda page: page.total("wattledger_service_up") == 1, "the new process is known")
                bench.rest()
                before_j = daemon.wait_ticks(12).total(ENERGY, scope="total")
                wanted, output = bench.work(anew, 30)
                page = bench.wait_for(output)
                assert tokens_of(page, "output") == output
                assert tokens_of(page, "prompt") == sum(usage.prompt for usage in bench.used)
                second = page.total(ENERGY, scope="total") - before_j
                assert abs(second / sum(usage.output for usage in bench.used[30:]) / wanted - 1) < 0.005
                assert len(page.rows("wattledger_service_info")) == 1
                # What the board drew while the new process had served nobody is kept apart from its tokens.
                assert page.total(PHASES, phase="starting") > 0
