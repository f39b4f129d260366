"""The kernel's IPMI driver with a management controller behind it, as a program sees it through its ioctls."""

import ctypes
import struct
from collections import deque
from dataclasses import dataclass, field

from wattledger.agent.host_energy import ipmi_wire as wire

# An answer as a controller gave it: 214 W now, 2 to 468 W and 184 W over a second, measuring.
ANSWER_214_W = bytes.fromhex("00 dc d6 00 02 00 d4 01 b8 00 d4 85 37 66 e8 03 00 00 40")
_EVENT = 2


@dataclass
class FakeBmc:
    """Answers questions in order. `before` are messages that come first: (kind, number or None for the right one)."""

    watts: int = 214
    measuring: bool = True
    code: int = 0
    mute: bool = False
    before: list[tuple[int, int | None]] = field(default_factory=list)
    asked: list[tuple[int, int, bytes, bytes]] = field(default_factory=list)
    _waiting: deque[tuple[int, int, bytes]] = field(default_factory=deque)

    def ioctl(self, _descriptor: int, number: int, buffer: bytearray) -> int:
        """Do what the driver does: read and write the caller's memory by the pointers that it gives."""
        if number == wire.SEND_COMMAND:
            self._send(buffer)
        elif number == wire.RECEIVE_MESSAGE:
            self._receive(buffer)
        else:
            raise OSError(25, "Inappropriate ioctl for device")
        return 0

    def wait(self, _descriptor: int, _milliseconds: int) -> bool:
        """Tell whether there is a message; nothing more will come."""
        return bool(self._waiting)

    def _send(self, buffer: bytearray) -> None:
        place, length, number, netfn, command, data_length, data_place = wire.REQUEST.unpack(buffer)
        address = ctypes.string_at(place, length)
        data = ctypes.string_at(data_place, data_length)
        self.asked.append((netfn, command, data, address))
        if self.mute:
            return
        for kind, other in self.before:
            self._waiting.append((kind, number if other is None else other, b"\x00\xdc\x01\x00"))
        self._waiting.append((wire.RESPONSE_TYPE, number, self._answer(data)))

    def _answer(self, data: bytes) -> bytes:
        if self.code:
            return bytes((self.code,))
        if data != b"\xdc\x01\x00\x00":
            return b"\xcc"
        state = 0x40 if self.measuring else 0
        return struct.pack("<BBHHHHIIB", 0, 0xDC, self.watts, 2, 468, 184, 1_714_914_772, 1000, state)

    def _receive(self, buffer: bytearray) -> None:
        if not self._waiting:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        kind, number, data = self._waiting.popleft()
        _, place, room, _, _, _, data_room, data_place = wire.RECEIVED.unpack(buffer)
        assert room >= len(wire.SYSTEM_ADDRESS)
        ctypes.memmove(place, wire.SYSTEM_ADDRESS, len(wire.SYSTEM_ADDRESS))
        ctypes.memmove(data_place, data, min(len(data), data_room))
        filled = wire.RECEIVED.pack(
            kind, place, len(wire.SYSTEM_ADDRESS), number, 0x2D, 0x02, min(len(data), data_room), data_place
        )
        buffer[:] = filled


EVENT = _EVENT
