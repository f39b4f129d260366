"""From configuration to meters and chains: what is wanted is built, what cannot be meant is refused with a cure."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.agent.fake_clock import FakeClock
from tests.agent.feeds.feed_server import serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.host_energy.fake_sys import FakeSys
from tests.agent.host_energy.redfish_server import Controller, dell, hpe
from wattledger.agent.config import ConfigError, load_config
from wattledger.agent.config.facility_schema import Facility, NodeEntry, RedfishEntry, facility_mistakes
from wattledger.agent.feeds.base import Web
from wattledger.agent.host_energy.build import host_meters, power_path
from wattledger.agent.host_energy.catalogue import CatalogueError, load_catalogue, read_catalogue
from wattledger.agent.host_energy.meters import HostMeters
from wattledger.rules.chain.chain import Chain, Pue
from wattledger.rules.chain.cooling import Cooling
from wattledger.rules.chain.curve import PPM, Curve
from wattledger.rules.chain.node_model import NodeSource
from wattledger.rules.chain.pdu import Pdu
from wattledger.rules.chain.psu import Psu
from wattledger.rules.chain.ups import Ups
from wattledger.rules.quantity import Gap

CHAIN = """
facility:
  host_overhead_watts: 812.5
  chain:
    psu: {curve: 80plus-titanium-230v, count: 4, rated_watts: 3000}
    pdu: {efficiency: 0.99}
    ups: {mode: double-conversion, rated_watts: 14250.5}
    cooling: {cop: 4.5}
  node:
    sources: [rapl, redfish]
    redfish: {url: "https://10.0.0.7", username: watt, password_file: pw, poll: 45s, chassis: System.Embedded.1}
"""


def facility_of(tmp_path: Path, text: str) -> Facility:
    file = tmp_path / "wattledger.yml"
    file.write_text(text)
    return load_config(file, environment={}, is_root=True).config.facility


def refused(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        facility_of(tmp_path, text)
    return str(caught.value)


def no_web(entry: RedfishEntry) -> Web:
    raise AssertionError(f"nothing asks {entry.url}")


def sources_of(meters: HostMeters) -> list[NodeSource]:
    return [health.source for health in meters.health()]


def test_a_chain_is_built_as_it_is_written(tmp_path: Path) -> None:
    facility = facility_of(tmp_path, CHAIN)
    curves = load_catalogue()
    assert power_path(facility) == Chain(
        Psu(curves.curve("80plus-titanium-230v"), 3_000_000, 4),
        Pdu(990_000),
        Ups(curves.curve("double-conversion"), 14_250_500),
        Cooling(cop_permille=4_500),
    )
    assert facility.host_overhead_mw == 812_500
    assert list(facility_mistakes(facility)) == []
    assert facility.node.sources == (NodeSource.RAPL, NodeSource.REDFISH)
    assert facility.node.redfish is not None
    assert facility.node.redfish.poll_ns == 45_000_000_000


def test_constant_efficiencies_need_no_catalogue(tmp_path: Path) -> None:
    text = "facility: {chain: {ups: {efficiency: 0.955}, cooling: {pue_part: 1.18}}}"
    assert power_path(facility_of(tmp_path, text)) == Chain(
        ups=Ups(Curve.constant("configured", 955_000)), cooling=Cooling(pue_part_ppm=1_180_000)
    )


def test_a_pue_is_a_path_and_nothing_is_none(tmp_path: Path) -> None:
    assert power_path(facility_of(tmp_path, "facility: {pue: 1.25}")) == Pue(1_250_000)
    assert power_path(facility_of(tmp_path, "")) is None
    assert power_path(facility_of(tmp_path, "facility: {feed: {kind: static, value: 1.2}}")) is None


@pytest.mark.parametrize(
    ("text", "key", "word"),
    [
        ("{pue: 1.2, chain: {pdu: {efficiency: 0.99}}}", "chain", "PUE times its own components is refused"),
        ("{feed: {kind: static, value: 1.2}, chain: {pdu: {efficiency: 0.99}}}", "chain", "refused"),
        ("{pue: 1.2, feed: {kind: static, value: 1.2}}", "feed", "keep one of them"),
        ("{chain: {}}", "chain", "names no stage"),
        ("{chain: {ups: {}}}", "chain.ups", "either a mode"),
        ("{chain: {ups: {mode: eco, efficiency: 0.9, rated_watts: 5}}}", "chain.ups", "either a mode"),
        ("{chain: {ups: {mode: eco}}}", "chain.ups", "lacks rated_watts"),
        ("{chain: {ups: {efficiency: 0.9, rated_watts: 5}}}", "chain.ups.rated_watts", "no effect"),
        ("{chain: {cooling: {}}}", "chain.cooling", "either cop or pue_part"),
        ("{chain: {cooling: {cop: 4, pue_part: 1.2}}}", "chain.cooling", "either cop or pue_part"),
        ("{node: {sources: [rapl, rapl]}}", "node.sources[1]", "named twice"),
        ("{node: {sources: [redfish]}}", "node.sources", "add node.redfish"),
        ('{node: {sources: [], redfish: {url: "https://a"}}}', "node.sources", "leaves out redfish"),
        ("{node: {sources: [ipmi], ipmi: off}}", "node.ipmi", "keep one of the two"),
        ('{node: {redfish: {url: "https://a", username: b}}}', "node.redfish", "go together"),
        (
            '{node: {redfish: {url: "https://a", username: b, password_file: p, token_file: t}}}',
            "node.redfish",
            "both a token and a password",
        ),
        ('{node: {redfish: {url: "http://10.0.0.7", token_file: t}}}', "node.redfish.url", "in the clear"),
        ('{node: {redfish: {url: "http://127.0.0.1", ca_file: t}}}', "node.redfish.ca_file", "without TLS"),
        ('{node: {redfish: {url: "https://a/redfish/v1"}}}', "node.redfish.url", "has a path"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_key_and_a_cure(text: str, key: str, word: str, tmp_path: Path) -> None:
    mistakes = dict(facility_mistakes(facility_of_any(tmp_path, f"facility: {text}")))
    assert key in mistakes
    assert word in mistakes[key]


def facility_of_any(tmp_path: Path, text: str) -> Facility:
    """Give the section of a configuration whose contradictions may be refused as a whole too."""
    from wattledger.agent.config.decode import Decoder  # noqa: PLC0415  (past the judgement of the whole)
    from wattledger.agent.config.document import read_document  # noqa: PLC0415
    from wattledger.agent.config.problem import Places  # noqa: PLC0415

    file = tmp_path / "any.yml"
    file.write_text(text)
    document = read_document(file)
    decoder = Decoder(Places(document.origin))
    config = decoder.config(document.root)
    assert decoder.problems == []
    return config.facility


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{chain: {psu: {curve: 80plus-platin-230v, rated_watts: 5}}}", "did you mean `80plus-platinum-230v`?"),
        ("{chain: {psu: {curve: eco, rated_watts: 5}}}", "is no curve of power supplies that is known"),
        ("{chain: {ups: {mode: 80plus-ruby, rated_watts: 5}}}", "write one of double-conversion"),
        ("{chain: {psu: {curve: 80plus-ruby}}}", "lacks the key `rated_watts`"),
        ("{chain: {pdu: {efficiency: 99}}}", "write a number from 0.1 to 1"),
        ("{pue: 0.9}", "write a number from 1 to 10"),
        ("{node: {sources: [rapl, nvml]}}", "is not known"),
        ("{node: {redfish: {}}}", "lacks the key `url`"),
        ("{node: {ipmi: on}}", "is not known"),
    ],
)
def test_single_values_are_refused_where_they_stand(text: str, word: str, tmp_path: Path) -> None:
    assert word in refused(tmp_path, f"facility: {text}")


def test_by_itself_every_meter_that_the_host_has_is_read(tmp_path: Path) -> None:
    tree = FakeSys(tmp_path / "sys")
    (tmp_path / "dev").mkdir()

    def found() -> list[NodeSource]:
        meters = host_meters(
            NodeEntry(), clock=FakeClock(), web_of=no_web, sys_root=tree.root, dev_root=tmp_path / "dev"
        )
        return sources_of(meters)

    assert found() == []
    tree.xeon()
    assert found() == [NodeSource.RAPL]
    tree.acpi_meter(0, 700_000_000)
    assert found() == [NodeSource.RAPL, NodeSource.HWMON]
    (tmp_path / "dev/ipmi0").touch()
    assert found() == [NodeSource.RAPL, NodeSource.HWMON, NodeSource.IPMI]


@pytest.mark.parametrize("name", ["ipmi0", "ipmi/0", "ipmidev/0"])
def test_the_device_of_ipmi_is_found_under_each_of_its_names(name: str, tmp_path: Path) -> None:
    def found() -> list[NodeSource]:
        return sources_of(
            host_meters(NodeEntry(), clock=FakeClock(), web_of=no_web, sys_root=tmp_path, dev_root=tmp_path)
        )

    assert found() == []
    device = tmp_path / name
    device.parent.mkdir(exist_ok=True)
    device.touch()
    assert found() == [NodeSource.IPMI]


def test_sources_that_are_named_are_read_whether_they_are_there_or_not(tmp_path: Path) -> None:
    (tmp_path / "ipmi0").touch()

    def found(text: str) -> list[NodeSource]:
        node = facility_of(tmp_path, f"facility: {{node: {text}}}").node
        meters = host_meters(node, clock=FakeClock(), web_of=no_web, sys_root=tmp_path, dev_root=tmp_path)
        return sources_of(meters)

    assert found("{sources: [hwmon, rapl]}") == [NodeSource.RAPL, NodeSource.HWMON]
    assert found("{sources: [ipmi]}") == [NodeSource.IPMI]
    assert found("{sources: []}") == []
    assert found("{ipmi: off}") == []


@pytest.mark.parametrize(
    ("make", "key", "secret"), [(dell, "password_file", "calvin-2"), (hpe, "token_file", "a1b2c3d4")]
)
def test_a_controller_is_read_with_the_secret_in_the_file(
    make: Callable[[], Controller], key: str, secret: str, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    user = "username: root, " if key == "password_file" else ""
    with serving(make().answer) as server:
        text = f'facility: {{node: {{redfish: {{url: "{server.url}", {user}{key}: secret}}}}}}'
        node = facility_of(tmp_path, text).node
        clock = FakeClock()
        meters = host_meters(node, clock=clock, web_of=lambda _: PlainWeb(), sys_root=tmp_path, dev_root=tmp_path)
        (slow,) = meters._slow
        assert slow.watched.ask() == ()  # there is no file yet
        (health,) = meters.health()
        assert health.reason is Gap.NO_PERMISSION
        assert f"{key} {file} cannot be read" in health.detail
        file.write_text("\n")
        assert slow.watched.ask() == ()
        assert "is empty" in meters.health()[0].detail
        file.write_text(f"{secret}\n")
        (reading,) = slow.watched.ask()
        assert reading.power_mw
        assert reading.period_ns == 30_000_000_000


def test_the_shipped_catalogue_has_curves_of_both_kinds_and_says_what_is_assumed() -> None:
    catalogue = load_catalogue()
    assert {"ac-ups", "ac-ups-eco", "dc-240v", "dc-380v", "dc-48v"} <= set(catalogue.setups)
    for name in [*catalogue.curve_names("psu"), *catalogue.curve_names("ups")]:
        curve = catalogue.curve(name)
        assert curve.source
        assert curve.assumed is not name.startswith("80plus-")
    with pytest.raises(CatalogueError, match="no curve nothing"):
        catalogue.curve("nothing")


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("80plus-white-115v", {20: 80, 50: 80, 100: 80}),
        ("80plus-bronze-115v", {20: 82, 50: 85, 100: 82}),
        ("80plus-silver-115v", {20: 85, 50: 88, 100: 85}),
        ("80plus-gold-115v", {20: 87, 50: 90, 100: 87}),
        ("80plus-platinum-115v", {20: 90, 50: 92, 100: 89}),
        ("80plus-titanium-115v", {10: 90, 20: 92, 50: 94, 100: 90}),
        ("80plus-bronze-230v", {20: 81, 50: 85, 100: 81}),
        ("80plus-silver-230v", {20: 85, 50: 89, 100: 85}),
        ("80plus-gold-230v", {20: 88, 50: 92, 100: 88}),
        ("80plus-platinum-230v", {20: 90, 50: 94, 100: 91}),
        ("80plus-titanium-230v", {10: 90, 20: 94, 50: 96, 100: 91}),
        ("80plus-ruby", {5: 90, 10: 91, 20: 95, 50: 96.5, 100: 92}),
    ],
)
def test_the_levels_of_80_plus_are_those_of_its_table(name: str, points: dict[int, float]) -> None:
    curve = load_catalogue().curve(name)
    assert {point.load_ppm / 10_000: point.efficiency_ppm / 10_000 for point in curve.points} == points


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("curves: []", "setups"),
        ("curves: [{name: a, kind: pdu, source: s, points: []}]\nsetups: []", "kind"),
        ("curves: [{name: a, kind: psu, source: s, points: []}]\nsetups: []", "no points"),
        ("curves: [{name: a, kind: psu, source: s, points: [[1, 2]], more: 1}]\nsetups: []", "more"),
        ("curves: []\nsetups: [{name: a, title: t, source: s, ups: {curve: b, load: 1}}]", "no curve b"),
        (
            "curves:\n- &a {name: a, kind: psu, source: s, points: [[1, 2]]}\n- *a\nsetups: []",
            "one name",
        ),
    ],
)
def test_a_catalogue_that_is_wrong_is_refused(text: str, word: str) -> None:
    with pytest.raises(CatalogueError, match=word):
        read_catalogue(text.encode())


def test_every_setup_runs_at_the_loads_that_it_states() -> None:
    for setup in load_catalogue().setups.values():
        chain = setup.chain(100_000_000)
        assert setup.psu is not None
        assert chain.psu is not None
        assert chain.psu.load_ppm(100_000_000, 1) == pytest.approx(setup.psu.load_ppm, abs=5)
        assert chain.pdu is not None
        assert chain.pdu.efficiency_ppm < PPM
