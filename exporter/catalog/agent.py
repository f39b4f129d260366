"""Families of the agent itself: where its data comes from, how fresh it is, what it costs, whether the books hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from .family import Row
from .rows import host, host_value
from .units import seconds

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import Snapshot, SourceHealth

_SOURCE = ("source",)


def _maybe_seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else seconds(nanoseconds)


def _of_source(value: float | None, source: SourceHealth) -> tuple[Row, ...]:
    return () if value is None else (((source.kind,), value),)


def _build(snapshot: Snapshot) -> Iterator[Row]:
    yield (snapshot.agent.version, snapshot.source.kind), 1


def _driver(snapshot: Snapshot) -> Iterator[Row]:
    versions = (snapshot.host.driver_version, snapshot.host.nvml_version, snapshot.host.cuda_version)
    if any(versions):
        yield versions, 1


def _source_failure(snapshot: Snapshot) -> Iterator[Row]:
    source = snapshot.source
    if not source.success and source.reason is not None:
        yield (source.kind, source.reason), 1


def _ledger_damaged(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.ledger.moved_aside:
        yield (snapshot.ledger.moved_aside,), 1


def _http_requests(snapshot: Snapshot) -> Iterator[Row]:
    for code, count in (snapshot.agent.http_requests or {}).items():
        yield (str(code),), count


SOURCE_FAMILIES = (
    host(
        "wattledger_source_info",
        "Where samples come from, always 1: nvml (hardware), dcgm (hardware, through a dcgm-exporter), sim (a "
        "simulated host) or replay (a capture).",
        lambda snapshot: _of_source(1, snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_success",
        "Whether the last reading of the source succeeded (1) or not (0).",
        lambda snapshot: _of_source(int(snapshot.source.success), snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_failure_info",
        "Why the source gives nothing, always 1; absent while it succeeds.",
        _source_failure,
        labels=("source", "reason"),
    ),
    host(
        "wattledger_source_duration_seconds",
        "Time the last sample took to read.",
        lambda snapshot: _of_source(_maybe_seconds(snapshot.source.duration_ns), snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_last_success_timestamp_seconds",
        "Unix time of the last sample that was read.",
        lambda snapshot: _of_source(_maybe_seconds(snapshot.source.last_success_wall_ns), snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_restarts_total",
        "Sampler processes replaced since the daemon started.",
        lambda snapshot: _of_source(snapshot.source.restarts, snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_abandoned_samplers",
        "Sampler processes that hang in a driver call and cannot be killed yet.",
        lambda snapshot: _of_source(snapshot.source.abandoned, snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_missed_ticks_total",
        "Scheduled samples that were skipped because the one before took too long.",
        lambda snapshot: _of_source(snapshot.source.ticks_missed, snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_driver_calls_total",
        "Calls into the driver library.",
        lambda snapshot: _of_source(snapshot.source.driver_calls, snapshot.source),
        labels=_SOURCE,
    ),
    host(
        "wattledger_source_driver_seconds_total",
        "Time spent inside the driver library.",
        lambda snapshot: _of_source(seconds(snapshot.source.driver_busy_ns), snapshot.source),
        labels=_SOURCE,
    ),
    host_value(
        "wattledger_sample_timestamp_seconds",
        "Unix time of the sample that this page shows; a scrape reads no GPU, it gets the last sample.",
        lambda snapshot: seconds(snapshot.sample_at.wall_ns) if snapshot.sample_at is not None else None,
    ),
    host(
        "wattledger_driver_info",
        "Versions of driver, NVML library and CUDA as the driver tells them, always 1.",
        _driver,
        labels=("driver_version", "nvml_version", "cuda_version"),
    ),
)

AGENT_FAMILIES = (
    host(
        "wattledger_build_info",
        "Version of wattledger and the source it runs on, always 1.",
        _build,
        labels=("version", "source"),
    ),
    host_value(
        "wattledger_agent_start_time_seconds",
        "Unix time at which the daemon started.",
        lambda snapshot: seconds(snapshot.agent.started_wall_ns),
    ),
    host_value(
        "wattledger_agent_cpu_seconds_total",
        "CPU time of daemon and sampler together.",
        lambda snapshot: _maybe_seconds(snapshot.agent.cpu_ns),
    ),
    host_value(
        "wattledger_agent_resident_memory_bytes",
        "Resident memory of daemon and sampler together.",
        lambda snapshot: snapshot.agent.resident_bytes,
    ),
    host_value(
        "wattledger_tick_duration_seconds",
        "Time the daemon took to account, store and evaluate the last sample.",
        lambda snapshot: _maybe_seconds(snapshot.agent.tick_duration_ns),
    ),
    host_value(
        "wattledger_http_connections",
        "Open connections to this server.",
        lambda snapshot: snapshot.agent.http_connections,
    ),
    host("wattledger_http_requests_total", "Requests answered, by status code.", _http_requests, labels=("code",)),
    host_value(
        "wattledger_http_refused_total",
        "Connections and requests refused for want of room.",
        lambda snapshot: snapshot.agent.http_refused,
    ),
    host_value(
        "wattledger_ledger_writable",
        "Whether the books reach the disk (1) or not (0).",
        lambda snapshot: int(snapshot.ledger.writable),
    ),
    host_value(
        "wattledger_ledger_commit_failures_total",
        "Writes to the ledger that failed.",
        lambda snapshot: snapshot.ledger.commit_failures,
    ),
    host_value(
        "wattledger_ledger_last_commit_timestamp_seconds",
        "Unix time of the last write to the ledger that succeeded.",
        lambda snapshot: _maybe_seconds(snapshot.ledger.last_commit_wall_ns),
    ),
    host_value(
        "wattledger_ledger_size_bytes",
        "Size of the ledger on disk.",
        lambda snapshot: snapshot.ledger.size_bytes,
    ),
    host(
        "wattledger_ledger_damaged_info",
        "A damaged ledger was found at start and moved to this path; the books began anew. Always 1.",
        _ledger_damaged,
        labels=("path",),
    ),
    host_value(
        "wattledger_config_last_reload_successful",
        "Whether the configuration file as it stands is in force (1), or an older one because it is wrong (0).",
        lambda snapshot: int(snapshot.config.success),
    ),
    host_value(
        "wattledger_config_last_reload_success_timestamp_seconds",
        "Unix time at which the configuration in force was loaded.",
        lambda snapshot: _maybe_seconds(snapshot.config.loaded_wall_ns or None),
    ),
    host_value(
        "wattledger_web_config_last_reload_successful",
        "Whether the web config and its certificates as they stand are in force (1), or older ones because these are "
        "wrong (0), with which the agent would not start. Absent without a web config.",
        lambda snapshot: None if snapshot.agent.web_config_ok is None else int(snapshot.agent.web_config_ok),
    ),
)
