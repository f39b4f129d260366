"""What is shown of one service: its totals and, where they can be told, its joules per token."""

from dataclasses import dataclass
from enum import StrEnum

from .model import Attribution, CounterClass, Role, Withheld
from .totals import Scope, ServiceTotal


class Per(StrEnum):
    """Which tokens a ratio divides by."""

    OUTPUT = "output"
    TOTAL = "total"  # prompt, cached or not, and output
    COMPUTED = "computed"  # prompt that was not cached, and output
    PREFILL = "prefill"  # the prompt that a prefill server computed
    DECODE = "decode"  # the output of a decode server
    TRAINING = "training"  # all tokens that a job has consumed, by whatever kind it counts them


@dataclass(frozen=True, slots=True)
class Ratio:
    """Joules per token over the stated window. The model is empty where several share the energy, or none is told."""

    model: str
    per: Per
    scope: Scope
    joules: float


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service as it is shown. What could not be read is None; without ratios `withheld` says why.

    `window_ns` is the time that the ratios, the coverage and the rates are over: the last windows that were closed.
    `implausible` warns of a ratio that is hardly right, and changes nothing of it.
    """

    service: str
    server: str
    role: Role
    counter_class: CounterClass
    attribution: Attribution
    energy_model: str  # the model of the row in `totals` that gets the energy
    totals: tuple[ServiceTotal, ...] = ()
    up: bool = False  # its page was read lately
    detail: str = ""  # why not
    devices: int = 0
    running: float | None = None
    waiting: float | None = None
    ratios: tuple[Ratio, ...] = ()
    withheld: Withheld | None = None
    coverage: float | None = None
    window_ns: int = 0
    tokens_per_second: float | None = None  # of the tokens that its role is about
    wasted_draft_ratio: float | None = None
    implausible: bool = False
