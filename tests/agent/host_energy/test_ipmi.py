"""DCMI through the kernel's IPMI driver: the layouts are those of its header, and every refusal has its reason."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.agent.host_energy.fake_bmc import ANSWER_214_W, EVENT, FakeBmc
from wattledger.agent.host_energy import ipmi_wire as wire
from wattledger.agent.host_energy.ipmi import IpmiDevice, IpmiMeter
from wattledger.agent.sources.base import SourceError
from wattledger.rules.chain.node_model import NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

AT = Instant(7 * NS_PER_SECOND, 1_790_000_000 * NS_PER_SECOND)
HEADER = Path("/usr/include/linux/ipmi.h")
LAYOUT = """
#include <stdio.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <linux/ipmi.h>
int main(void) {
  printf("%zu %zu %zu %lu %lu\\n", sizeof(struct ipmi_req), sizeof(struct ipmi_recv),
         sizeof(struct ipmi_system_interface_addr),
         (unsigned long)IPMICTL_SEND_COMMAND, (unsigned long)IPMICTL_RECEIVE_MSG_TRUNC);
  printf("%zu %zu %zu\\n", offsetof(struct ipmi_req, msgid), offsetof(struct ipmi_req, msg.data_len),
         offsetof(struct ipmi_req, msg.data));
  printf("%zu %zu %zu\\n", offsetof(struct ipmi_recv, addr), offsetof(struct ipmi_recv, msgid),
         offsetof(struct ipmi_recv, msg.data));
  printf("%d %d %d\\n", IPMI_SYSTEM_INTERFACE_ADDR_TYPE, IPMI_BMC_CHANNEL, IPMI_MAX_MSG_LENGTH);
  return 0;
}
"""


@pytest.fixture
def device(tmp_path: Path) -> Path:
    path = tmp_path / "ipmi0"
    path.touch()
    return path


def meter_of(bmc: FakeBmc, device: Path) -> IpmiMeter:
    return IpmiMeter(IpmiDevice(device, ioctl=bmc.ioctl, wait=bmc.wait))


def refusal(bmc: FakeBmc, device: Path) -> tuple[Gap, str]:
    with pytest.raises(SourceError) as caught:
        meter_of(bmc, device).read(AT)
    return caught.value.gap, caught.value.detail


@pytest.mark.skipif(not HEADER.exists() or shutil.which("gcc") is None, reason="no linux/ipmi.h or no gcc here")
def test_the_layouts_are_those_of_the_kernels_header(tmp_path: Path) -> None:
    source, program = tmp_path / "layout.c", tmp_path / "layout"
    source.write_text(LAYOUT)
    subprocess.run(["gcc", "-o", program, source], check=True)
    told = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    sizes = [wire.REQUEST.size, wire.RECEIVED.size, len(wire.SYSTEM_ADDRESS), wire.SEND_COMMAND, wire.RECEIVE_MESSAGE]
    # The offsets are where native alignment puts them on 64 bit.
    assert told == [str(number) for number in (*sizes, 16, 26, 32, 8, 24, 40, 0x0C, 0xF, wire.MESSAGE_BYTES)]


def test_the_answer_of_a_controller_is_read() -> None:
    reading = wire.power_reading(ANSWER_214_W)
    assert (reading.power_watts, reading.average_watts, reading.period_ms, reading.measuring) == (
        214,
        184,
        1000,
        True,
    )


@pytest.mark.parametrize("data", [b"", ANSWER_214_W[:18], b"\x00\xdd" + ANSWER_214_W[2:], b"\x00"])
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(wire.IpmiError):
        wire.power_reading(data)


@given(st.one_of(st.binary(max_size=40), st.binary(max_size=30).map(lambda rest: ANSWER_214_W[:2] + rest)))
def test_no_answer_breaks_it(data: bytes) -> None:
    whole = len(data) >= len(ANSWER_214_W) and data[:2] == ANSWER_214_W[:2]
    try:
        watts = wire.power_reading(data).power_watts
    except wire.IpmiError:
        assert not whole
    else:
        assert whole
        assert watts == int.from_bytes(data[2:4], "little")


def test_the_node_is_asked_for_through_the_driver(device: Path) -> None:
    bmc = FakeBmc(watts=1_742)
    meter = meter_of(bmc, device)
    (reading,) = meter.read(AT)
    assert (reading.domain, reading.source, reading.power_mw, reading.energy_uj) == (
        "node",
        NodeSource.IPMI,
        1_742_000,
        None,
    )
    assert reading.period_ns == 10 * NS_PER_SECOND
    assert bmc.asked == [(0x2C, 0x02, b"\xdc\x01\x00\x00", wire.SYSTEM_ADDRESS)]
    bmc.watts = 1_800
    assert [again.power_mw for again in meter.read(AT)] == [1_800_000]
    meter.close()
    meter.close()


def test_events_and_late_answers_are_passed_over(device: Path) -> None:
    bmc = FakeBmc(before=[(EVENT, 0), (wire.RESPONSE_TYPE, 99), (EVENT, None)])
    (reading,) = meter_of(bmc, device).read(AT)
    assert reading.power_mw == 214_000


@pytest.mark.parametrize(
    ("bmc", "gap", "word"),
    [
        (FakeBmc(code=0xC1), Gap.UNSUPPORTED, "does not know DCMI"),
        (FakeBmc(code=0xD6), Gap.UNSUPPORTED, "0xd6"),
        (FakeBmc(code=0xC0), Gap.FAILED, "busy"),
        (FakeBmc(measuring=False), Gap.UNSUPPORTED, "not active"),
        (FakeBmc(watts=0), Gap.UNSUPPORTED, "not active"),
        (FakeBmc(watts=0xFFFF), Gap.FAILED, "stands for none"),
        (FakeBmc(mute=True), Gap.TIMEOUT, "no answer within 5 s"),
    ],
)
def test_a_refusal_has_its_reason(bmc: FakeBmc, gap: Gap, word: str, device: Path) -> None:
    told = refusal(bmc, device)
    assert told[0] is gap
    assert word in told[1]


def test_after_a_failure_the_device_is_opened_anew(device: Path) -> None:
    bmc = FakeBmc(mute=True)
    meter = meter_of(bmc, device)
    with pytest.raises(SourceError):
        meter.read(AT)
    bmc.mute = False
    assert [reading.power_mw for reading in meter.read(AT)] == [214_000]


def test_a_device_that_is_not_there_or_is_none_is_told_as_unsupported(tmp_path: Path, device: Path) -> None:
    with pytest.raises(SourceError, match="No such file") as caught:
        IpmiMeter(IpmiDevice(tmp_path / "none")).read(AT)
    assert caught.value.gap is Gap.UNSUPPORTED
    with pytest.raises(SourceError) as caught:  # a file of the system knows no ioctl of the driver
        IpmiMeter(IpmiDevice(device)).read(AT)
    assert caught.value.gap is Gap.UNSUPPORTED
