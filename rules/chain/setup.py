"""A named way to supply nodes with power, sized for whatever load it is held against."""

from dataclasses import dataclass

from .chain import Chain
from .cooling import Cooling
from .curve import PPM, Curve
from .pdu import Pdu
from .psu import Psu
from .ups import Ups


@dataclass(frozen=True, slots=True)
class Converter:
    """A stage by its curve and the load that it runs at, in millionths of its rating."""

    curve: Curve
    load_ppm: int


@dataclass(frozen=True, slots=True)
class Setup:
    """A way of supply. `source` says where the loads and the distribution's efficiency come from.

    `assumed` is false only where all of its numbers have a public table behind them.
    """

    name: str
    title: str
    psu: Converter | None
    ups: Converter | None
    pdu_efficiency_ppm: int | None
    source: str
    assumed: bool

    def chain(self, load_mw: int, *, cooling: Cooling | None = None) -> Chain:
        """Give the chain with each stage rated so that it runs at its load when *load_mw* leaves the supplies.

        The set-ups are electrical; *cooling* is the same for all that are compared.
        """
        psu = None if self.psu is None else Psu(self.psu.curve, _rated_mw(load_mw, self.psu.load_ppm))
        pdu = None if self.pdu_efficiency_ppm is None else Pdu(self.pdu_efficiency_ppm)
        through_mw = load_mw if psu is None else psu.input_pj(load_mw, 1)
        through_mw = through_mw if pdu is None else pdu.input_pj(through_mw)
        ups = None if self.ups is None else Ups(self.ups.curve, _rated_mw(through_mw, self.ups.load_ppm))
        return Chain(psu, pdu, ups, cooling)


def _rated_mw(load_mw: int, load_ppm: int) -> int:
    return max(1, load_mw * PPM // load_ppm)
