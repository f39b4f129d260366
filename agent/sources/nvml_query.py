"""One scalar call of NVML with its arguments and buffers bound once; it does not know what the numbers mean."""

import ctypes
import struct
from dataclasses import dataclass

from .nvml import Handle, Nvml


@dataclass(frozen=True, slots=True)
class Signature:
    """How a reading function is called: fn(handle, *arguments, *pointers to buffers).

    `buffers` are struct formats, one a pointer. `version` is written into the first four bytes before each call, for
    structures that carry it.
    """

    name: str
    arguments: tuple[int, ...] = ()
    buffers: tuple[str, ...] = ("I",)
    version: int = 0


class Query:
    """A signature bound to a device, so that a tick allocates nothing."""

    __slots__ = ("_arguments", "_buffers", "_function", "_nvml", "_version")

    def __init__(self, nvml: Nvml, handle: Handle, signature: Signature) -> None:
        self._nvml = nvml
        self._function = nvml.function(signature.name)
        self._version = signature.version
        self._buffers = [
            (struct.Struct(form), ctypes.create_string_buffer(struct.calcsize(form))) for form in signature.buffers
        ]
        pointers = [ctypes.byref(buffer) for _, buffer in self._buffers]
        self._arguments = (handle, *map(ctypes.c_uint, signature.arguments), *pointers)

    def ask(self) -> int:
        """Make the call and give its code."""
        if self._version:
            struct.pack_into("I", self._buffers[0][1], 0, self._version)
        return self._nvml.call(self._function, *self._arguments)

    def answer(self) -> tuple[int, ...]:
        """Give the numbers of the last successful call, buffer after buffer, a version among them."""
        form, buffer = self._buffers[0]
        if len(self._buffers) == 1:
            return form.unpack_from(buffer)
        return tuple(number for form, buffer in self._buffers for number in form.unpack_from(buffer))
