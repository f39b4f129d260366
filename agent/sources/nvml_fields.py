"""A batch of fields read in one call into an array kept for life; it knows the layout, not the meaning of a field."""

import ctypes
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wattledger.rules.quantity import Gap

from .nvml import Handle, Nvml
from .nvml_codes import LOST, SUCCESS, DeviceLostError, check_device, gap_of
from .nvml_quantities import Key, Output

# nvmlFieldValue_t: fieldId, scopeId, timestamp, latencyUsec, valueType, nvmlReturn, value. 40 bytes, no padding.
_LAYOUT: Final = struct.Struct("<IIqqIIQ")
_NO_ANSWER: Final = 0xFFFF  # nvmlReturn before the call: an entry that the driver left alone is no success

_DOUBLE, _UINT, _ULONG, _ULONGLONG, _LONGLONG, _INT, _USHORT = range(7)  # nvmlValueType_t
_MASKS: Final = {
    _UINT: 0xFFFFFFFF,
    _ULONG: 0xFFFFFFFFFFFFFFFF,
    _ULONGLONG: 0xFFFFFFFFFFFFFFFF,
    _USHORT: 0xFFFF,
}
_SIGNED: Final = {_DOUBLE: struct.Struct("<d"), _LONGLONG: struct.Struct("<q"), _INT: struct.Struct("<i")}

Values = dict[Key, int | float]
Gaps = dict[Key, Gap]
Carried = dict[Key, tuple[int, int]]  # last number of a counter that wraps, and what was added to it
Entry = tuple[int, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Slot:
    """One entry of a batch. Several slots of one key are its parts: their sum is the value.

    With `wraps`, a value of 32 bits that falls has run over: it is carried on in 64.
    """

    field_id: int
    scope_id: int
    output: Output
    wraps: bool = False


def number_of(kind: int, raw: int) -> int | float | None:
    """Give the number in the bytes of an nvmlValue_t, None for "not available" and for types unknown here."""
    if mask := _MASKS.get(kind):
        number = raw & mask  # the bytes above the type's width may hold anything
        return None if number == mask else number
    if form := _SIGNED.get(kind):
        signed: int | float = form.unpack_from(raw.to_bytes(8, "little"))[0]
        return signed
    return None


class FieldArray:
    """What nvmlDeviceGetFieldValues fills. Ids and scopes are written anew before each call."""

    __slots__ = ("_arguments", "_array", "_function", "_nvml", "_template")

    def __init__(self, nvml: Nvml, handle: Handle, fields: Sequence[tuple[int, int]]) -> None:
        self._nvml = nvml
        self._function = nvml.function("nvmlDeviceGetFieldValues")
        self._template = b"".join(
            _LAYOUT.pack(field_id, scope_id, 0, 0, _ULONGLONG, _NO_ANSWER, 0) for field_id, scope_id in fields
        )
        self._array = ctypes.create_string_buffer(len(self._template))
        self._arguments = (handle, ctypes.c_int(len(fields)), self._array)

    def ask(self) -> int:
        """Read all fields at once; give the code of the call. Each field has a code besides."""
        ctypes.memmove(self._array, self._template, len(self._template))
        return self._nvml.call(self._function, *self._arguments)

    def entries(self) -> Iterator[Entry]:
        """Give id, scope, time, latency in us, type, code and raw value of each field."""
        return _LAYOUT.iter_unpack(self._array)


class FieldBatch:
    """The fields of one device and cadence, and how their numbers become values.

    *carried* is the device's: counters that wrapped go on when another batch takes over.
    """

    __slots__ = ("_array", "_carried", "_slots", "_summed", "keys")

    def __init__(self, nvml: Nvml, handle: Handle, slots: Sequence[Slot], *, carried: Carried) -> None:
        self.keys = tuple(dict.fromkeys(slot.output.key for slot in slots))
        self._summed = len(self.keys) < len(slots)
        self._slots = tuple(slots)
        self._array = FieldArray(nvml, handle, [(slot.field_id, slot.scope_id) for slot in slots])
        self._carried = carried

    def read(self, values: Values, gaps: Gaps) -> None:
        """Put each key into *values* or, with its reason, into *gaps*. Raises DeviceLostError, DriverGoneError."""
        code = self._array.ask()
        if code != SUCCESS:
            check_device(code)
            gaps.update(dict.fromkeys(self.keys, gap_of(code)))
            return
        lost = 0
        for slot, (_, _, _, _, kind, code, raw) in zip(self._slots, self._array.entries(), strict=True):
            output = slot.output
            if code != SUCCESS:
                gaps[output.key] = gap_of(code)
                lost += code in LOST
                continue
            number = raw if kind == _ULONGLONG else number_of(kind, raw)
            if number is None or not output.low <= number <= output.high:
                gaps[output.key] = Gap.FAILED
                continue
            if slot.wraps:
                number = self._carry(output.key, kind, int(number))
            number = output.of(number)
            if self._summed and output.key in values:
                number += values[output.key]
            values[output.key] = number
        if lost == len(self._slots):
            raise DeviceLostError(code)
        if self._summed:
            for key in gaps:  # a sum with a part missing is no value
                values.pop(key, None)

    def _carry(self, key: Key, kind: int, number: int) -> int:
        last, added = self._carried.get(key, (number, 0))
        if number < last and kind == _UINT:
            added += 1 << 32
        self._carried[key] = number, added
        return number + added
