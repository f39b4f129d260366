"""The reads of one device that fall due together; it knows the plan, not when a tick is."""

from typing import Final

from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

from .nvml import Handle, Nvml
from .nvml_codes import SUCCESS, check_device, gap_of
from .nvml_fields import Carried, FieldBatch, Gaps, Values
from .nvml_probe import Plan
from .nvml_quantities import Cadence, Output
from .nvml_query import Query

_EARLY_NS: Final = NS_PER_SECOND // 20  # ticks are not exact: one that comes a little early counts


class Due:
    """When something comes round again."""

    __slots__ = ("_next_ns", "_period_ns", "_shift_ns")

    def __init__(self, period_ns: int, shift_ns: int = 0) -> None:
        """*shift_ns* brings the second time forward, so that devices take turns in the costly reads."""
        self._period_ns = period_ns
        self._shift_ns = shift_ns % period_ns if period_ns else 0
        self._next_ns = 0

    def now(self, at: Instant) -> bool:
        """Say whether it is due, and if so count from here."""
        if at.mono_ns + _EARLY_NS < self._next_ns:
            return False
        self._next_ns = at.mono_ns + self._period_ns - self._shift_ns
        self._shift_ns = 0
        return True

    def hasten(self) -> None:
        """Make it due at once."""
        self._next_ns = 0


class Group:
    """Batch and calls of one cadence. `values` and `gaps` stay as they are until the next read renews both."""

    __slots__ = ("_batch", "_calls", "due", "gaps", "values")

    def __init__(
        self, nvml: Nvml, handle: Handle, plan: Plan, *, cadence: Cadence, carried: Carried, shift_ns: int = 0
    ) -> None:
        slots = plan.fields.get(cadence, ())
        self._batch = FieldBatch(nvml, handle, slots, carried=carried) if slots else None
        self._calls = tuple(
            (Query(nvml, handle, call.signature), call.outputs) for call in plan.calls.get(cadence, ())
        )
        self.due = Due(cadence.period_ns, shift_ns)
        self.values: Values = {}
        self.gaps: Gaps = {}

    def read_batch(self) -> None:
        """Begin anew with the fields. Raises DeviceLostError, DriverGoneError."""
        self.values, self.gaps = {}, {}
        if self._batch is not None:
            self._batch.read(self.values, self.gaps)

    def read_calls(self) -> None:
        """Go on with the calls. Raises DeviceLostError, DriverGoneError."""
        for query, outputs in self._calls:
            code = query.ask()
            if code == SUCCESS:
                for number, output in zip(query.answer(), outputs, strict=True):
                    if output is not None:
                        self._take(number, output)
                continue
            check_device(code)
            gap = gap_of(code)
            self.gaps.update((output.key, gap) for output in outputs if output is not None)

    def _take(self, number: int, output: Output) -> None:
        if output.low <= number <= output.high:
            self.values[output.key] = output.of(number)
        else:
            self.gaps[output.key] = Gap.FAILED
