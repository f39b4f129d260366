"""What is chosen at the top of a dashboard. What must not be added up can be chosen one at a time only."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as models

from .panels import DATASOURCE

Variable = Builder[models.VariableModel]
_BY_NUMBER = models.VariableSort.NUMERICAL_ASC
ALL = models.VariableOption(text=["All"], value=["$__all"], selected=True)


def datasource() -> Variable:
    """Give which Prometheus is asked; none is named here, so that Grafana takes its default one."""
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def job() -> Variable:
    """Give by which scrape job hosts are found."""
    return _several("job", "Job", "wattledger_build_info, job")


def cluster() -> Variable:
    """Give which clusters; hosts without such a label are in all of them."""
    return _several("cluster", "Cluster", "wattledger_build_info, cluster")


def instances() -> Variable:
    """Give which hosts."""
    return _several("instance", "Host", 'wattledger_build_info{job=~"$job"}, instance')


def instance() -> Variable:
    """Give which host, one of them."""
    return _one("instance", "Host", 'wattledger_build_info{job=~"$job"}, instance')


def gpu() -> Variable:
    """Give which GPUs, by index."""
    return _several("gpu", "GPU", 'wattledger_gpu_up{instance=~"$instance"}, gpu', sort=_BY_NUMBER)


def owner(select: str) -> Variable:
    """Give which owners, of those that the configurations of hosts name."""
    return _several("owner", "Owner", f"wattledger_gpu_owner_info{{{select}}}, owner")


def namespace() -> Variable:
    """Give which namespaces of pods. It is what the rules of pack fleet call it."""
    return _several("namespace", "Namespace", "wattledger:namespace_energy_watts:rate5m, namespace")


def service() -> Variable:
    """Give which services."""
    return _several("service", "Service", 'wattledger_service_info{instance=~"$instance"}, service')


def currency() -> Variable:
    """Give which currency: amounts of two are never added up."""
    return _one("currency", "Currency", "wattledger_cost_total, currency")


def boundary() -> Variable:
    """Give up to which boundary, each of which contains the one before; the widest that there is comes first."""
    return _one("boundary", "Boundary", '{__name__=~"wattledger_(emissions_grams|cost)_total"}, boundary')


def choice(name: str, label: str, *values: str) -> Variable:
    """Give one of *values*, the first to begin with."""
    first = models.VariableOption(text=values[0], value=values[0], selected=True)
    others = [models.VariableOption(text=value, value=value, selected=False) for value in values[1:]]
    return (
        dashboard.CustomVariable(name)
        .label(label)
        .values(",".join(values))
        .options([first, *others])
        .current(first)
        .multi(False)
        .include_all(False)
    )


def _query(name: str, label: str, values: str, sort: models.VariableSort) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": f"label_values({values})", "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(sort)
    )


def _several(
    name: str, label: str, values: str, *, sort: models.VariableSort = models.VariableSort.ALPHABETICAL_ASC
) -> Variable:
    return _query(name, label, values, sort).multi(True).include_all(True).all_value(".*").current(ALL)


def _one(name: str, label: str, values: str) -> Variable:
    return _query(name, label, values, models.VariableSort.ALPHABETICAL_ASC).multi(False).include_all(False)
