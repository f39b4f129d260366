"""Finds out what one device offers and makes the plan of its reads; it keeps nothing and reads no clock."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from wattledger.rules.quantity import Gap, Quantity
from wattledger.rules.reading import EnergyScope

from .nvml import Handle, Nvml
from .nvml_codes import LOST, SETTLED, SUCCESS, check_device, gap_of
from .nvml_derived import LIMIT_DISTANCES
from .nvml_fields import FieldArray, Slot, number_of
from .nvml_quantities import (
    CALLS,
    FIELD_ENERGY,
    FIELD_POWER_INSTANT,
    FIELD_POWER_MAX_LIMIT,
    FIELDS,
    NVLINK_MAX_LINKS,
    POWER_CEILING_MW,
    POWER_CEILING_OF_LIMIT,
    POWER_USAGE,
    UINT_MAX,
    Aux,
    Cadence,
    Call,
    Field,
    FieldScope,
    Key,
    Output,
)
from .nvml_query import Query, Signature

_SCOPE_IDS: Final = {EnergyScope.GPU: 0, EnergyScope.MODULE: 1}  # NVML_POWER_SCOPE_*
_AMPERE: Final = 7  # NVML_DEVICE_ARCH_AMPERE
_GA100: Final = (8, 0)  # compute capability of the one Ampere chip without averaged power
_WRAPPING: Final = frozenset({Quantity.PCIE_TRANSMIT_BYTES, Quantity.PCIE_RECEIVE_BYTES})  # "can be wrapped"
_POWERS: Final = frozenset({Quantity.POWER_AVERAGE_MW, Quantity.POWER_INSTANT_MW})


class Chip(NamedTuple):
    """What decides the meaning of the plain power call."""

    architecture: int  # NVML_DEVICE_ARCH_*
    compute: tuple[int, int]
    driver_version: str


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call of the plan. Outputs that a field gives already are None."""

    signature: Signature
    outputs: tuple[Output | None, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read from a device, by cadence. `gaps` holds what it does not offer; the rest is asked for."""

    scope: EnergyScope
    fields: dict[Cadence, tuple[Slot, ...]]
    calls: dict[Cadence, tuple[PlannedCall, ...]]
    gaps: dict[Key, Gap]
    power_high_mw: int


def usage_reading(chip: Chip) -> Quantity:
    """Give which power nvmlDeviceGetPowerUsage means.

    nvml.h: the mean of one second on Ampere (except GA100) and newer, else the present power. Driver 530 alone
    published 100 ms windows there (Oxford GPU power benchmark).
    """
    averaged = chip.architecture >= _AMPERE and chip.compute != _GA100
    if averaged and not chip.driver_version.startswith("530."):
        return Quantity.POWER_AVERAGE_MW
    return Quantity.POWER_INSTANT_MW


class _Survey(NamedTuple):
    """The codes and numbers of every field once tried."""

    codes: dict[tuple[int, int], int]
    numbers: dict[tuple[int, int], int | float | None]

    def works(self, field_id: int, scope_id: int) -> bool:
        return self.codes.get((field_id, scope_id)) == SUCCESS


def _survey(nvml: Nvml, handle: Handle) -> _Survey:
    wanted: list[tuple[int, int]] = []
    for field in FIELDS:
        wanted += [(field.field_id, scope_id) for scope_id in _scope_ids(field, tuple(EnergyScope))]
    found = _Survey({}, {})
    array = FieldArray(nvml, handle, wanted)
    code = array.ask()
    if code == SUCCESS:
        _note(found, wanted, array)
        return found
    check_device(code)
    # One bad id spoiled the call: ask one by one.
    for pair in wanted:
        single = FieldArray(nvml, handle, [pair])
        code = single.ask()
        if code == SUCCESS:
            _note(found, [pair], single)
        else:
            check_device(code)
            found.codes[pair] = code
    return found


def _note(found: _Survey, wanted: Iterable[tuple[int, int]], array: FieldArray) -> None:
    for pair, (_, _, _, _, kind, code, raw) in zip(wanted, array.entries(), strict=True):
        found.codes[pair] = code
        found.numbers[pair] = number_of(kind, raw) if code == SUCCESS else None


def _scope_ids(field: Field, scopes: Iterable[EnergyScope]) -> list[int]:
    if field.scope is FieldScope.PROBED:
        return [_SCOPE_IDS[scope] for scope in scopes]
    if field.scope is FieldScope.ALL_LINKS:
        return [UINT_MAX]
    return list(range(NVLINK_MAX_LINKS)) if field.scope is FieldScope.EACH_LINK else [0]


def _scope(survey: _Survey) -> EnergyScope:
    """Energy decides: GPU where it works, else MODULE (GH200). Without a counter, power decides."""
    for field_id in (FIELD_ENERGY, FIELD_POWER_INSTANT):
        for scope in (EnergyScope.GPU, EnergyScope.MODULE):
            if survey.works(field_id, _SCOPE_IDS[scope]):
                return scope
    return EnergyScope.GPU


def _power_high_mw(survey: _Survey, scope: EnergyScope) -> int:
    limit = survey.numbers.get((FIELD_POWER_MAX_LIMIT, _SCOPE_IDS[scope]))
    return int(limit * POWER_CEILING_OF_LIMIT) if limit else POWER_CEILING_MW


def _worse(old: Gap | None, new: Gap) -> Gap:
    """Of two reasons for one key, "unsupported" says least."""
    return new if old in (None, Gap.UNSUPPORTED) else old


class _Planner:
    """Collects the plan; each key is given by one field or one call."""

    def __init__(self, nvml: Nvml, handle: Handle) -> None:
        self._nvml, self._handle = nvml, handle
        self.fields: dict[Cadence, list[Slot]] = {}
        self.calls: dict[Cadence, list[PlannedCall]] = {}
        self.given: set[Key] = set()
        self.gaps: dict[Key, Gap] = {}

    def add_field(self, field: Field, survey: _Survey, scope: EnergyScope, power_high_mw: int) -> None:
        key = field.output.key
        if key in self.given:
            return
        scope_ids = _scope_ids(field, (scope,))
        codes = [survey.codes[field.field_id, scope_id] for scope_id in scope_ids]
        # A link that is not there says so for good; one that fails now may answer the next time.
        asked = [scope_id for scope_id, code in zip(scope_ids, codes, strict=True) if code not in SETTLED]
        if not asked:
            self.gaps[key] = _worse(self.gaps.get(key), gap_of(codes[0]))
            return
        output = replace(field.output, high=power_high_mw) if key in _POWERS else field.output
        slots = self.fields.setdefault(field.cadence, [])
        slots += [Slot(field.field_id, scope_id, output, key in _WRAPPING) for scope_id in asked]
        self.given.add(key)

    def add_call(self, call: Call) -> None:
        outputs = tuple(
            output if output is not None and output.key not in self.given else None for output in call.outputs
        )
        keys = [output.key for output in outputs if output is not None]
        if not keys:
            return
        code = Query(self._nvml, self._handle, call.signature).ask()
        if code in LOST:
            check_device(code)
        if code in SETTLED:
            for key in keys:
                self.gaps[key] = _worse(self.gaps.get(key), gap_of(code))
            return
        self.calls.setdefault(call.cadence, []).append(PlannedCall(call.signature, outputs))
        self.given.update(keys)


def make_plan(nvml: Nvml, handle: Handle, chip: Chip) -> Plan:
    """Try every field and call once and keep what works. Raises DeviceLostError, DriverGoneError."""
    survey = _survey(nvml, handle)
    scope = _scope(survey)
    power_high_mw = _power_high_mw(survey, scope)
    planner = _Planner(nvml, handle)
    for field in FIELDS:
        planner.add_field(field, survey, scope, power_high_mw)
    usage = Output(usage_reading(chip), low=1, high=power_high_mw)
    for call in (Call(POWER_USAGE, (usage,), Cadence.TICK), *CALLS):
        if Aux.MARGIN not in {output.key for output in call.outputs if output} or _margin_helps(planner):
            planner.add_call(call)
    return Plan(
        scope=scope,
        fields={cadence: tuple(slots) for cadence, slots in planner.fields.items()},
        calls={cadence: tuple(calls) for cadence, calls in planner.calls.items()},
        gaps={key: gap for key, gap in planner.gaps.items() if key not in planner.given},
        power_high_mw=power_high_mw,
    )


def _margin_helps(planner: _Planner) -> bool:
    """Say whether a limit is known only as a distance (see nvml_derived)."""
    return any(
        distance in planner.given and limit not in planner.given for limit, distance in LIMIT_DISTANCES.items()
    )
