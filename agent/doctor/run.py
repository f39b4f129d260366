"""`wattledger doctor`: all checks in the order in which an operator would ask, and the exit code."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from wattledger.agent.config import Config, ConfigError, SourceMode, load_config

from .attribution import (
    check_cgroups,
    check_kubelet,
    check_namespace,
    check_processes,
    check_slurm,
    check_sockets,
)
from .boards import check_boards, merged
from .driver import check_binding, check_library, check_module, check_mps, check_nodes, check_nvml
from .exporter import check_exporter
from .finding import Finding, missing, present
from .host import check_hwmon, check_ipmi, check_port, check_rapl, check_state, check_systemd
from .look import LIMIT_S, look_in_child
from .surroundings import Access, HasModule, Roots, Surroundings, has_module
from .table import as_json as json_of
from .table import as_text, essential_missing

Check = Callable[[Surroundings], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    check_binding,
    check_library,
    check_module,
    check_nodes,
    check_nvml,
    check_boards,
    check_mps,
    check_exporter,
    check_namespace,
    check_processes,
    check_sockets,
    check_cgroups,
    check_kubelet,
    check_slurm,
    check_state,
    check_port,
    check_systemd,
    check_rapl,
    check_hwmon,
    check_ipmi,
)
# What only the driver's own library needs: not essential where an exporter is read in its place.
NVML_CHECKS = frozenset({check_binding, check_library, check_module, check_nodes, check_nvml, check_boards})
_CONFIG = "wattledger/wattledger.yaml"


def run_doctor(
    out: TextIO,
    *,
    roots: Roots = Roots(),  # noqa: B008  (frozen)
    environment: Mapping[str, str],
    as_json: bool = False,
    limit_s: float = LIMIT_S,
    access: Access = os.access,
    has_module: HasModule = has_module,
) -> int:
    """Write the table to *out*; give 0 when nothing essential is missing, else 1.

    NVML is opened in a child that gets *limit_s* seconds, so that a driver that hangs does not hang the doctor.
    """
    told, config = _settings(roots, environment)
    findings = [told]
    at = Surroundings(
        roots=roots,
        environment=environment,
        state_dir=None if config is None else config.state_dir,
        listen_host="" if config is None else config.listen.host,
        listen_port=9889 if config is None else config.listen.port,
        nvml=look_in_child(environment, proc=roots.proc, sys_root=roots.sys, limit_s=limit_s),
        access=access,
        config=Config() if config is None else config,
        has_module=has_module,
    )
    for check in CHECKS:
        found = list(check(at))
        if check in NVML_CHECKS and at.config.source.kind is SourceMode.DCGM:
            found = [replace(one, essential=False) for one in found]
        findings += merged(found) if check is check_boards else found
    out.write(json_of(findings) if as_json else as_text(findings))
    return 1 if essential_missing(findings) else 0


def _settings(roots: Roots, environment: Mapping[str, str]) -> tuple[Finding, Config | None]:
    """Give what is to be said of the configuration, and it; None where it is refused."""
    path: Path | None = roots.etc / _CONFIG
    if environment.get("WATTLEDGER_CONFIG") or path is None or not path.exists():
        path = None
    try:
        loaded = load_config(path, environment=environment)
    except ConfigError as refused:
        why = str(refused.problems[0]) if refused.problems else str(refused)
        return missing("configuration", why, "wattledger check FILE says all of it", essential=True), None
    where = str(loaded.path) if loaded.path else "none: defaults"
    return present("configuration", where, essential=True), loaded.config
