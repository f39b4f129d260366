"""What jobs report their tokens through, as far as the configuration asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .inputs.base import TokenInput
    from .inputs.push import PushInput


@dataclass(frozen=True, slots=True)
class JobInputs:
    """All of them; the one that is pushed to, which is among them, must be started."""

    all: tuple[TokenInput, ...] = ()
    push: PushInput | None = None


NO_INPUTS = JobInputs()
