"""The Python binding and the process around it: wrong packages, environment, fork."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.agent.sources.nvml_child import DEADLINE_S, REPOSITORY, SourceChild, machine
from tests.nvml.double import NvmlDouble
from wattledger.agent.sources.base import SourceError
from wattledger.rules.quantity import Gap


def _distribution(site: Path, name: str, version: str, files: dict[str, str]) -> Path:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for path, text in files.items():
        (site / path).parent.mkdir(parents=True, exist_ok=True)
        (site / path).write_text(text)
    (info / "RECORD").write_text("".join(f"{path},,\n" for path in files))
    return site


def test_the_package_that_shadows_the_binding_is_named_with_the_cure(tmp_path: Path) -> None:
    site = _distribution(
        tmp_path / "site", "pynvml", "11.4.1", {"pynvml/__init__.py": "from .nvml import *\n", "pynvml/nvml.py": ""}
    )
    with SourceChild(None, python_path=[site]) as child, pytest.raises(SourceError) as failed:
        child.open()
    assert failed.value.gap is Gap.FAILED
    assert "pynvml 11.4.1" in failed.value.detail
    assert str(site / "pynvml/__init__.py") in failed.value.detail
    assert "pip uninstall -y pynvml && pip install" in failed.value.detail


def test_a_whole_copy_in_a_package_is_refused_too(tmp_path: Path) -> None:
    names = ("nvmlDeviceGetFieldValues", "c_nvmlFieldValue_t", "NVML_FI_DEV_ENERGY", "nvmlGpmMetricsGet")
    site = _distribution(
        tmp_path / "site", "pynvml", "11.5.3", {"pynvml/__init__.py": "".join(f"{n} = None\n" for n in names)}
    )
    with SourceChild(None, python_path=[site]) as child, pytest.raises(SourceError, match="11\\.5\\.3"):
        child.open()


def test_an_old_binding_says_what_it_lacks(tmp_path: Path) -> None:
    site = _distribution(tmp_path / "site", "nvidia_ml_py", "7.352.0", {"pynvml.py": "def nvmlInit(): pass\n"})
    with SourceChild(None, python_path=[site]) as child, pytest.raises(SourceError) as failed:
        child.open()
    assert "it lacks nvmlDeviceGetFieldValues" in failed.value.detail


def test_a_missing_binding_is_told_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "pynvml.py").write_text("raise ImportError('No module named pynvml')\n")
    with SourceChild(None, python_path=[tmp_path]) as child, pytest.raises(SourceError) as failed:
        child.open()
    assert failed.value.gap is Gap.NO_DRIVER
    assert "nvidia-ml-py" in failed.value.detail


def test_the_mps_view_of_devices_is_switched_off(tmp_path: Path) -> None:
    with machine(tmp_path, "h100", env={"NVML_MPS_DEVICE_ENUMERATION": "1"}) as m:
        assert m.child.ask("environ", name="NVML_MPS_DEVICE_ENUMERATION") is None


def test_a_forked_child_is_refused_before_it_touches_the_driver(tmp_path: Path) -> None:
    with machine(tmp_path, "h100") as m:
        m.child.read()
        assert "fork" in m.child.ask("fork")
        assert not m.double.fork_misuse_detected
        assert m.child.tick().devices[0].up


_OPEN = """
import sys
from wattledger.agent.clock import SystemClock
from wattledger.agent.sources.nvml_source import NvmlSource
assert "pynvml" not in sys.modules, "before open"
source = NvmlSource(SystemClock())
source.open()
sample = source.read(SystemClock().now())
source.close()
print(*sys.modules)
"""


def test_the_source_loads_the_binding_when_opened_and_nothing_heavy(tmp_path: Path) -> None:
    with NvmlDouble(tmp_path / "double", clock="real") as double:
        done = subprocess.run(
            [sys.executable, "-c", _OPEN],
            env={**os.environ, **double.env, "PYTHONPATH": str(REPOSITORY / ".importroot")},
            capture_output=True,
            text=True,
            check=True,
            timeout=DEADLINE_S,
        )
    loaded = set(done.stdout.split())
    assert "pynvml" in loaded
    assert not loaded & {"importlib.metadata", "asyncio", "ssl", "http", "psutil", "yaml", "email"}
