"""A capture that is not played but read: every frame reaches the reader, however slow that is."""

from pathlib import Path

from tests.agent.capture.writing import write
from tests.agent.e2e_daemon import let_pass
from tests.agent.sampler.samples import sample
from tests.agent.sampler.supervised import MS, patient, supervised
from wattledger.agent.sampler.settings import SamplerSettings
from wattledger.rules.instant import NS_PER_SECOND
from wattledger.rules.reading import SourceKind

FRAMES = 200
DEVICES = 8


def test_every_frame_is_handed_on_before_the_source_has_ended(tmp_path: Path) -> None:
    frames = [sample(number * NS_PER_SECOND, devices=DEVICES) for number in range(FRAMES)]
    capture = write(tmp_path / "c.jsonl", frames)
    settings = SamplerSettings(
        SourceKind.REPLAY, interval_ns=MS, replay_path=str(capture), replay_realtime=False, replay_loop=False
    )
    with supervised(settings=settings, limits=patient()) as watched:
        watched.poll_until(lambda: bool(watched.samples))
        let_pass(0.5)  # the pipe is full, for longer than a sampler waits for a daemon that stands still
        while not watched.supervisor.state.ended:
            watched.poll()
            let_pass(0.002)
        assert [told.at.mono_ns for told in watched.told] == [frame.at.mono_ns for frame in frames]
        assert watched.failures == []
