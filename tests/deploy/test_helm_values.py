"""What the chart says to values that are wrong: their name and, where it can, the cure."""

from collections.abc import Mapping
from typing import Any

import helm_python
import pytest

from tests.deploy.helm_chart import CHART, rendered

Values = Mapping[str, Any]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"port": "9889"}, "/port"),
        ({"port": 80}, "/port"),
        ({"prot": 9889}, "prot"),
        ({"source": "auto"}, "/source"),
        ({"config": ["listen"]}, "/config"),
        ({"config": 5}, "/config"),
        ({"web": {"scheme": "ftp"}}, "/web/scheme"),
        ({"state": {"type": "pvc"}}, "/state/type"),
        ({"state": {"hostPath": "var/lib"}}, "/state/hostPath"),
        ({"secrets": [{"name": "Token", "secretName": "x"}]}, "/secrets/0/name"),
        ({"secrets": [{"name": "em"}]}, "secretName"),
        ({"image": {"digest": "sha256:12"}}, "/image/digest"),
        ({"image": {"repository": ""}}, "/image/repository"),
        ({"probes": {"liveness": {"periodSeconds": 0}}}, "/probes/liveness/periodSeconds"),
        ({"maxUnavailable": 0}, "/maxUnavailable"),
        ({"nodeSelector": {"gpu": True}}, "/nodeSelector/gpu"),
        ({"monitor": {"kind": "Probe"}}, "/monitor/kind"),
        ({"monitor": {"interval": "15"}}, "/monitor/interval"),
        ({"prometheusRule": {"packs": ["idel"]}}, "/prometheusRule/packs/0"),
        ({"prometheusRule": {"runbookBase": "example.org"}}, "/prometheusRule/runbookBase"),
        ({"networkPolicy": {"enabled": "yes"}}, "/networkPolicy/enabled"),
        ({"mig": {"monitorDevices": "0"}}, "/mig/monitorDevices"),
    ],
)
def test_the_schema_names_the_value(given: Values, named: str) -> None:
    with helm_python.Chart.load(CHART) as chart, pytest.raises(helm_python.HelmValuesError) as caught:
        chart.validate_schema(dict(given))
    assert f"'{named}'" in caught.value.detail or f"'{named}':" in caught.value.detail, caught.value.detail


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"config": {"listen": ":9000"}}, "config.listen: is the chart's; leave it out and set `port`"),
        ({"config": "state_dir: /srv\n"}, "config.state_dir: is the chart's; leave it out and set `state`"),
        ({"config": {"source": "sim"}}, "config.source: is the chart's"),
        ({"config": {"web_config": "web.yml"}}, "config.web_config: is the chart's; leave it out and set `web`"),
        ({"config": "carbon: [\n"}, "config: is no YAML"),
        ({"configFiles": {"wattledger.yaml": ""}}, "configFiles: wattledger.yaml is the configuration itself"),
        ({"web": {"existingSecret": "a", "config": {"basic_auth_users": {}}}}, "web: has both"),
        ({"web": {"existingSecret": "a", "tlsSecret": "b"}}, "web.scheme: is http beside a tlsSecret"),
        ({"mig": {"monitorDevices": "all"}}, "mig.monitorDevices: NVIDIA's toolkit refuses"),
        ({"hostPID": False, "discovery": {"enabled": True}}, "discovery.enabled: servers are found through"),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_the_cure(given: Values, said: str) -> None:
    with pytest.raises(helm_python.HelmRenderError) as caught:
        rendered(given)
    assert said in caught.value.detail


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": "sim"}, "WARNING: source=sim"),
        ({"state": {"type": "emptyDir"}}, "WARNING: state.type=emptyDir"),
        ({"hostPID": False}, "WARNING: hostPID=false"),
        ({"mig": {"sysAdmin": True}}, "WARNING: mig.sysAdmin=true"),
        ({"discovery": {"enabled": True}}, "WARNING: discovery.enabled=true"),
        ({"discovery": {"enabled": True}, "networkPolicy": {"enabled": True}}, "networkPolicy has no effect"),
        ({"monitor": {"enabled": True}, "web": {"tlsSecret": "tls"}}, "monitor.tlsConfig is empty"),
        ({}, "Prometheus does not know of it yet"),
    ],
)
def test_the_notes_say_what_a_choice_costs(given: Values, said: str) -> None:
    with helm_python.Chart.load(CHART) as chart:
        notes = chart.render(dict(given), name="wattledger", namespace="energy")["wattledger/templates/NOTES.txt"]
    assert said in notes
