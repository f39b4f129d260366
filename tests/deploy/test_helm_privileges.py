"""What a pod of the chart may do and what it leaves to others."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.helm_chart import (
    CASES,
    container,
    keys_below,
    objects,
    of_kind,
    only,
    pod,
    rendered,
    values,
)
from tests.servers import need

DISCOVERY = {"SYS_PTRACE", "DAC_READ_SEARCH"}
ADDED = {"all-on": DISCOVERY | {"SYS_ADMIN"}, "mig-monitor": {"SYS_ADMIN"}}
# The kinds that the chart may have: no role, and nothing that is given one.
KINDS = {
    *("DaemonSet", "ConfigMap", "Secret", "ServiceAccount", "Service", "NetworkPolicy"),
    *("PodMonitor", "ServiceMonitor", "PrometheusRule"),
}
DCGM_EXPORTER_PORT = 9400


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_privileged(case: str) -> None:
    context = container(objects(case))["securityContext"]
    assert context["privileged"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"]["drop"] == ["ALL"]
    assert set(context["capabilities"].get("add", ())) == ADDED.get(case, set())
    # The API server refuses `false` beside SYS_ADMIN.
    assert context["allowPrivilegeEscalation"] is (case in {"all-on", "mig-monitor"})
    assert pod(objects(case))["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("case", CASES)
def test_the_api_is_never_asked(case: str) -> None:
    assert {one["kind"] for one in objects(case)} <= KINDS
    assert only("ServiceAccount", objects(case))["automountServiceAccountToken"] is False
    spec = pod(objects(case))["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["serviceAccountName"] == only("ServiceAccount", objects(case))["metadata"]["name"]


@pytest.mark.parametrize("case", CASES)
def test_no_gpu_is_taken_from_users(case: str) -> None:
    asked = container(objects(case)).get("resources", {})
    assert {name for part in asked.values() for name in part} <= {"cpu", "memory"}
    environment = {one["name"]: one.get("value") for one in container(objects(case))["env"]}
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "utility"
    assert environment["NVIDIA_VISIBLE_DEVICES"] in {"all", "/var/run/nvidia-container-devices"}


@pytest.mark.parametrize("case", CASES)
def test_of_the_node_only_the_ledger_can_be_written(case: str) -> None:
    volumes = {one["name"]: one for one in pod(objects(case))["spec"]["volumes"]}
    mounts = {one["name"]: one for one in container(objects(case))["volumeMounts"]}
    assert set(volumes) == set(mounts)
    writable = {name for name, one in mounts.items() if not one.get("readOnly")}
    of_the_node = {name for name, one in volumes.items() if "hostPath" in one}
    # /dev/null is what NVIDIA's toolkit wants as a sign.
    assert writable & of_the_node <= {"state", "nvidia-visible-devices"}
    assert writable <= {"state", "tmp", "nvidia-visible-devices"}


def test_a_kubelet_that_starts_anew_is_found_again() -> None:
    (volume,) = (one for one in pod(objects("default"))["spec"]["volumes"] if one["name"] == "pod-resources")
    assert volume["hostPath"] == {"path": "/var/lib/kubelet/pod-resources", "type": "Directory"}


@pytest.mark.parametrize("case", CASES)
def test_namespaces_of_the_node_are_taken_only_where_a_value_says_so(case: str) -> None:
    spec = pod(objects(case))["spec"]
    assert spec["hostPID"] is (case != "no-host-pid")
    assert spec.get("hostNetwork", False) is (case == "all-on")
    assert "hostIPC" not in spec


def test_without_the_node_nothing_of_it_is_there() -> None:
    volumes = pod(objects("no-host-pid"))["spec"]["volumes"]
    assert not [one for one in volumes if "hostPath" in one]
    assert "nodeSelector" not in pod(objects("no-host-pid"))["spec"]
    assert "affinity" not in pod(objects("no-host-pid"))["spec"]


def test_mig_needs_no_sys_admin() -> None:
    assert "NVIDIA_MIG_MONITOR_DEVICES" not in {one["name"] for one in container(objects("mig"))["env"]}
    monitored = {one["name"]: one.get("value") for one in container(objects("mig-monitor"))["env"]}
    assert monitored["NVIDIA_MIG_MONITOR_DEVICES"] == "all"


@pytest.mark.parametrize("case", ["tls-auth", "all-on"])
def test_the_network_policy_lets_in_to_the_page_alone(case: str) -> None:
    spec = only("NetworkPolicy", objects(case))["spec"]
    assert "Ingress" in spec["policyTypes"]
    (rule,) = spec["ingress"]
    assert rule["ports"] == [{"port": "metrics", "protocol": "TCP"}]
    assert rule.get("from") == values(case)["networkPolicy"].get("from")
    assert ("Egress" in spec["policyTypes"]) is ("egress" in spec)


@pytest.mark.parametrize("case", CASES)
def test_selectors_meet_the_pods_and_their_port(case: str) -> None:
    template = pod(objects(case))
    labels = template["metadata"]["labels"].items()
    (port,) = container(objects(case))["ports"]
    assert port["name"] == "metrics"
    selectors: list[dict[str, str]] = [only("DaemonSet", objects(case))["spec"]["selector"]["matchLabels"]]
    selectors += [one["spec"]["podSelector"]["matchLabels"] for one in of_kind("NetworkPolicy", objects(case))]
    selectors += [one["spec"]["selector"]["matchLabels"] for one in of_kind("PodMonitor", objects(case))]
    for service in of_kind("Service", objects(case)):
        selectors.append(service["spec"]["selector"])
        assert service["spec"]["ports"][0]["targetPort"] == "metrics"
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["publishNotReadyAddresses"] is True
    assert all(selector.items() <= labels for selector in selectors)


def test_a_service_monitor_brings_the_service_that_it_selects() -> None:
    monitor = only("ServiceMonitor", objects("tls-auth"))["spec"]
    service = only("Service", objects("tls-auth"))
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["namespaceSelector"]["matchNames"] == [service["metadata"]["namespace"]]
    assert monitor["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]


def test_series_are_of_the_host_and_leave_the_names_of_workloads_alone(tmp_path: Path) -> None:
    """Prometheus itself relabels, from the labels that the operator puts on the target of a pod."""
    (endpoint,) = only("PodMonitor", objects("operator"))["spec"]["podMetricsEndpoints"]
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    steps = [{names.get(key, key): value for key, value in one.items()} for one in endpoint["relabelings"]]
    of_the_operator = {
        "job": "energy/wattledger",
        "namespace": "energy",
        "pod": "wattledger-x7k2p",
        "container": "wattledger",
        "endpoint": "metrics",
        "__meta_kubernetes_pod_node_name": "gpu-7",
    }
    found = [{"targets": ["10.1.2.3:9889"], "labels": of_the_operator}]
    path = tmp_path / "prometheus.yml"
    job = {"job_name": "any", "static_configs": found, "relabel_configs": steps}
    path.write_text(yaml.safe_dump({"scrape_configs": [job]}))
    command = [need("promtool", "prometheus"), "check", "service-discovery", "--timeout=1s", str(path), "any"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    (target,) = json.loads(result.stdout)
    shown = {name: value for name, value in target["labels"].items() if not name.startswith("__")}
    assert shown == {"instance": "gpu-7", "job": "wattledger"}


def test_two_releases_and_the_dcgm_exporter_get_on_in_one_namespace() -> None:
    first, second = objects("operator"), rendered(values("operator"), release="test")
    named = [{(one["kind"], one["metadata"]["name"]) for one in among} for among in (first, second)]
    assert not named[0] & named[1]
    assert container(first)["ports"][0]["containerPort"] != DCGM_EXPORTER_PORT
    assert not [key for one in first for key in keys_below(one) if "hostPort" in key]


def test_every_alternative_of_the_users_affinity_waits_for_the_gpu_operator() -> None:
    def terms(case: str) -> list[dict[str, Any]]:
        node = pod(objects(case))["spec"]["affinity"]["nodeAffinity"]
        found: list[dict[str, Any]] = node["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        return found

    label = "nvidia.com/gpu.deploy.client"
    either = [{"key": label, "operator": "In", "values": ["true"]}, {"key": label, "operator": "DoesNotExist"}]
    assert [one["matchExpressions"] for one in terms("default")] == [[either[0]], [either[1]]]
    mixed = {"key": "nvidia.com/mig.strategy", "operator": "In", "values": ["mixed"]}
    named = [{"key": "metadata.name", "operator": "In", "values": ["gpu-7"]}]
    assert terms("mig") == [
        {"matchExpressions": [mixed, either[0]]},
        {"matchExpressions": [mixed, either[1]]},
        {"matchFields": named, "matchExpressions": [either[0]]},
        {"matchFields": named, "matchExpressions": [either[1]]},
    ]


def test_a_change_of_the_configuration_rolls_the_pods_and_one_of_the_rules_does_not() -> None:
    def checksum(given: dict[str, Any]) -> str:
        found: str = pod(rendered(given))["metadata"]["annotations"]["checksum/config"]
        return found

    plain = checksum({})
    assert checksum({"config": {"interval": "2s"}}) != plain
    assert checksum({"configFiles": {"site.rules.yml": "groups: []"}}) != plain
    assert checksum({"prometheusRule": {"enabled": True}}) == plain
