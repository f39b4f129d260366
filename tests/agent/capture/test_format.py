"""The capture file keeps every frame as it was, survives a kill, and names file and line of what is wrong."""

import itertools
import json
import logging
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from tests.agent.capture.strategies import frames
from tests.agent.capture.writing import header, read, write
from tests.data.captures import make
from wattledger.agent.capture.format import CaptureError, CaptureReader, CaptureWriter, Frame
from wattledger.rules.quantity import Quantity
from wattledger.rules.reading import Reading, Sample

_names = itertools.count()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("captures")


@given(frames)
@settings(max_examples=60)
def test_every_frame_is_read_as_it_was_written(folder: Path, frames: list[Frame]) -> None:
    path = folder / f"{next(_names)}.jsonl"
    assert read(write(path, frames)) == frames
    packed = folder / f"{next(_names)}.jsonl.gz"
    assert read(write(packed, frames)) == frames
    assert packed.read_bytes()[:2] == b"\x1f\x8b"


def test_whole_numbers_stay_whole_and_others_stay_floats(tmp_path: Path) -> None:
    sample = _sample()
    values = {Quantity.ENERGY_MJ: 2**64 - 1, Quantity.UTILIZATION_GPU_RATIO: 1.0}
    sample = replace(sample, devices=(replace(sample.devices[0], values=values),))
    (found,) = read(write(tmp_path / "c.jsonl", [sample]))
    assert isinstance(found, Sample)
    assert [(type(value), value) for value in found.devices[0].values.values()] == [(int, 2**64 - 1), (float, 1.0)]


def test_the_header_says_what_was_recorded(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", [])
    with CaptureReader(path) as reader:
        assert reader.header == header()
        assert list(reader.frames()) == []
    first = json.loads(path.read_bytes())
    assert (first["format"], first["version"]) == ("wattledger-capture", 1)


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_a_frame_has_left_the_process_before_the_next_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with CaptureWriter(path, header()) as writer:
        writer.write(_sample())
        assert read(path) == [_sample()]


@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_a_capture_cut_anywhere_gives_its_whole_frames(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    written = list(make.faults_frames())[:4]
    whole = write(tmp_path / name, written).read_bytes()
    cut = tmp_path / f"cut-{name}"
    found: list[int] = []
    for length in range(450, len(whole), 97):
        cut.write_bytes(whole[:length])
        frames = read(cut)
        assert frames == written[: len(frames)]
        found.append(len(frames))
    assert found == sorted(found)
    assert {1, 2, 3} <= set(found)
    assert "capture torn" in caplog.text
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_a_killed_recorder_leaves_a_readable_capture(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl.gz"
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from tests.data.captures import make; from tests.agent.capture.writing import header\n"
        "from wattledger.agent.capture.format import CaptureWriter\n"
        "writer = CaptureWriter(Path(sys.argv[1]), header())\n"
        "for frame in list(make.faults_frames())[:3]: writer.write(frame)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(path)], check=False, cwd=Path(__file__).parents[3])
    assert ended.returncode == -9
    assert read(path) == list(make.faults_frames())[:3]


def test_a_last_line_without_its_end_but_whole_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "c.jsonl", [_sample()])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert read(path) == [_sample()]
    assert not caplog.records


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"energy_mj"', '"energy_kj"', "Invalid enum value 'energy_kj'"),
        ('"up":true', '"op":true', "unknown key - at `$.sample.devices[0].op`"),
        ('"index":1', '"index":"one"', "Expected `int`, got `str` - at `$.sample.devices[1].identity.index`"),
        ('"type":"sample"', '"type":"sampel"', "Invalid value 'sampel' - at `$.type`"),
        ('{"type"', '{"typ', "JSON is malformed"),
        ('"energy_mj":1000000', '"energy_mj":null', "got `null`"),
    ],
)
def test_a_bad_line_is_named_with_file_and_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = write(tmp_path / "c.jsonl", [next(make.sim_frames()), _sample(), _sample()])
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert old in lines[2]
    lines[2] = lines[2].replace(old, new, 1)
    path.write_text("".join(lines), encoding="utf-8")
    with CaptureReader(path) as reader:
        given = reader.frames()
        next(given)
        with pytest.raises(CaptureError) as failed:
            next(given)
    assert str(failed.value).startswith(f"{path}:3: ")
    assert told in str(failed.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ":1: empty, or cut off"),
        (b'{"format":"wattledger-cap', ":1: no capture"),
        (b"# HELP up\n", ":1: no capture"),
        (b"\xff\xfe\n", ":1: no capture"),
        (b'{"format":"other","version":1}\n', ":1: no capture: the first line must be a header"),
        (b'{"format":"wattledger-capture","version":2}\n', ":1: version 2, this product reads 1: use"),
        (b'{"format":"wattledger-capture","version":1}\n', ":1: Object missing required field `source`"),
    ],
)
def test_what_is_no_capture_is_refused_at_once(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as failed:
        CaptureReader(path)
    assert f"{path}{told}" in str(failed.value)


def test_a_header_that_is_misspelt_or_impossible_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", [])
    good = path.read_text(encoding="utf-8")
    for old, new, told in (
        ('"comment"', '"coment"', "unknown field `coment`"),
        ('"interval_ns":1000000000', '"interval_ns":0', "interval_ns is 0"),
    ):
        path.write_text(good.replace(old, new), encoding="utf-8")
        with pytest.raises(CaptureError, match=f":1: .*{told}"):
            CaptureReader(path)


def test_gzip_that_is_none_or_damaged_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(b"plain text\n")
    with pytest.raises(CaptureError, match=r"c\.jsonl\.gz:1: Not a gzipped file"):
        CaptureReader(path)
    damaged = bytearray(write(tmp_path / "d.jsonl.gz", [_sample()]).read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(CaptureError, match=r"c\.jsonl\.gz:\d+: "):
        read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"none\.jsonl: No such file"):
        CaptureReader(tmp_path / "none.jsonl")


def test_a_capture_is_never_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path / "c.jsonl", [_sample()])
    with pytest.raises(CaptureError, match="the file exists: remove it or give another name"):
        CaptureWriter(path, header())
    assert read(path) == [_sample()]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_cannot_tell_is_refused_when_written(tmp_path: Path, value: float) -> None:
    device: Reading = replace(_sample().devices[0], values={Quantity.TEMPERATURE_GPU_CELSIUS: value})
    with pytest.raises(CaptureError, match="temperature_gpu_celsius is"):
        write(tmp_path / "c.jsonl", [replace(_sample(), devices=(device,))])


def test_reading_plain_captures_does_not_load_gzip_or_openssl() -> None:
    program = (
        "import sys; from pathlib import Path; from wattledger.agent.sources.replay import ReplaySource\n"
        "import wattledger.agent.sources.sim, wattledger.agent.capture.record\n"
        "from wattledger.rules.instant import Instant\n"
        "source = ReplaySource(Path(sys.argv[1]), realtime=False); source.open(); source.read(Instant(0, 0))\n"
        "assert not {'gzip', 'zlib', 'hashlib', 'ssl', 'random', 'pynvml', 'yaml'} & set(sys.modules), sys.modules\n"
    )
    subprocess.run(
        [
            sys.executable,
            "-S",
            "-c",
            f"import sys; sys.path[:0] = {sys.path!r}\n{program}",
            make.FOLDER / "faults.jsonl",
        ],
        check=True,
    )


def _sample() -> Sample:
    sample = next(make.faults_frames())
    assert isinstance(sample, Sample)
    return sample
