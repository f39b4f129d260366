"""What counts as a sign of an NVIDIA GPU, on made-up hosts."""

from pathlib import Path

import pytest

from wattledger.agent.detect import LIBRARY_FOLDERS, detect
from wattledger.rules.reading import SourceKind


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def pci(root: Path, name: str, *, vendor: str, kind: str) -> None:
    folder = root / "sys/bus/pci/devices" / name
    put(folder / "vendor", f"{vendor}\n")
    put(folder / "class", f"{kind}\n")


def test_a_bare_host_is_simulated_and_says_why(tmp_path: Path) -> None:
    found = detect({}, root=tmp_path)
    assert found.kind is SourceKind.SIM
    assert "no NVIDIA" in found.why


@pytest.mark.parametrize("folder", LIBRARY_FOLDERS)
def test_a_library_where_distributions_put_it_decides(tmp_path: Path, folder: str) -> None:
    library = put(tmp_path / folder / "libnvidia-ml.so.1")
    found = detect({}, root=tmp_path)
    assert found.kind is SourceKind.NVML
    assert str(library) in found.why


def test_a_library_of_the_search_path_decides(tmp_path: Path) -> None:
    library = put(tmp_path / "own/libnvidia-ml.so.1")
    found = detect({"LD_LIBRARY_PATH": f"/nowhere::{library.parent}"}, root=tmp_path / "root")
    assert found.kind is SourceKind.NVML
    assert str(library) in found.why


def test_an_empty_part_of_the_search_path_is_not_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "libnvidia-ml.so.1")
    monkeypatch.chdir(tmp_path)
    assert detect({"LD_LIBRARY_PATH": ":"}, root=tmp_path / "root").kind is SourceKind.SIM


def test_a_library_without_its_version_is_not_the_drivers(tmp_path: Path) -> None:
    put(tmp_path / "usr/lib/libnvidia-ml.so")
    assert detect({}, root=tmp_path).kind is SourceKind.SIM


def test_a_folder_that_cannot_be_looked_into_is_passed_over(tmp_path: Path) -> None:
    library = put(tmp_path / "own/libnvidia-ml.so.1")
    path = f"/{'x' * 300}:{library}/under-a-file:{library.parent}"
    assert detect({"LD_LIBRARY_PATH": path}, root=tmp_path / "root").kind is SourceKind.NVML


@pytest.mark.parametrize("sign", ["proc/driver/nvidia/version", "dev/nvidiactl"])
def test_a_loaded_driver_decides(tmp_path: Path, sign: str) -> None:
    put(tmp_path / sign)
    found = detect({}, root=tmp_path)
    assert found.kind is SourceKind.NVML
    assert sign in found.why


@pytest.mark.parametrize("kind", ["0x030000", "0x030200"])
def test_a_board_without_driver_decides(tmp_path: Path, kind: str) -> None:
    pci(tmp_path, "0000:00:01.0", vendor="0x8086", kind="0x030000")
    pci(tmp_path, "0000:65:00.0", vendor="0x10de", kind=kind)
    found = detect({}, root=tmp_path)
    assert found.kind is SourceKind.NVML
    assert "0000:65:00.0" in found.why


@pytest.mark.parametrize("kind", ["0x020000", "0x020700", "0x060400", "0x068000", "0x0c0330"])
def test_a_network_card_a_bridge_and_a_switch_of_the_vendor_are_no_gpu(tmp_path: Path, kind: str) -> None:
    pci(tmp_path, "0000:65:00.0", vendor="0x10de", kind=kind)
    assert detect({}, root=tmp_path).kind is SourceKind.SIM


def test_a_gpu_of_another_vendor_is_none_of_ours(tmp_path: Path) -> None:
    pci(tmp_path, "0000:65:00.0", vendor="0x1002", kind="0x030200")
    assert detect({}, root=tmp_path).kind is SourceKind.SIM


def test_a_device_that_is_unplugged_while_we_look_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices/0000:01:00.0").mkdir(parents=True)
    pci(tmp_path, "0000:65:00.0", vendor="0x10de", kind="0x030200")
    assert detect({}, root=tmp_path).kind is SourceKind.NVML
