"""What the Prometheus operator takes of the fields that the chart writes: names and types of its API monitoring/v1.

Its definitions are in no package that tests can install; a field that is missing here must be looked up there.
"""

from typing import Any, Literal

import msgspec

Label = dict[str, str]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Nothing but what is named."""


class Relabeling(_Strict):
    """`RelabelConfig`."""

    source_labels: list[str] = []
    separator: str = ";"
    regex: str = "(.*)"
    target_label: str = ""
    replacement: str = "$1"
    action: Literal["replace", "keep", "drop", "labeldrop", "labelkeep", "labelmap", "hashmod"] = "replace"


class SecretKey(_Strict):
    """`SecretKeySelector`."""

    name: str
    key: str


class BasicAuth(_Strict):
    """`BasicAuth`."""

    username: SecretKey
    password: SecretKey


class SecretOrConfigMap(_Strict):
    """`SecretOrConfigMap`."""

    secret: SecretKey | None = None
    config_map: SecretKey | None = None


class Tls(_Strict):
    """`SafeTLSConfig`."""

    ca: SecretOrConfigMap | None = None
    cert: SecretOrConfigMap | None = None
    key_secret: SecretKey | None = None
    server_name: str = ""
    insecure_skip_verify: bool = False


class Endpoint(_Strict):
    """What `Endpoint` and `PodMetricsEndpoint` have in common."""

    port: str
    path: str
    scheme: Literal["http", "https"]
    interval: str
    scrape_timeout: str
    honor_labels: bool
    relabelings: list[Relabeling]
    tls_config: Tls | None = None
    basic_auth: BasicAuth | None = None
    metric_relabelings: list[Relabeling] = []


class Labels(_Strict):
    """`LabelSelector`, the part of it that is used."""

    match_labels: Label


class Namespaces(_Strict):
    """`NamespaceSelector`."""

    match_names: list[str]


class PodMonitorSpec(_Strict):
    """`PodMonitorSpec`."""

    selector: Labels
    namespace_selector: Namespaces
    pod_metrics_endpoints: list[Endpoint]


class ServiceMonitorSpec(_Strict):
    """`ServiceMonitorSpec`."""

    selector: Labels
    namespace_selector: Namespaces
    endpoints: list[Endpoint]


class Rule(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`Rule`. Its keys are those of Prometheus."""

    expr: str | int
    record: str = ""
    alert: str = ""
    keep_firing_for: str = ""
    waits: str = msgspec.field(default="", name="for")
    labels: Label = {}
    annotations: Label = {}


class Group(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """`RuleGroup`."""

    name: str
    interval: str = ""
    rules: list[Rule]


class PrometheusRuleSpec(_Strict):
    """`PrometheusRuleSpec`."""

    groups: list[Group]


SPECS: dict[str, type[msgspec.Struct]] = {
    "PodMonitor": PodMonitorSpec,
    "ServiceMonitor": ServiceMonitorSpec,
    "PrometheusRule": PrometheusRuleSpec,
}


def check(manifest: dict[str, Any]) -> None:
    """Raise msgspec.ValidationError, with the place, where the operator would not know a field or its type."""
    msgspec.convert(manifest["spec"], SPECS[manifest["kind"]])
