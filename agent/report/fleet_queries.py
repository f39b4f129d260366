"""The queries of a fleet's report: how much counters grew in the hour before each moment that is asked for."""

from dataclasses import dataclass

STATE_ENERGY = "wattledger_gpu_state_energy_joules_total"
WORKLOAD_ENERGY = "wattledger_workload_energy_joules_total"
SERVICE_TOKENS = "wattledger_service_tokens_total"
SERVICE_ENERGY = "wattledger_service_energy_joules_total"
EMISSIONS = "wattledger_emissions_grams_total"
COST = "wattledger_cost_total"
SUPPLY = "wattledger_supply_energy_joules_total"

# A scrape configuration without honor_labels keeps labels of its own under these names, and moves ours aside.
_NAMESPACE = "exported_namespace, namespace"
_WHO = f"instance, uuid, kind, workload, {_NAMESPACE}, exported_user, user"
_WHAT = "instance, exported_service, service, model"


@dataclass(frozen=True, slots=True)
class Queries:
    """The texts, for series that match *matchers*."""

    matchers: str

    def of(self, metric: str, *more: str) -> str:
        """Give a selector."""
        inside = ", ".join(part for part in (self.matchers, *more) if part)
        return f"{metric}{{{inside}}}"

    def _growth(self, metric: str, by: str, *more: str, beyond_zero: bool = True) -> str:
        return f"sum by ({by}) (increase({self.of(metric, *more)}[1h])){' > 0' if beyond_zero else ''}"

    @property
    def host_energy(self) -> str:
        """By host alone: a light query that tells which hosts there were."""
        return self._growth(STATE_ENERGY, "instance")

    @property
    def state_energy(self) -> str:
        """Joules of each device by state."""
        return self._growth(STATE_ENERGY, "instance, uuid, state")

    @property
    def state_seconds(self) -> str:
        """Seconds of each device by state."""
        return self._growth("wattledger_gpu_state_seconds_total", "instance, uuid, state")

    @property
    def avoidable(self) -> str:
        """Joules of each device above its bare baseline while it was held."""
        return self._growth("wattledger_gpu_avoidable_energy_joules_total", "instance, uuid")

    @property
    def workload_energy(self) -> str:
        """Joules of each workload on each device by state, all methods together."""
        return self._growth(WORKLOAD_ENERGY, f"{_WHO}, state")

    @property
    def workload_seconds(self) -> str:
        """Seconds of each workload on each device by state."""
        return self._growth("wattledger_workload_seconds_total", f"{_WHO}, state")

    @property
    def workload_avoidable(self) -> str:
        """The part of what was avoidable that is a workload's."""
        return self._growth("wattledger_workload_avoidable_energy_joules_total", _WHO)

    @property
    def service_energy(self) -> str:
        """Joules of each service and model by scope."""
        return self._growth(SERVICE_ENERGY, f"{_WHAT}, scope")

    @property
    def service_tokens(self) -> str:
        """Tokens of each service and model by kind; 0 where it told none."""
        return self._growth(SERVICE_TOKENS, f"{_WHAT}, kind", beyond_zero=False)

    @property
    def grams(self) -> str:
        """Grams of each host by method and boundary, all zones together."""
        return self._growth(EMISSIONS, "instance, accounting, boundary")

    @property
    def uncovered(self) -> str:
        """Joules of hours that closed without a factor; of the hour in which they closed."""
        return self._growth("wattledger_emissions_uncovered_energy_joules_total", "accounting, boundary")

    @property
    def cost(self) -> str:
        """Money of each host by boundary; 0 tells that there is a price."""
        return self._growth(COST, "instance, currency, boundary", beyond_zero=False)

    @property
    def credit(self) -> str:
        """What negative prices paid."""
        return self._growth("wattledger_cost_credit_total", "instance, currency, boundary")

    @property
    def facility_energy(self) -> str:
        """Joules of each host at the meter of the house."""
        return self._growth("wattledger_facility_energy_joules_total", "instance", beyond_zero=False)

    @property
    def node_energy(self) -> str:
        """By any of the meters that speak for the whole node: they tell the same energy."""
        metric = self.of("wattledger_node_energy_joules_total", 'domain="node"')
        return f"max by (instance) (increase({metric}[1h]))"

    @property
    def supply(self) -> str:
        """Joules of each host by the layer that covered them."""
        return self._growth(SUPPLY, "instance, layer", beyond_zero=False)

    @property
    def matched(self) -> str:
        """Joules of each host that carbon-free supply of the same hour covered."""
        return self._growth("wattledger_hourly_matched_energy_joules_total", "instance")

    @property
    def with_grid(self) -> str:
        """Joules of each host that count in the 24/7 score with the grid; 0 tells that it is asked for."""
        return self._growth("wattledger_hourly_matched_with_grid_energy_joules_total", "instance", beyond_zero=False)

    @property
    def with_grid_load(self) -> str:
        """Joules of load that this is of."""
        return self._growth("wattledger_hourly_matched_with_grid_load_joules_total", "instance", beyond_zero=False)

    # Of a moment, not of an hour.

    @property
    def boards(self) -> str:
        """Which boards there were, with what the scrape puts on series of the host."""
        return f"max by (instance, gpu, uuid, name, namespace, user) ({self.of('wattledger_gpu_info')})"

    @property
    def made_up(self) -> str:
        """Which hosts have boards that are made up."""
        selector = self.of("wattledger_source_info", 'source!="nvml",source!="dcgm"')
        return f"max by (instance) ({selector})"

    @property
    def sizes(self) -> tuple[str, str]:
        """Give what counts series: of devices, and of workloads."""
        return f"count({self.of(STATE_ENERGY)})", f"count({self.of(WORKLOAD_ENERGY)})"

    @property
    def twice(self) -> str:
        """Give how often the same counter is there."""
        return f"max(count by (instance, uuid, state) ({self.of(STATE_ENERGY)}))"
