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
    from ..config import Config, GpuReference
    from ..config.schema import Services

# ruff: noqa: PLC0415  (what no job or service needs is not loaded)


class TokenDesk:
    """Services and jobs of this host: the watch, with the inputs that it asks."""

    def __init__(self, watch: TokenWatch, inputs: JobInputs, gpus: _GivenGpus, section: Services) -> None:
        self._watch = watch
        self._inputs = inputs
        self._gpus = gpus
        self._section = section
        self._watches = False

    def start(self) -> None:
        """Begin. Raises ListenError where jobs cannot push to what is configured."""
        if self._inputs.push is not None:
            self._inputs.push.start()
        self._begin()

    def apply(self, section: Services) -> None:
        """Go on with other servers; what jobs report through stays as it is."""
        if section == self._section:
            return
        self._section = section
        self._gpus.take(section)
        self._watch.apply(token_settings(section))
        self._begin()

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

    def _begin(self) -> None:
        """Look from now on, where there is something to look at."""
        if not self._watches and (self._section.discovery or self._section.entries or self._inputs.all):
            self._watches = True
            self._watch.start()


class _GivenGpus:
    """The uuids of the GPUs that the configuration gives to services. Taken by one thread, asked by another."""

    def __init__(self, section: Services, devices: DeviceNames) -> None:
        self._devices = devices
        self._gpus: dict[str, tuple[GpuReference, ...]] = {}
        self.take(section)

    def take(self, section: Services) -> None:
        """Go on with another configuration."""
        self._gpus = {entry.service: entry.gpus for entry in section.entries}

    def uuids_of(self, service: str) -> tuple[str, ...]:
        """Give those of one service."""
        return self._devices.uuids_of(self._gpus.get(service, ()))


def token_desk(
    config: Config, *, clock: Clock, devices: DeviceNames, title_of: Callable[[int], str | None]
) -> TokenDesk:
    """Give what reads tokens by *config*, not yet started; it costs nothing where nothing is to be read.

    Raises PatternError.
    """
    section = config.services
    inputs = _inputs(section, clock=clock, devices=devices)
    gpus = _GivenGpus(section, devices)
    watch = TokenWatch(
        clock,
        _catalogue,
        settings=token_settings(section),
        inputs=inputs.all,
        title_of=title_of,
        devices_of=gpus.uuids_of,
    )
    return TokenDesk(watch, inputs, gpus, section)


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
