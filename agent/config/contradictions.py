"""Settings right by themselves and wrong together, or wrong on this machine; single values are judged before."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from .carbon_schema import Carbon
from .document import Kind, Mapping, Scalar, scalars_below
from .duration import format_duration
from .facility_schema import Facility
from .problem import Places, Problem, printable, quoted
from .scalars import decimal_text
from .schema import Config, Endpoint, JobFile, Maintenance, ServiceEntry
from .values import GpuReference, is_pattern

# Certificates are public by nature; every other `..._file` is taken for a secret.
_PUBLIC_FILES = ("cert_file", "ca_file")


def contradictions(config: Config, places: Places) -> Iterator[Problem]:
    """Give what cannot be meant. *places* tells where it stands."""
    yield from _files(config, places)
    yield from _corrections(config, places)
    yield from _repeated("gpus.exclude", config.gpus.exclude, places)
    for number, span in enumerate(config.states.maintenance):
        yield from _maintenance(span, f"states.maintenance[{number}]", places)
    yield from _owners(config, places)
    yield from _services(config, places)
    yield from _rules(config, places)
    yield from _alerts(config, places)
    if _prices_energy(config):
        from .energy_contradictions import energy_contradictions  # noqa: PLC0415  (with all providers of feeds)

        yield from energy_contradictions(config, places)


def _prices_energy(config: Config) -> bool:
    """Tell whether grams or money are spoken of at all."""
    sections = (config.carbon, config.supply, config.facility, config.tariff)
    return sections != (Carbon(), (), Facility(), None)


def doubts(config: Config, places: Places) -> Iterator[Problem]:
    """Give what is allowed and does less than it seems to."""
    dwell_ns, interval_ns = config.states.dwell_ns, config.interval_ns
    if "states.dwell" in places and 0 < dwell_ns < interval_ns:
        shown, tick = format_duration(dwell_ns), format_duration(interval_ns)
        message = f"`{shown}` is shorter than the interval `{tick}`; it acts as one tick, raise it or write 0s"
        yield Problem(places["states.dwell"], "states.dwell", message)
    excluded = set(config.gpus.exclude)
    for number, ownership in enumerate(config.owners):
        for item, gpu in enumerate(ownership.gpus):
            if gpu in excluded:
                key = f"owners[{number}].gpus[{item}]"
                yield Problem(places[key], key, f"{gpu} is excluded under gpus.exclude; its owner has no effect")
    if _prices_energy(config):
        from .energy_contradictions import energy_doubts  # noqa: PLC0415  (with all providers of feeds)

        yield from energy_doubts(config, places)


def exposed_secrets(root: Mapping) -> Iterator[Problem]:
    """Give a doubt for every file named by a key ending in `_file` that every user of the machine may read."""
    for entry in scalars_below(root):
        name, value = entry.key.text, entry.value
        if not name.endswith("_file") or name.endswith(_PUBLIC_FILES):
            continue
        if not isinstance(value, Scalar) or value.kind is not Kind.TEXT:
            continue
        path = value.place.origin.folder / value.text
        mode = _mode(path)
        if mode is not None and stat.S_ISREG(mode) and mode & stat.S_IROTH:
            message = (
                f"{quoted(value.text)} can be read by every user (mode {mode & 0o7777:04o}); run chmod o-rwx on it"
            )
            yield Problem(value.place, printable(name), message)


def _mode(path: Path) -> int | None:
    """Give the mode of what is at *path*, None where nothing is or where it cannot be looked at."""
    try:
        return os.stat(path).st_mode  # noqa: PTH116  (Path.stat raises the same; this is one call)
    except (OSError, ValueError):
        return None


def _files(config: Config, places: Places) -> Iterator[Problem]:
    wanted = {"source": (config.source.path, "capture"), "web_config": (config.web_config, "file")}
    for key, (path, what) in wanted.items():
        if path is None:
            continue
        mode = _mode(path)
        if mode is None:
            yield Problem(places[key], key, f"{quoted(str(path))} does not exist; name a {what} that does")
        elif stat.S_ISDIR(mode):
            yield Problem(places[key], key, f"{quoted(str(path))} is a folder; name the {what} itself")
    mode = _mode(config.state_dir)
    if mode is not None and not stat.S_ISDIR(mode):
        yield Problem(places["state_dir"], "state_dir", f"{quoted(str(config.state_dir))} is no folder; name one")


def _corrections(config: Config, places: Places) -> Iterator[Problem]:
    excluded = {gpu.uuid: f"gpus.exclude[{number}]" for number, gpu in enumerate(config.gpus.exclude)}
    for uuid, correction in config.gpus.corrections.items():
        key = f"gpus.corrections.{uuid}"
        place = places[key]
        if uuid in excluded:
            other = places[excluded[uuid]].seen_from(place)
            yield Problem(place, key, f"this GPU is excluded {other}; remove the correction or the exclusion")
        bare_mw, context_mw = correction.bare_mw, correction.context_mw
        if bare_mw is not None and context_mw is not None and context_mw < bare_mw:
            place = places[f"{key}.context_watts"]
            bare, context = decimal_text(bare_mw, 3), decimal_text(context_mw, 3)
            message = (
                f"`{context}` is below bare_watts `{bare}`, and a process only adds; raise it or lower bare_watts"
            )
            yield Problem(place, f"{key}.context_watts", message)


def _maintenance(span: Maintenance, key: str, places: Places) -> Iterator[Problem]:
    if span.to_wall_ns <= span.from_wall_ns:
        yield Problem(places[f"{key}.to"], f"{key}.to", "is not after `from`; exchange the two or correct one")
    if span.gpus is None:
        return
    if not span.gpus:
        yield Problem(places[f"{key}.gpus"], f"{key}.gpus", "names no GPU; write all or a list of GPUs")
    yield from _repeated(f"{key}.gpus", span.gpus, places)


def _owners(config: Config, places: Places) -> Iterator[Problem]:
    named: list[tuple[str, GpuReference]] = []
    for number, ownership in enumerate(config.owners):
        key = f"owners[{number}].gpus"
        if not ownership.gpus:
            yield Problem(places[key], key, "names no GPU; list at least one or remove the entry")
        named.extend((f"{key}[{item}]", gpu) for item, gpu in enumerate(ownership.gpus))
    yield from _named_twice(named, places)


def _services(config: Config, places: Places) -> Iterator[Problem]:
    section = config.services
    named = [(f"services.list[{number}]", entry.service) for number, entry in enumerate(section.entries)]
    jobs: list[tuple[str, JobFile]] = [
        *((f"services.logs[{number}]", job) for number, job in enumerate(section.logs)),
        *((f"services.tensorboard[{number}]", job) for number, job in enumerate(section.tensorboard)),
    ]
    first: dict[str, str] = {}
    for key, name in (*named, *((key, job.service) for key, job in jobs)):
        if name in first:
            other = places[f"{first[name]}.service"].seen_from(places[f"{key}.service"])
            yield Problem(
                places[f"{key}.service"], f"{key}.service", f"{quoted(name)} is taken already {other}; rename one"
            )
        first.setdefault(name, key)
    yield from _shared_services(section.entries, places)
    for key, job in jobs:
        if job.gpus and job.pid_file is not None:
            yield Problem(places[key], key, "has both gpus and pid_file; keep the one that says whose energy it is")
    for number, log in enumerate(section.logs):
        key = f"services.logs[{number}]"
        if "(?P<samples>" in log.pattern and not log.tokens_per_sample:
            yield Problem(places[key], key, "counts samples; add tokens_per_sample, the tokens of one")
    listen = section.push.listen
    if listen is not None and listen.host not in ("127.0.0.1", "::1", "localhost"):
        key = "services.push.listen"
        yield Problem(places[key], key, "is not loopback; only jobs of this host may push: write 127.0.0.1:9890")


def _shared_services(entries: Iterable[ServiceEntry], places: Places) -> Iterator[Problem]:
    """Give pages whose tokens would count for two services, and GPUs whose joules are all those of two."""
    named: list[tuple[str, GpuReference]] = []
    first: dict[tuple[object, ...], str] = {}
    for number, entry in enumerate(entries):
        key = f"services.list[{number}]"
        named.extend((f"{key}.gpus[{item}]", gpu) for item, gpu in enumerate(entry.gpus))
        page, place = _page(entry.endpoint), places[f"{key}.endpoint"]
        if page in first:
            other = places[f"{first[page]}.endpoint"].seen_from(place)
            message = f"is already told {other}, so tokens would count twice; keep one"
            yield Problem(place, f"{key}.endpoint", message)
        first.setdefault(page, key)
    yield from _named_twice(named, places)


def _page(url: str) -> tuple[object, ...]:
    """Give what tells one page from another; without a path it is the usual one, as a rule."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return host, port, parts.path.rstrip("/") or "/metrics", parts.query


def _rules(config: Config, places: Places) -> Iterator[Problem]:
    for number, path in enumerate(config.rules.files):
        key = f"rules.files[{number}]"
        if _mode(path) is None and not is_pattern(path):
            yield Problem(places[key], key, f"{quoted(str(path))} does not exist; name a rule file that does")
        elif path in config.rules.files[:number]:
            yield Problem(places[key], key, f"{quoted(str(path))} is named twice; keep one of them")
    if not ("rules.packs" in places and config.rules.packs) and not config.rules.variables:
        return  # the packs of the default exist
    from ..rulefiles.packs import check_packs, check_variables  # noqa: PLC0415  (only where packs are spoken of)

    for name, message in check_packs(config.rules.packs):
        key = f"rules.packs[{config.rules.packs.index(name)}]"
        yield Problem(places[key], key, f"{quoted(name)} {message}")
    for name, message in check_variables(config.rules.variables, config.rules.packs):
        key = f"rules.vars.{name}"
        yield Problem(places[key], key, message)


def _alerts(config: Config, places: Places) -> Iterator[Problem]:
    named: dict[str, str] = {}
    for kind, endpoints in (("alertmanagers", config.alerts.alertmanagers), ("webhooks", config.alerts.webhooks)):
        for number, endpoint in enumerate(endpoints):
            key = f"alerts.{kind}[{number}]"
            if endpoint.url in named:
                other = places[named[endpoint.url]].seen_from(places[f"{key}.url"])
                yield Problem(places[f"{key}.url"], f"{key}.url", f"is already told {other}; keep one of them")
            named.setdefault(endpoint.url, f"{key}.url")
            yield from _credentials(endpoint, key, places)


def _credentials(endpoint: Endpoint, key: str, places: Places) -> Iterator[Problem]:
    place = places[key]
    if bool(endpoint.username) is not (endpoint.password_file is not None):
        yield Problem(place, key, "username and password_file go together; add the other or remove this one")
    if endpoint.username and endpoint.bearer_token_file is not None:
        yield Problem(place, key, "has both a user and a bearer token; keep one of them")
    if (endpoint.cert_file is None) is not (endpoint.key_file is None):
        yield Problem(place, key, "cert_file and key_file go together; add the other or remove this one")
    secure = (endpoint.ca_file, endpoint.cert_file, endpoint.key_file)
    if endpoint.url.startswith("http:") and any(file is not None for file in secure):
        yield Problem(place, key, "has certificates and a url without TLS; write https:// or remove them")


def _repeated(key: str, gpus: tuple[GpuReference, ...], places: Places) -> Iterator[Problem]:
    return _named_twice(((f"{key}[{item}]", gpu) for item, gpu in enumerate(gpus)), places)


def _named_twice(named: Iterable[tuple[str, GpuReference]], places: Places) -> Iterator[Problem]:
    first: dict[GpuReference, str] = {}
    for key, gpu in named:
        if gpu in first:
            place = places[key]
            other = places[first[gpu]].seen_from(place)
            yield Problem(place, key, f"GPU {gpu} is already named {other}; keep one of them")
        else:
            first[gpu] = key
