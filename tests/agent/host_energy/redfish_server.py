"""Management controllers as makers build them, answering Redfish on loopback; their power can be changed.

The documents are cut down to what leads to power, by DMTF's schemas and what makers publish of theirs.
"""

import base64
import threading
from dataclasses import dataclass, field

from tests.agent.feeds.feed_server import Asked, Reply

Json = dict[str, object]
ROOT = "/redfish/v1"


def to(path: str) -> Json:
    """Give a link."""
    return {"@odata.id": path}


def collection(path: str, *members: str) -> dict[str, Json]:
    """Give a collection's document under its path."""
    return {path: {"@odata.id": path, "Members@odata.count": len(members), "Members": [to(one) for one in members]}}


@dataclass
class Controller:
    """Answers GET for its documents, where *login* or *token* is shown if there is one.

    A path is taken as it is written: without the slash that a document has, there is a redirect alone, as of iLO 5
    ("access of /redfish/v1/x redirects to /redfish/v1/x/", HPE's guide to adapting from iLO 4).
    """

    documents: dict[str, Json]
    login: tuple[str, str] | None = None
    token: str = ""
    etag: str = ""  # of every document, for ever: a time at which it was made or set, and not what it measures
    statuses: dict[str, int] = field(default_factory=dict)  # paths that are answered with a failure
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> Reply:
        """Answer one request."""
        with self.lock:
            path = asked.target
            if not self._knows(asked):
                return Reply({"error": {"code": "Base.1.0.InsufficientPrivilege"}}, status=401)
            if path in self.statuses:
                return Reply({"error": {}}, status=self.statuses[path])
            if path in self.documents:
                if self.etag and asked.headers.get("if-none-match") == self.etag:
                    return Reply(status=304)
                return Reply(self.documents[path], headers={"ETag": self.etag} if self.etag else {})
            if f"{path}/" in self.documents:
                return Reply({"error": {}}, status=308, headers={"Location": f"{path}/"})
            return Reply({"error": {}}, status=404)

    def change(self, path: str, **fields: object) -> None:
        """Change fields of a document."""
        with self.lock:
            self.documents[path] = {**self.documents[path], **fields}

    def _knows(self, asked: Asked) -> bool:
        if self.token:
            return asked.headers.get("x-auth-token") == self.token
        if self.login is None:
            return True
        shown = base64.b64encode(":".join(self.login).encode()).decode()
        return asked.headers.get("authorization") == f"Basic {shown}"


def dell(watts: object = 712) -> Controller:
    """Give an iDRAC 9 of a server with a drive enclosure."""
    chassis = f"{ROOT}/Chassis/System.Embedded.1"
    drives = f"{ROOT}/Chassis/Enclosure.Internal.0-1:RAID.Integrated.1-1"
    control: Json = {
        "@odata.id": f"{chassis}/Power#/PowerControl/0",
        "MemberId": "PowerControl",
        "Name": "System Power Control",
        "PowerAllocatedWatts": 2_400,
        "PowerConsumedWatts": watts,
        "PowerMetrics": {"AverageConsumedWatts": 690, "IntervalInMin": 1, "MaxConsumedWatts": 902},
    }
    return Controller(
        {
            **collection(f"{ROOT}/Chassis", chassis, drives),
            chassis: {
                "@odata.type": "#Chassis.v1_21_0.Chassis",
                "ChassisType": "RackMount",
                "Id": "System.Embedded.1",
                "Links": {"Contains": [to(drives)]},
                "Power": to(f"{chassis}/Power"),
                "Sensors": to(f"{chassis}/Sensors"),
            },
            drives: {"ChassisType": "StorageEnclosure", "Links": {"ContainedBy": to(chassis)}},
            f"{chassis}/Power": {"PowerControl": [control], "PowerSupplies": [{"LastPowerOutputWatts": None}]},
            **collection(f"{chassis}/Sensors"),
        },
        login=("root", "calvin-2"),
    )


def hpe(watts: object = 165) -> Controller:
    """Give an iLO 5, which writes a slash behind its paths."""
    chassis = f"{ROOT}/Chassis/1/"
    return Controller(
        {
            f"{ROOT}/": {"Chassis": to(f"{ROOT}/Chassis/")},
            **collection(f"{ROOT}/Chassis/", chassis),
            chassis: {"ChassisType": "RackMount", "Id": "1", "Power": to(f"{chassis}Power/")},
            f"{chassis}Power/": {
                "Oem": {"Hpe": {"Links": {"PowerMeter": to(f"{chassis}Power/PowerMeter/")}}},
                "PowerControl": [
                    {
                        "MemberId": "0",
                        "PowerCapacityWatts": 1_600,
                        "PowerConsumedWatts": watts,
                        "PowerLimit": {"LimitInWatts": None},
                        "PowerMetrics": {"AverageConsumedWatts": 167, "IntervalInMin": 20},
                    }
                ],
            },
        },
        token="a1b2c3d4",  # noqa: S106  (of nobody)
    )


def hgx(watts: object = 6_312.5) -> Controller:
    """Give a controller of a server with eight GPUs on a baseboard, which has meters of its own."""
    node, board = f"{ROOT}/Chassis/1", f"{ROOT}/Chassis/HGX_Chassis_0"
    gpu = f"{ROOT}/Chassis/HGX_GPU_SXM_1"
    return Controller(
        {
            **collection(f"{ROOT}/Chassis", board, gpu, node),
            node: {
                "ChassisType": "RackMount",
                "EnvironmentMetrics": to(f"{node}/EnvironmentMetrics"),
                "Power": to(f"{node}/Power"),
            },
            board: {
                "ChassisType": "Other",
                "Links": {"ContainedBy": to(node)},
                "EnvironmentMetrics": to(f"{board}/EnvironmentMetrics"),
            },
            gpu: {"ChassisType": "Module", "EnvironmentMetrics": to(f"{gpu}/EnvironmentMetrics")},
            f"{node}/EnvironmentMetrics": {
                "@odata.type": "#EnvironmentMetrics.v1_3_0.EnvironmentMetrics",
                "PowerWatts": {"DataSourceUri": f"{node}/Sensors/total_power", "Reading": watts},
                "EnergykWh": {"Reading": 41_234.5},
            },
            f"{board}/EnvironmentMetrics": {"PowerWatts": {"Reading": 5_210}},
            f"{gpu}/EnvironmentMetrics": {"PowerWatts": {"Reading": 651}, "EnergyJoules": {"Reading": 7}},
            f"{node}/Power": {"PowerControl": [{"PowerConsumedWatts": 1}]},
        }
    )


def openbmc() -> Controller:
    """Give a controller with power supplies alone: two that are there, and an empty bay."""
    chassis = f"{ROOT}/Chassis/chassis"
    bay = f"{chassis}/PowerSubsystem/PowerSupplies"
    return Controller(
        {
            **collection(f"{ROOT}/Chassis", chassis),
            chassis: {
                "ChassisType": "RackMount",
                "EnvironmentMetrics": to(f"{chassis}/EnvironmentMetrics"),
                "PowerSubsystem": to(f"{chassis}/PowerSubsystem"),
                "Sensors": to(f"{chassis}/Sensors"),
            },
            f"{chassis}/EnvironmentMetrics": {"FanSpeedsPercent": []},
            f"{chassis}/PowerSubsystem": {"PowerSupplies": to(bay)},
            **collection(bay, f"{bay}/0", f"{bay}/1", f"{bay}/2"),
            f"{bay}/0": {"Status": {"State": "Enabled"}, "Metrics": to(f"{bay}/0/Metrics")},
            f"{bay}/1": {"Status": {"State": "Enabled"}, "Metrics": to(f"{bay}/1/Metrics")},
            f"{bay}/2": {"Status": {"State": "Absent"}},
            f"{bay}/0/Metrics": {"InputPowerWatts": {"Reading": 911.25}, "OutputPowerWatts": {"Reading": 860}},
            f"{bay}/1/Metrics": {"InputPowerWatts": {"Reading": 0}},
            **collection(f"{chassis}/Sensors", f"{chassis}/Sensors/fan_1", f"{chassis}/Sensors/power_Total_Power"),
            f"{chassis}/Sensors/power_Total_Power": {"ReadingType": "Power", "ReadingUnits": "W", "Reading": 899},
        }
    )
