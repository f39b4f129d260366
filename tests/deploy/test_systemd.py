"""The shipped unit, judged by systemd itself."""

import subprocess
from pathlib import Path

import pytest

from tests.servers import need

UNIT = Path(__file__).resolve().parents[2] / "deploy/systemd/wattledger.service"
MOST_EXPOSURE = "20"  # in tenths, as systemd-analyze counts


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Give the unit as on a host where the command is where the unit says."""
    unit = tmp_path / "wattledger.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/wattledger", "/bin/true"))
    return unit


def test_systemd_finds_nothing_to_say_about_the_unit(installed: Path) -> None:
    verify = [need("systemd-analyze", "systemd"), "verify", "--man=no", str(installed)]
    result = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_the_unit_is_exposed_by_no_more_than_2_0(installed: Path) -> None:
    analyze = need("systemd-analyze", "systemd")
    command = [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(installed)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout.splitlines()[-1:]


def test_a_misspelt_key_would_be_seen(installed: Path) -> None:
    installed.write_text(installed.read_text().replace("UMask=", "UMaks="))
    verify = [need("systemd-analyze", "systemd"), "verify", "--man=no", str(installed)]
    result = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert "UMaks" in result.stderr
