"""Ways from one dashboard to another; they take the shown time, the data source and what was clicked along."""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

TAG = "wattledger"
UID = "wattledger-{}"


def among_dashboards() -> dashboard.DashboardLink:
    """Give the menu of all our dashboards."""
    return (
        dashboard.DashboardLink("wattledger")
        .type(DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(False)
        .include_vars(True)
        .keep_time(True)
    )


def to_host(*, from_table: bool = False) -> dashboard.DashboardLink:
    """Give the way to the host of what was clicked."""
    return _to("host", "instance", "Host", from_table=from_table)


def to_waste(*, from_table: bool = False) -> dashboard.DashboardLink:
    """Give the way to the waste of the owner that was clicked."""
    return _to("waste", "owner", "Waste of this owner", from_table=from_table)


def _to(name: str, label: str, title: str, *, from_table: bool) -> dashboard.DashboardLink:
    value = f"${{__data.fields.{label}}}" if from_table else f"${{__field.labels.{label}}}"
    url = f"/d/{UID.format(name)}?var-{label}={value}&${{datasource:queryparam}}&${{__url_time_range}}"
    return dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(False)
