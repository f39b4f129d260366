"""The real sampler on the real NVML source, over the test double of the driver's library."""

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.agent.sampler.ice import Ice
from tests.agent.sampler.supervised import LIMITS, MS, Watched, process_state, supervised
from tests.nvml.double import NvmlDouble
from tests.nvml.fixtures import MakeDouble
from wattledger.agent.sampler.limits import SupervisorLimits
from wattledger.agent.sampler.main import RELEASED
from wattledger.agent.sampler.settings import SamplerSettings
from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import SourceKind

NVML = SamplerSettings(SourceKind.NVML, interval_ns=100 * MS)
PATIENT_STOP = replace(LIMITS, grace_ns=SupervisorLimits().grace_ns)  # its wait for Xids may last a second
BATCH = "nvmlDeviceGetFieldValues"


@pytest.fixture
def machine(make_double: MakeDouble, monkeypatch: pytest.MonkeyPatch) -> NvmlDouble:
    """Two GPUs, on which any sampler that is started from now on will find itself."""
    machine = make_double("h100", "h100", clock="real")
    for name, value in machine.env.items():
        monkeypatch.setenv(name, value)
    return machine


@pytest.fixture
def watched(machine: NvmlDouble) -> Iterator[Watched]:
    """A supervised sampler that has given its first samples."""
    with supervised(settings=NVML, limits=PATIENT_STOP) as watched:
        watched.poll_until(lambda: len(watched.samples) >= 2)
        yield watched


def test_the_readings_of_all_devices_arrive(watched: Watched) -> None:
    (first, second) = watched.samples[-1].devices
    assert (first.identity.index, second.identity.index) == (0, 1)
    assert first.up
    assert (first.get(Quantity.ENERGY_MJ) or 0) > 0
    assert watched.failures == []


def test_a_hung_driver_is_a_timeout_within_its_limit_and_samples_come_back_after_it(
    watched: Watched, machine: NvmlDouble
) -> None:
    machine.hang(BATCH)
    watched.poll_until(lambda: bool(watched.failures), seconds=5)
    assert watched.failures[0].reason is Gap.TIMEOUT
    assert watched.failures[0].source is SourceKind.NVML
    machine.clear_faults()
    seen = len(watched.samples)
    watched.poll_until(lambda: len(watched.samples) > seen)
    assert watched.supervisor.state.restarts >= 1


def test_a_driver_that_hangs_in_the_kernel_costs_one_abandoned_process(
    watched: Watched, machine: NvmlDouble, ice: Ice
) -> None:
    stuck = watched.supervisor.state.pid
    assert stuck is not None
    machine.hang(BATCH, unkillable_path=str(ice.path / "a"))
    watched.poll_until(lambda: process_state(stuck) == "D")
    machine.clear_faults()  # it stays where it is; the next one shall not get there
    watched.poll_until(lambda: watched.supervisor.state.abandoned == 1)
    assert process_state(stuck) == "D"
    seen = len(watched.samples)
    watched.poll_until(lambda: len(watched.samples) > seen)
    ice.thaw()
    watched.poll_until(lambda: watched.supervisor.state.abandoned == 0)


def test_a_crash_inside_the_driver_library_is_told_by_its_signal(watched: Watched, machine: NvmlDouble) -> None:
    machine.crash(BATCH)
    watched.poll_until(lambda: bool(watched.failures))
    machine.clear_faults()
    assert watched.failures[0].detail == "the sampler ended: killed by SIGSEGV"
    seen = len(watched.samples)
    watched.poll_until(lambda: len(watched.samples) > seen)


def test_an_upgraded_driver_is_read_by_a_new_process_as_soon_as_it_matches(machine: NvmlDouble) -> None:
    machine.driver(state="mismatch")
    with supervised(settings=NVML, limits=LIMITS) as watched:
        watched.poll_until(lambda: len(watched.failures) >= 2)
        assert {(failure.reason, failure.code) for failure in watched.failures} == {(Gap.NO_DRIVER, 18)}
        machine.driver(state="loaded")
        watched.poll_until(lambda: bool(watched.samples))


def test_an_order_to_stop_shuts_nvml_down(watched: Watched, machine: NvmlDouble) -> None:
    watched.stop()
    assert machine.calls()["nvmlShutdown"] == 1


def test_released_nvml_is_shut_down_and_not_called_until_taken_again(watched: Watched, machine: NvmlDouble) -> None:
    watched.supervisor.on_signal(signal.SIGUSR1)
    watched.poll_until(lambda: bool(watched.failures))
    assert watched.failures[0].detail == RELEASED
    assert machine.calls()["nvmlShutdown"] == 1
    machine.reset_calls()
    told = len(watched.failures)
    watched.poll_until(lambda: len(watched.failures) >= told + 5)
    assert machine.total_calls() == 0
    watched.supervisor.on_signal(signal.SIGUSR2)
    seen = len(watched.samples)
    watched.poll_until(lambda: len(watched.samples) > seen)
