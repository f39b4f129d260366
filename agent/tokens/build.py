"""From the configuration to what finds services, reads their counters and takes those of jobs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from ..device_names import DeviceNames
from .job_inputs import NO_INPUTS, JobInputs
from .settings import ConfiguredService, TokenSettings
from .watch import TokenWatch

if TYPE_CHECKING:
    from wattledger.rules.tokens.model import Service, TokenRead
    from wattledger.rules.tokens.server import ServerSpec

    from ..clock import Clock
    from ..config import Config
    from ..config.schema import Services

# ruff: noqa: PLC0415  (what no job or service needs is not loaded)


class TokenDesk:
    """Services and jobs of this host: the watch, with the inputs that it asks."""

    def __init__(self, watch: TokenWatch, inputs: JobInputs) -> None:
        self._watch = watch
        self._inputs = inputs

    def start(self) -> None:
        """Begin. Raises ListenError where jobs cannot push to what is configured."""
        if self._inputs.push is not None:
            self._inputs.push.start()
        self._watch.start()

    def observe(self, holders: Mapping[str, Collection[int]]) -> None:
        """Take which processes hold which device now."""
        self._watch.observe(holders)

    def services(self) -> tuple[Service, ...]:
        """Give the services that are known now."""
        return self._watch.services()

    def service_of(self, pid: int) -> str:
        """Give the service that a process works for; empty where it works for none."""
        return self._watch.service_of(pid)

    def device_service(self, uuid: str) -> str:
        """Give the service that the configuration gives a device to."""
        return self._watch.device_service(uuid)

    def drain(self) -> list[TokenRead]:
        """Take what was read since the last call."""
        return self._watch.drain()

    def close(self) -> None:
        """Read nothing any more, and give back files and sockets."""
        self._watch.close()
        for source in self._inputs.all:
            source.close()


def token_desk(
    config: Config, *, clock: Clock, devices: DeviceNames, title_of: Callable[[int], str | None]
) -> TokenDesk | None:
    """Give what reads tokens by *config*, not yet started; None where nothing is to be read. Raises PatternError."""
    section = config.services
    inputs = _inputs(section, clock=clock, devices=devices)
    if not section.discovery and not section.entries and not inputs.all:
        return None
    gpus = {entry.service: entry.gpus for entry in section.entries}
    watch = TokenWatch(
        clock,
        _catalogue,
        settings=token_settings(section),
        inputs=inputs.all,
        title_of=title_of,
        devices_of=lambda service: devices.uuids_of(gpus.get(service, ())),
    )
    return TokenDesk(watch, inputs)


def token_settings(section: Services) -> TokenSettings:
    """Give what *section* says of servers."""
    return TokenSettings(
        discovery=section.discovery,
        interval_ns=section.interval_ns,
        configured=tuple(
            ConfiguredService(
                name=entry.service,
                endpoint=entry.endpoint,
                kind=entry.kind,
                bearer_token_file=entry.bearer_token_file,
            )
            for entry in section.entries
        ),
    )


def _catalogue() -> tuple[ServerSpec, ...]:
    from .catalogue import load_catalogue

    return load_catalogue()


def _inputs(section: Services, *, clock: Clock, devices: DeviceNames) -> JobInputs:
    if not (
        section.textfile_dir or section.push.socket or section.push.listen or section.logs or section.tensorboard
    ):
        return NO_INPUTS
    from .inputs.build import job_inputs

    return job_inputs(section, clock=clock, devices=devices)
