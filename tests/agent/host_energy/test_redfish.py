"""Redfish: the node's power is found in the trees of several makers, and no other number is taken for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from tests.agent.feeds.feed_server import FeedServer, Reply, serving
from tests.agent.feeds.plain_web import PlainWeb
from tests.agent.host_energy.redfish_server import ROOT, Controller, Json, collection, dell, hgx, hpe, openbmc, to
from wattledger.agent.host_energy import redfish_values as values
from wattledger.agent.host_energy.redfish import RedfishAccess, RedfishMeter
from wattledger.agent.sources.base import SourceError
from wattledger.rules.chain.node_model import NodeReading, NodeSource
from wattledger.rules.instant import NS_PER_SECOND, Instant
from wattledger.rules.quantity import Gap

AT = Instant(7 * NS_PER_SECOND, 1_790_000_000 * NS_PER_SECOND)


@contextmanager
def metered(controller: Controller, *, chassis: str = "") -> Iterator[tuple[RedfishMeter, FeedServer]]:
    with serving(controller.answer) as server:
        user, password = controller.login or ("", "")
        access = RedfishAccess(
            url=server.url,
            username=user,
            password=(lambda: password) if controller.login else None,
            token=(lambda: controller.token) if controller.token else None,
            chassis=chassis,
        )
        yield RedfishMeter(PlainWeb(), access), server


def read(controller: Controller, *, chassis: str = "") -> NodeReading:
    with metered(controller, chassis=chassis) as (meter, _):
        (reading,) = meter.read(AT)
        return reading


def refusal(controller: Controller, *, chassis: str = "") -> tuple[Gap, str]:
    with metered(controller, chassis=chassis) as (meter, _), pytest.raises(SourceError) as caught:
        meter.read(AT)
    return caught.value.gap, caught.value.detail


@pytest.mark.parametrize(
    ("controller", "power_mw"),
    [(dell(), 712_000), (hpe(), 165_000), (hgx(), 6_312_500), (openbmc(), 911_250)],
    ids=["iDRAC", "iLO", "HGX", "OpenBMC"],
)
def test_the_power_of_the_node_is_found(controller: Controller, power_mw: int) -> None:
    reading = read(controller)
    assert (reading.domain, reading.source, reading.power_mw, reading.energy_uj) == (
        "node",
        NodeSource.REDFISH,
        power_mw,
        None,
    )
    assert reading.period_ns == 30 * NS_PER_SECOND


def test_the_way_is_looked_for_once() -> None:
    controller = dell()
    with metered(controller) as (meter, server):
        meter.read(AT)
        looked = len(server.asked)
        power = f"{ROOT}/Chassis/System.Embedded.1/Power"
        controller.change(power, PowerControl=[{"PowerConsumedWatts": 733}])
        assert [reading.power_mw for reading in meter.read(AT)] == [733_000]
        assert [asked.path for asked in server.asked[looked:]] == [power]


def test_every_request_shows_who_asks() -> None:
    for controller, header in ((dell(), "authorization"), (hpe(), "x-auth-token")):
        with metered(controller) as (meter, server):
            meter.read(AT)
            assert all(header in asked.headers for asked in server.asked)
            assert {asked.headers["odata-version"] for asked in server.asked} == {"4.0"}


def test_a_wrong_password_is_told_and_not_shown() -> None:
    controller = dell()
    controller.login = ("root", "another")
    with serving(controller.answer) as server:
        access = RedfishAccess(server.url, "root", password=lambda: "Passw0rd-that-is-secret")
        with pytest.raises(SourceError) as caught:
            RedfishMeter(PlainWeb(), access).read(AT)
    assert caught.value.gap is Gap.NO_PERMISSION
    assert "secret" not in caught.value.detail
    assert len(server.asked) == 1


def test_a_counter_of_joules_is_taken_along() -> None:
    controller = hgx()
    node = f"{ROOT}/Chassis/1/EnvironmentMetrics"
    controller.change(node, EnergyJoules={"Reading": Decimal("123456789.25").__float__()})
    reading = read(controller)
    assert (reading.energy_uj, reading.power_mw) == (123_456_789_250_000, 6_312_500)


def test_a_supply_that_says_nothing_leaves_no_sum_and_the_sensor_speaks() -> None:
    controller = openbmc()
    controller.change(f"{ROOT}/Chassis/chassis/PowerSubsystem/PowerSupplies/1/Metrics", InputPowerWatts={})
    assert read(controller).power_mw == 899_000


def test_parts_of_a_node_are_never_taken_for_it() -> None:
    controller = hgx()
    for path in (f"{ROOT}/Chassis/1/EnvironmentMetrics", f"{ROOT}/Chassis/1/Power"):
        del controller.documents[path]
    # The baseboard still has a meter, and no kind that tells: that it is inside another says that it is a part.
    gap, detail = refusal(controller)
    assert gap is Gap.UNSUPPORTED
    assert "no chassis has a reading of power" in detail


def crowded(parts: int) -> Controller:
    """Give a controller that lists the node behind *parts* other chassis, of which the first has a meter."""
    controller = hgx()
    node, board = f"{ROOT}/Chassis/1", f"{ROOT}/Chassis/HGX_Chassis_0"
    others = [f"{ROOT}/Chassis/HGX_ERoT_{number}" for number in range(parts - 1)]
    controller.documents |= collection(f"{ROOT}/Chassis", board, *others, node)
    controller.documents |= {path: {"ChassisType": "Component"} for path in others}
    return controller


def test_a_node_far_down_a_long_list_is_found_and_its_baseboard_is_not_taken_for_it() -> None:
    assert read(crowded(100)).power_mw == 6_312_500
    assert read(crowded(100), chassis="1").power_mw == 6_312_500


def test_a_list_of_several_pages_is_read_to_its_end() -> None:
    controller = hgx()
    node, board = f"{ROOT}/Chassis/1", f"{ROOT}/Chassis/HGX_Chassis_0"
    page = f"{ROOT}/Chassis?$skip=1"
    controller.documents[f"{ROOT}/Chassis"] = {"Members": [to(board)], "Members@odata.nextLink": page}
    controller.documents[page] = {"Members": [to(node)], "Members@odata.nextLink": page}  # and it never ends
    assert read(controller).power_mw == 6_312_500


def test_a_list_that_is_too_long_is_refused_and_a_name_helps() -> None:
    gap, detail = refusal(crowded(300))
    assert gap is Gap.FAILED
    assert "there are 301 chassis; name the node's with facility.node.redfish.chassis" in detail
    assert read(crowded(300), chassis="1").power_mw == 6_312_500


def test_an_enclosure_of_several_nodes_gives_way_to_the_node_in_it() -> None:
    enclosure, blade = f"{ROOT}/Chassis/Enclosure", f"{ROOT}/Chassis/Blade7"
    controller = Controller(
        {
            **collection(f"{ROOT}/Chassis", enclosure, blade),
            enclosure: {"ChassisType": "Enclosure", "Power": to(f"{enclosure}/Power")},
            blade: {
                "ChassisType": "Blade",
                "Links": {"ContainedBy": to(enclosure)},
                "Power": to(f"{blade}/Power"),
            },
            f"{enclosure}/Power": {"PowerControl": [{"PowerConsumedWatts": 4_100}]},
            f"{blade}/Power": {"PowerControl": [{"PowerConsumedWatts": 410}]},
        }
    )
    assert read(controller).power_mw == 410_000
    assert read(controller, chassis="Enclosure").power_mw == 4_100_000
    del controller.documents[f"{blade}/Power"]
    assert refusal(controller)[0] is Gap.UNSUPPORTED


def test_several_chassis_that_may_be_the_node_are_named_and_none_is_taken() -> None:
    one, two = f"{ROOT}/Chassis/A", f"{ROOT}/Chassis/B"
    documents: dict[str, Json] = {**collection(f"{ROOT}/Chassis", one, two)}
    for path, watts in ((one, 700), (two, 300)):
        documents[path] = {"ChassisType": "RackMount", "Power": to(f"{path}/Power")}
        documents[f"{path}/Power"] = {"PowerControl": [{"PowerConsumedWatts": watts}]}
    controller = Controller(documents)
    gap, detail = refusal(controller)
    assert gap is Gap.FAILED
    assert "A (700 W), B (300 W)" in detail
    assert "facility.node.redfish.chassis" in detail
    assert read(controller, chassis="B").power_mw == 300_000
    assert "there is no chassis C" in refusal(controller, chassis="C")[1]


@pytest.mark.parametrize("watts", [None, 0, -5, True, "n/a", 2_000_000, [7]])
def test_a_power_that_cannot_be_is_none(watts: object) -> None:
    gap, detail = refusal(dell(watts))
    assert gap is Gap.UNSUPPORTED
    assert "no chassis has a reading" in detail


def test_a_power_that_goes_away_is_looked_for_anew() -> None:
    controller = dell()
    path = f"{ROOT}/Chassis/System.Embedded.1/Power"
    with metered(controller) as (meter, _):
        meter.read(AT)
        controller.change(path, PowerControl=[{"PowerConsumedWatts": None}])
        with pytest.raises(SourceError, match="has no power") as caught:
            meter.read(AT)
        assert caught.value.gap is Gap.FAILED
        controller.change(path, PowerControl=[{"PowerConsumedWatts": 800}])
        assert [reading.power_mw for reading in meter.read(AT)] == [800_000]
        controller.documents["/redfish/v1/Chassis/System.Embedded.1"]["Power"] = to(f"{path}2")
        controller.documents[f"{path}2"] = controller.documents.pop(path)
        with pytest.raises(SourceError, match="404"):
            meter.read(AT)
        assert [reading.power_mw for reading in meter.read(AT)] == [800_000]


def test_a_document_that_fails_leaves_the_word_to_the_next() -> None:
    controller = hgx()
    controller.statuses[f"{ROOT}/Chassis/1/EnvironmentMetrics"] = 501
    controller.change(f"{ROOT}/Chassis/1/Power", PowerControl=[{"PowerConsumedWatts": 6_000}])
    assert read(controller).power_mw == 6_000_000


def test_links_that_lead_elsewhere_are_not_followed() -> None:
    for path in ("https://198.51.100.7/redfish/v1/x", "/admin", "/redfish/v1/../../x", "/redfish/v1x"):
        controller = hpe()
        controller.change(f"{ROOT}/Chassis/1/", Power=to(path))
        with metered(controller) as (meter, server):
            with pytest.raises(SourceError, match="no chassis has a reading"):
                meter.read(AT)
            assert all(asked.path.startswith(ROOT) and ".." not in asked.path for asked in server.asked)


def test_a_chassis_that_is_told_with_a_slash_holds_one_that_names_it_without() -> None:
    controller = hgx()
    board = f"{ROOT}/Chassis/HGX_Chassis_0"
    controller.change(board, Links={"ContainedBy": to(f"{ROOT}/Chassis/1/")})
    assert read(controller).power_mw == 6_312_500


def test_a_controller_whose_root_says_nothing_is_asked_where_the_chassis_usually_are() -> None:
    answers: tuple[Json, ...] = ({}, {"Chassis": None})
    for answer in answers:
        controller = dell()
        controller.documents[f"{ROOT}/"] = answer
        assert read(controller).power_mw == 712_000
    controller.statuses[f"{ROOT}/"] = 500
    assert read(controller).power_mw == 712_000


@pytest.mark.parametrize(
    "body", ["<html>", "[]", '{"a": NaN}', '{"Members": 5}', '{"Members": [{}, 3, {"@odata.id": 1}]}']
)
def test_what_is_no_redfish_is_told(body: str) -> None:
    with serving(Reply(body)) as server, pytest.raises(SourceError) as caught:
        RedfishMeter(PlainWeb(), RedfishAccess(server.url)).read(AT)
    assert caught.value.gap in (Gap.FAILED, Gap.UNSUPPORTED)


def test_a_controller_that_is_not_there_is_lost() -> None:
    with serving(Reply({})) as server:
        url = server.url
    with pytest.raises(SourceError) as caught:
        RedfishMeter(PlainWeb(), RedfishAccess(url)).read(AT)
    assert caught.value.gap is Gap.LOST


@pytest.mark.parametrize(
    ("document", "power_mw"),
    [
        (
            {"PowerControl": [{"PhysicalContext": "CPU", "PowerConsumedWatts": 90}, {"PowerConsumedWatts": 400}]},
            400_000,
        ),
        ({"PowerControl": [{"PowerConsumedWatts": "523"}]}, 523_000),
        ({"PowerControl": [], "Oem": {"Public": {"TotalPower": 1_180}}}, 1_180_000),
        ({"Oem": {"ts_fujitsu": {"ChassisPowerConsumption": {"CurrentPowerConsumptionW": 150}}}}, 150_000),
        ({"PowerControl": [5, {"PowerConsumedWatts": Decimal("1e99999")}]}, None),
        ({"PowerControl": {"PowerConsumedWatts": 5}}, None),
        ({}, None),
    ],
)
def test_power_stands_where_makers_put_it(document: Json, power_mw: int | None) -> None:
    assert values.of_power(document).power_mw == power_mw


def test_numbers_keep_their_digits() -> None:
    document = values.decode(
        b'{"PowerWatts": {"Reading": 0.1234567}, "EnergyJoules": {"Reading": 9007199254740993.5}}'
    )
    found = values.of_environment(document)
    assert (found.power_mw, found.energy_uj) == (123, 9_007_199_254_740_993_500_000)
