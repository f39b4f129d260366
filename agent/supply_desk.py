"""The supply as the prices of hours ask for it: what covered the load of an hour, and what is kept over restarts."""

from collections.abc import Mapping

from wattledger.rules.pricing.hour import Cover
from wattledger.rules.pricing.model import SupplyUse
from wattledger.rules.supply.chain import SupplyChain
from wattledger.rules.supply.hour import HourSupply
from wattledger.rules.supply.model import Layer

from .supply import EnergyOf, SupplyPlan

_LOT, _STORAGE, _SETTLED = "lot:", "storage:", "settled:"
"""What stands before the name of a lot, of a battery, and of the hour, in what the ledger keeps."""


class SupplyDesk:
    """Covers the load of open hours. Every method is called by one thread.

    What was kept over a restart: used energy by lot, green energy by battery, and the last hour that was closed.
    """

    def __init__(
        self,
        plan: SupplyPlan,
        used_mj: Mapping[str, int],
        stock_mj: Mapping[str, int],
        *,
        settled_hour: int | None = None,
    ) -> None:
        self._plan = plan
        # What a battery gives back while it is in no account is not known: one that comes again later begins empty.
        self._empty = dict.fromkeys([*stock_mj, *(storage.name for storage in plan.storages)], 0)
        self._chain = SupplyChain(plan.books(used_mj, stock_mj), settled_hour)

    @classmethod
    def resumed(cls, plan: SupplyPlan, ledger: Mapping[str, int]) -> "SupplyDesk":
        """Give a desk that goes on from what `settle` gave the ledger to keep."""
        hour = kept(ledger, _SETTLED).get("hour")
        return cls(plan, kept(ledger, _LOT), kept(ledger, _STORAGE), settled_hour=hour)

    @property
    def is_sequential(self) -> bool:
        """Tell whether an hour depends on those before it: it does where something is used up or stored."""
        return bool(self._plan.lots or self._plan.storages)

    def cover(self, hour: int, load_mj: int, metered: EnergyOf) -> Cover:
        """Match an hour on what the hours before it left; where one of those changes, ask the later ones anew."""
        return cover_of(self.supply(hour, load_mj, metered))

    def supply(self, hour: int, load_mj: int, metered: EnergyOf) -> HourSupply:
        """Give the same in full."""
        offered = self._plan.offers(hour, metered)
        return self._chain.cover(hour, load_mj, offered.offers, offered.unmetered)

    def settle(self, hour: int) -> Mapping[str, int]:
        """Note that an hour is priced for good; give what the ledger is to keep of certificates and batteries.

        Energies are in millijoules, the last hour that is closed is a UTC hour since the Unix epoch.
        """
        books = self._chain.close(hour)
        found = {_LOT + name: energy_mj for name, energy_mj in books.certificates.used_mj.items()}
        stocks = {**self._empty, **books.storage.stock_mj}
        found |= {_STORAGE + name: energy_mj for name, energy_mj in stocks.items()}
        settled = self._chain.settled
        return found if settled is None else found | {f"{_SETTLED}hour": settled}


def kept(ledger: Mapping[str, int], prefix: str) -> dict[str, int]:
    """Give what the ledger kept under names that begin with *prefix*, by the rest of the name."""
    return {name.removeprefix(prefix): number for name, number in ledger.items() if name.startswith(prefix)}


def cover_of(supply: HourSupply) -> Cover:
    """Give what prices need of an hour's supply; what nothing covered is a use of the grid."""
    uses = [
        SupplyUse(one.layer, one.name, one.energy_mj, is_green=one.is_green, is_matched=one.is_matched)
        for one in supply.layers
    ]
    return Cover(
        own_mj=supply.location_own_mj,
        own_product=supply.location_own_product,
        sold_mj=supply.sold_mj,
        sold_product=supply.sold_product,
        contract_mj=supply.contract_mj,
        contract_product=supply.contract_product,
        matched_mj=supply.matched_mj,
        uses=(*uses, SupplyUse(Layer.GRID, "", supply.unmatched_mj)),
    )
