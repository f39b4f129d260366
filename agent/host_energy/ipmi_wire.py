"""The bytes between a program, the kernel's IPMI driver and the management controller; nothing is sent here.

Layouts: <linux/ipmi.h> (struct ipmi_req, ipmi_recv, ipmi_system_interface_addr), DCMI 1.5 section 6.6.1.
"""

import struct
from dataclasses import dataclass

# What the driver calls: pointer and length of the address, number of the message, then netfn, command, data.
REQUEST = struct.Struct("@PIlBBHP")
RECEIVED = struct.Struct("@iPIlBBHP")
SYSTEM_ADDRESS = struct.pack("@ihBx", 0x0C, 0xF, 0)  # IPMI_SYSTEM_INTERFACE_ADDR_TYPE, IPMI_BMC_CHANNEL, unit 0
ADDRESS_BYTES = 40  # at least struct ipmi_addr
MESSAGE_BYTES = 272  # IPMI_MAX_MSG_LENGTH
RESPONSE_TYPE = 1  # IPMI_RESPONSE_RECV_TYPE

_MAGIC = ord("i")
_READ, _READ_WRITE = 2, 3


def _ioctl(direction: int, number: int, size: int) -> int:
    """Give the number of an ioctl, as <asm-generic/ioctl.h> makes it; x86 and ARM use it."""
    return direction << 30 | size << 16 | _MAGIC << 8 | number


SEND_COMMAND = _ioctl(_READ, 13, REQUEST.size)
RECEIVE_MESSAGE = _ioctl(_READ_WRITE, 11, RECEIVED.size)  # what is too long is cut

GROUP_REQUEST = 0x2C  # netfn of group extensions; the answer's is one more
GET_POWER_READING = 0x02
_DCMI = 0xDC
_SYSTEM_STATISTICS = 0x01
# Completion code, group, power now, least, most, average (W), time of the controller (s), period (ms), state.
_POWER_READING = struct.Struct("<BBHHHHIIB")
_MEASURING = 0x40
# All bits set: what some controllers say for ever, in place of a power.
NO_POWER_WATTS = 0xFFFF
_COMPLETION = {
    0xC0: "the management controller is busy",
    0xC1: "the management controller does not know DCMI",
    0xC3: "the management controller did not answer in time",
    0xD4: "the management controller refuses it at this privilege",
}
_UNSUPPORTED = frozenset({0xC1, 0xC9, 0xCB, 0xCC, 0xD6})


class IpmiError(Exception):
    """The controller's answer is a refusal, or none. `unsupported`: asking again does not help."""

    def __init__(self, detail: str, *, unsupported: bool = False) -> None:
        super().__init__(detail)
        self.unsupported = unsupported


@dataclass(frozen=True, slots=True)
class PowerReading:
    """What the controller says of the whole system, in watts; `measuring` is false while it does not measure."""

    power_watts: int
    average_watts: int
    period_ms: int
    measuring: bool


def power_request() -> bytes:
    """Give the data of the command that asks for the system's power now."""
    return bytes((_DCMI, _SYSTEM_STATISTICS, 0, 0))


def power_reading(data: bytes) -> PowerReading:
    """Read the answer to it, which begins with the completion code. Raises IpmiError."""
    if not data:
        raise IpmiError("an empty answer")
    code = data[0]
    if code:
        raise IpmiError(
            _COMPLETION.get(code, f"the management controller refuses it (completion code 0x{code:02x})"),
            unsupported=code in _UNSUPPORTED,
        )
    if len(data) < _POWER_READING.size or data[1] != _DCMI:
        raise IpmiError(f"no answer of DCMI: {data[:20].hex(' ')}", unsupported=True)
    _, _, power, _, _, average, _, period_ms, state = _POWER_READING.unpack_from(data)
    return PowerReading(power, average, period_ms, measuring=bool(state & _MEASURING))
