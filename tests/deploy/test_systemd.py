"""The shipped unit and its drop-ins, judged by systemd itself."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import need

UNIT = Path(__file__).resolve().parents[2] / "deploy/systemd/wattledger.service"
DROP_INS = UNIT.with_name("wattledger.service.d")
# In tenths, as systemd-analyze counts.
MOST_EXPOSURE = {(): 20, ("ipmi",): 20, ("node-energy",): 21, ("attribution",): 24}
EVERYTHING = ("attribution", "ipmi", "node-energy")
WITH = pytest.mark.parametrize("drop_ins", [*MOST_EXPOSURE, EVERYTHING], ids=lambda names: "+".join(names) or "none")


def installed(folder: Path, drop_ins: tuple[str, ...] = ()) -> Path:
    """Give the unit as on a host where the command is where the unit says, and these drop-ins are in force."""
    unit = folder / "wattledger.service"
    unit.write_text(UNIT.read_text().replace("/usr/bin/wattledger", "/bin/true"))
    (folder / "wattledger.service.d").mkdir()
    for name in drop_ins:
        shutil.copy(DROP_INS / f"{name}.conf", folder / "wattledger.service.d")
    return unit


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [need("systemd-analyze", "systemd"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_drop_in_is_known_here() -> None:
    assert {path.stem for path in DROP_INS.iterdir()} == {name for names in MOST_EXPOSURE for name in names}


@WITH
def test_systemd_finds_nothing_to_say(tmp_path: Path, drop_ins: tuple[str, ...]) -> None:
    result = analyze("verify", "--man=no", str(installed(tmp_path, drop_ins)))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.parametrize("drop_ins", MOST_EXPOSURE, ids=lambda names: "+".join(names) or "none")
def test_it_is_exposed_by_no_more_than_its_rights_cost(tmp_path: Path, drop_ins: tuple[str, ...]) -> None:
    threshold = f"--threshold={MOST_EXPOSURE[drop_ins]}"
    result = analyze("security", "--offline=true", threshold, str(installed(tmp_path, drop_ins)))
    assert result.returncode == 0, result.stdout.splitlines()[-1:]


def test_rights_of_two_drop_ins_add_up(tmp_path: Path) -> None:
    shown = analyze("security", "--offline=true", "--threshold=100", str(installed(tmp_path, EVERYTHING))).stdout
    marks = {line.split()[1]: line.split()[0] for line in shown.splitlines() if "CapabilityBoundingSet" in line}
    ptrace = next(mark for name, mark in marks.items() if "CAP_SYS_PTRACE" in name)
    admin = next(mark for name, mark in marks.items() if "CAP_SYS_ADMIN" in name)
    assert (ptrace, admin) == ("✗", "✓")


@pytest.mark.parametrize(("where", "right", "wrong"), [("unit", "UMask", "UMaks"), ("drop-in", "Ambient", "Anbient")])
def test_a_misspelt_key_would_be_seen(tmp_path: Path, where: str, right: str, wrong: str) -> None:
    unit = installed(tmp_path, ("attribution",))
    file = unit if where == "unit" else tmp_path / "wattledger.service.d/attribution.conf"
    file.write_text(file.read_text().replace(right, wrong))
    assert wrong in analyze("verify", "--man=no", str(unit)).stderr


def test_a_driver_that_is_loaded_after_the_start_may_be_used() -> None:
    """systemd resolves names and paths of devices once, when the unit starts; numbers need no device to be there."""
    assert re.search(r"(?m)^DeviceAllow=char-195 rw$", UNIT.read_text())


def test_the_page_on_training_makes_the_agent_a_member_of_the_group_of_its_socket(tmp_path: Path) -> None:
    page = (UNIT.parents[2] / "docs/training.md").read_text()
    (group,) = re.findall(r"push: \{socket: /run/wattledger/push\.sock, group: (\S+)\}", page)
    (drop_in,) = re.findall(r"```ini\n(.*?)```", page, re.DOTALL)
    assert f"SupplementaryGroups={group}\n" in drop_in
    unit = installed(tmp_path)
    (tmp_path / "wattledger.service.d/push.conf").write_text(drop_in.replace(group, "video"))
    done = analyze("verify", "--man=no", str(unit))
    assert (done.returncode, done.stderr) == (0, "")
