"""From the configuration to what jobs report their tokens through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..job_inputs import JobInputs
from .processes import Processes
from .settings import LogSettings, PushSettings, TensorBoardSettings, TextfileSettings

if TYPE_CHECKING:
    from ...clock import Clock
    from ...config.schema import Services
    from ...device_names import DeviceNames
    from .base import TokenInput
    from .push import PushInput

# ruff: noqa: PLC0415  (what no job needs is not loaded)


def job_inputs(section: Services, *, clock: Clock, devices: DeviceNames) -> JobInputs:
    """Give what *section* asks for, not yet started. Raises PatternError."""
    processes = Processes()
    push = _push(section, clock, processes)
    return JobInputs(
        all=(
            *_textfiles(section, devices, processes),
            *(() if push is None else (push,)),
            *_logs(section, devices, processes),
            *_tensorboards(section, devices, processes),
        ),
        push=push,
    )


def _textfiles(section: Services, devices: DeviceNames, processes: Processes) -> Iterator[TokenInput]:
    if section.textfile_dir is not None:
        from .textfile import TextfileInput

        settings = TextfileSettings(section.textfile_dir)
        yield TextfileInput(settings, processes=processes, uuid_of=devices.uuid_of)


def _push(section: Services, clock: Clock, processes: Processes) -> PushInput | None:
    if section.push.socket is None and section.push.listen is None:
        return None
    from .push import PushInput

    where = PushSettings(section.push.socket, section.push.listen, section.push.group)
    return PushInput(where, now=clock.now, processes=processes)


def _logs(section: Services, devices: DeviceNames, processes: Processes) -> Iterator[TokenInput]:
    for log in section.logs:
        from .log_tail import LogInput

        settings = LogSettings(
            service=log.service,
            path=log.path,
            pattern=log.pattern,
            tokens_per_sample=log.tokens_per_sample,
            gpus=tuple(map(str, log.gpus)),
            pid_file=log.pid_file,
            model=log.model,
        )
        yield LogInput(settings, processes=processes, uuid_of=devices.uuid_of)


def _tensorboards(section: Services, devices: DeviceNames, processes: Processes) -> Iterator[TokenInput]:
    for board in section.tensorboard:
        from .tensorboard import TensorBoardInput

        settings = TensorBoardSettings(
            service=board.service,
            folder=board.path,
            tag=board.tag,
            tokens_per_step=board.tokens_per_step,
            gpus=tuple(map(str, board.gpus)),
            pid_file=board.pid_file,
            model=board.model,
        )
        yield TensorBoardInput(settings, processes=processes, uuid_of=devices.uuid_of)
