"""Every key of the configuration with its type, limits and default; reading and combining them happens elsewhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from wattledger.exporter.http import ListenAddress
from wattledger.rules.energy import EnergyChoice
from wattledger.rules.instant import NS_PER_SECOND

from ..logs import LogFormat
from .carbon_schema import Carbon
from .dcgm_schema import Dcgm
from .facility_schema import Facility
from .job_scalars import PATTERN, SERVER, TAG, WORKLOAD_NAME
from .rule_scalars import LABEL_NAME, LABEL_VALUE, PACK, THRESHOLD, URL, VARIABLE
from .scalars import (
    BOARD,
    GPU,
    LISTEN,
    MOMENT,
    NAME,
    PATH,
    SOURCE,
    WordForNone,
    choice_key,
    decimal_key,
    duration_key,
    flag_key,
    whole_key,
)
from .section import Section
from .supply_schema import SupplyEntry
from .tariff_schema import Tariff
from .values import GpuReference, KubernetesMode, LogLevel, SourceChoice, SourceMode

_DAY_NS = 86_400 * NS_PER_SECOND
_BASELINE = decimal_key("0", "5000", decimals=3, above=True)

# What a reload of the running agent cannot apply.
RESTART_KEYS = (
    "listen",
    "interval",
    "state_dir",
    "source",
    "web_config",
    "log.format",
    "workloads.kubernetes",
    "services.textfile_dir",
    "services.push",
    "services.logs",
    "services.tensorboard",
    "dcgm",
)

# What prices the energy: where one of them is another, the prices begin anew from the ledger.
PRICE_KEYS = ("carbon", "supply", "facility", "tariff")

GpuItem = Annotated[GpuReference, GPU]
BoardUuid = Annotated[str, BOARD]


class Log(Section, frozen=True, kw_only=True):
    """What is logged, and how it looks."""

    level: Annotated[LogLevel, choice_key(LogLevel)] = LogLevel.INFO
    format: Annotated[LogFormat, choice_key(LogFormat)] = LogFormat.AUTO


class Correction(Section, frozen=True, kw_only=True):
    """What is known of one board: true power = gain x measured power + offset, and its idle draw where not learnt."""

    gain_ppm: Annotated[int, decimal_key("0.5", "2.0", decimals=6)] = msgspec.field(default=1_000_000, name="gain")
    offset_mw: Annotated[int, decimal_key("-100", "100", decimals=3)] = msgspec.field(default=0, name="offset_watts")
    bare_mw: Annotated[int | None, _BASELINE] = msgspec.field(default=None, name="bare_watts")
    context_mw: Annotated[int | None, _BASELINE] = msgspec.field(default=None, name="context_watts")


class Gpus(Section, frozen=True, kw_only=True):
    """Which GPUs are read, and how their power becomes joules. `corrections` is keyed by UUID."""

    corrections: Mapping[BoardUuid, Correction] = msgspec.field(default_factory=dict)
    exclude: tuple[GpuItem, ...] = ()
    energy: Annotated[EnergyChoice, choice_key(EnergyChoice)] = EnergyChoice.AUTO


class Maintenance(Section, frozen=True, kw_only=True):
    """A span of wall time, `from` included and `to` not, in which idle is meant. `gpus` None is every GPU."""

    gpus: Annotated[tuple[GpuItem, ...] | None, WordForNone("all")] = None
    from_wall_ns: Annotated[int, MOMENT] = msgspec.field(name="from")
    to_wall_ns: Annotated[int, MOMENT] = msgspec.field(name="to")
    reason: Annotated[str, NAME] = ""


class States(Section, frozen=True, kw_only=True):
    """What separates the states. `activity_ppm` is the share of use, in millionths, from which work is seen."""

    dwell_ns: Annotated[int, duration_key("0s", "10m")] = msgspec.field(default=5 * NS_PER_SECOND, name="dwell")
    activity_ppm: Annotated[int, decimal_key("0", "1", decimals=6, above=True)] = msgspec.field(
        default=50_000, name="activity"
    )
    maintenance: tuple[Maintenance, ...] = ()

    @property
    def activity_ratio(self) -> float:
        """Give the same as a share of one, to be held against utilisation ratios."""
        return self.activity_ppm / 1_000_000


class Ownership(Section, frozen=True, kw_only=True):
    """To whom GPUs are given by agreement, where no scheduler says it."""

    gpus: tuple[GpuItem, ...]
    owner: Annotated[str, NAME]


class Slurm(Section, frozen=True, kw_only=True):
    """What Slurm says beyond control groups. The folder holds a file for each GPU with the ids of its jobs."""

    job_map_dir: Annotated[Path | None, PATH] = None


class Workloads(Section, frozen=True, kw_only=True):
    """Who uses the GPUs, and how it is shown. `labels` are the names that are shown beside a workload."""

    kubernetes: Annotated[KubernetesMode, choice_key(KubernetesMode)] = KubernetesMode.AUTO
    slurm: Slurm = Slurm()
    labels: tuple[Annotated[str, WORKLOAD_NAME], ...] = ("namespace", "pod", "job", "user")
    limit: Annotated[int, whole_key(1, 10_000)] = 256
    retention_ns: Annotated[int, duration_key("1m", "7d")] = msgspec.field(
        default=3_600 * NS_PER_SECOND, name="retention"
    )


class ServiceEntry(Section, frozen=True, kw_only=True):
    """A service that is told instead of found. Without `gpus` its GPUs are those that its processes hold."""

    service: Annotated[str, NAME]
    endpoint: Annotated[str, URL]
    kind: Annotated[str, SERVER] = ""
    gpus: tuple[GpuItem, ...] = ()
    bearer_token_file: Annotated[Path | None, PATH] = None


class Push(Section, frozen=True, kw_only=True):
    """Where jobs of this host push their token counters to."""

    socket: Annotated[Path | None, PATH] = None
    listen: Annotated[ListenAddress | None, LISTEN] = None
    group: Annotated[str, NAME] = ""


class JobFile(Section, frozen=True, kw_only=True):
    """A job whose tokens are read from what it writes. `gpus` are its GPUs, or `pid_file` names its process."""

    service: Annotated[str, NAME]
    path: Annotated[Path, PATH]
    gpus: tuple[GpuItem, ...] = ()
    pid_file: Annotated[Path | None, PATH] = None
    model: Annotated[str, NAME] = ""


class LogFile(JobFile, frozen=True, kw_only=True):
    """A log in which a job says how many tokens, or samples, it has consumed."""

    pattern: Annotated[str, PATTERN]
    tokens_per_sample: Annotated[int, whole_key(0, 10**9)] = 0


class TensorBoard(JobFile, frozen=True, kw_only=True):
    """A folder of TensorBoard's event files with a scalar that counts tokens, or whose steps do."""

    tag: Annotated[str, TAG]
    tokens_per_step: Annotated[int, whole_key(0, 10**12)] = 0


class Services(Section, frozen=True, kw_only=True):
    """Whose tokens are counted: servers that are found or told, and jobs."""

    discovery: Annotated[bool, flag_key()] = True
    interval_ns: Annotated[int, duration_key("1s", "5m")] = msgspec.field(default=5 * NS_PER_SECOND, name="interval")
    window_ns: Annotated[int, duration_key("1m", "1h")] = msgspec.field(default=300 * NS_PER_SECOND, name="window")
    entries: tuple[ServiceEntry, ...] = msgspec.field(default=(), name="list")
    textfile_dir: Annotated[Path | None, PATH] = None
    push: Push = Push()
    logs: tuple[LogFile, ...] = ()
    tensorboard: tuple[TensorBoard, ...] = ()


class Rules(Section, frozen=True, kw_only=True):
    """The rules that this host evaluates itself. `external_labels` name the host to receivers of alerts."""

    packs: tuple[Annotated[str, PACK], ...] = (
        "idle",
        "utilisation",
        "power",
        "workloads",
        "tokens",
        "carbon",
        "agent",
    )
    files: tuple[Annotated[Path, PATH], ...] = ()
    variables: Mapping[Annotated[str, VARIABLE], Annotated[str, THRESHOLD]] = msgspec.field(
        default_factory=dict, name="vars"
    )
    interval_ns: Annotated[int, duration_key("1s", "1h")] = msgspec.field(default=15 * NS_PER_SECOND, name="interval")
    external_labels: Mapping[Annotated[str, LABEL_NAME], Annotated[str, LABEL_VALUE]] = msgspec.field(
        default_factory=dict
    )


class Endpoint(Section, frozen=True, kw_only=True):
    """Where alerts go, and by what we are known there. Files with secrets are read at each use."""

    short: ClassVar[str] = "url"

    url: Annotated[str, URL]
    timeout_ns: Annotated[int, duration_key("100ms", "5m")] = msgspec.field(
        default=10 * NS_PER_SECOND, name="timeout"
    )
    username: Annotated[str, NAME] = ""
    password_file: Annotated[Path | None, PATH] = None
    bearer_token_file: Annotated[Path | None, PATH] = None
    ca_file: Annotated[Path | None, PATH] = None
    cert_file: Annotated[Path | None, PATH] = None
    key_file: Annotated[Path | None, PATH] = None


class Alertmanager(Endpoint, frozen=True, kw_only=True):
    """An Alertmanager, by the address of its page."""


class Webhook(Endpoint, frozen=True, kw_only=True):
    """A receiver of Alertmanager's webhook format, told by this host itself."""

    send_resolved: Annotated[bool, flag_key()] = True
    repeat_ns: Annotated[int, duration_key("1m", "7d")] = msgspec.field(
        default=4 * 3_600 * NS_PER_SECOND, name="repeat"
    )


class Alerts(Section, frozen=True, kw_only=True):
    """Who is told of alerts. `resend` is how often Alertmanagers hear of an alert that goes on."""

    alertmanagers: tuple[Alertmanager, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    log: Annotated[bool, flag_key()] = True
    resend_ns: Annotated[int, duration_key("1s", "1h")] = msgspec.field(default=60 * NS_PER_SECOND, name="resend")
    external_url: Annotated[str | None, URL] = None


class Config(Section, frozen=True, kw_only=True):
    """The whole configuration, every path absolute."""

    listen: Annotated[ListenAddress, LISTEN] = ListenAddress("127.0.0.1", 9889)
    interval_ns: Annotated[int, duration_key("200ms", "10s")] = msgspec.field(default=NS_PER_SECOND, name="interval")
    state_dir: Annotated[Path, PATH] = Path("/var/lib/wattledger")
    source: Annotated[SourceChoice, SOURCE] = SourceChoice(SourceMode.AUTO)
    web_config: Annotated[Path | None, PATH] = None
    history_ns: Annotated[int, duration_key("1d", "3660d")] = msgspec.field(default=400 * _DAY_NS, name="history")
    log: Log = Log()
    gpus: Gpus = msgspec.field(default_factory=Gpus)
    states: States = States()
    owners: tuple[Ownership, ...] = ()
    workloads: Workloads = Workloads()
    services: Services = Services()
    carbon: Carbon = Carbon()
    supply: tuple[SupplyEntry, ...] = ()
    facility: Facility = Facility()
    tariff: Tariff | None = None
    dcgm: Dcgm = Dcgm()
    rules: Rules = msgspec.field(default_factory=Rules)
    alerts: Alerts = msgspec.field(default_factory=Alerts)


def field_value(config: Config, key_path: str) -> object:
    """Give the value at a key path such as `log.level`. Raises KeyError when there is no such key."""
    value: object = config
    for key in key_path.split("."):
        if not isinstance(value, Section):
            raise KeyError(key_path)
        attributes = {info.encode_name: info.name for info in msgspec.structs.fields(value)}
        value = getattr(value, attributes[key])
    return value
