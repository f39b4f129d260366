"""The .deb: what is in it, what lintian says, and its whole life in a clean Debian root."""

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.daemon_process import Page
from tests.deploy.debian_root import BUILD, ROOT, DebianRoot, built_package, fresh_root, newer_package
from tests.servers import need

pytestmark = pytest.mark.nightly

CONFFILE = "/etc/wattledger/wattledger.yaml"
ENVIRONMENT = "/etc/default/wattledger"
DOCUMENTS = "usr/share/doc/wattledger"
WANTED = "/etc/systemd/system/multi-user.target.wants/wattledger.service"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_package(tmp_path_factory)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[DebianRoot]:
    with fresh_root(tmp_path) as root:
        yield root


@pytest.fixture(scope="module")
def tree(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the package unpacked, its control files below DEBIAN."""
    unpacked = tmp_path_factory.mktemp("deb") / "tree"
    subprocess.run(["dpkg-deb", "-R", str(package), str(unpacked)], timeout=120, check=True)
    return unpacked


def test_what_is_shipped_is_in_it_as_it_is(tree: Path) -> None:
    for inside, ours in {
        "lib/systemd/system/wattledger.service": "deploy/systemd/wattledger.service",
        "etc/wattledger/wattledger.yaml": "deploy/debian/wattledger.yaml",
        "etc/default/wattledger": "deploy/debian/default",
        f"{DOCUMENTS}/copyright": "deploy/debian/copyright",
        f"{DOCUMENTS}/configuration.md": "docs/configuration.md",
        f"{DOCUMENTS}/examples/slurm/prolog.sh": "deploy/slurm/prolog.sh",
        f"{DOCUMENTS}/examples/wattledger.service.d/attribution.conf": (
            "deploy/systemd/wattledger.service.d/attribution.conf"
        ),
    }.items():
        assert (tree / inside).read_bytes() == (ROOT / ours).read_bytes(), inside
    assert (tree / "DEBIAN/conffiles").read_text() == f"{ENVIRONMENT}\n{CONFFILE}\n"
    assert (tree / "usr/bin/wattledger").readlink() == Path("/opt/wattledger/bin/wattledger")
    assert (tree / "opt/wattledger/bin/python3").readlink() == Path("/usr/bin/python3")


def test_no_path_of_the_machine_that_built_it_is_left(tree: Path) -> None:
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(path.suffix == ".pyc" for path in files)
    paths = [str(ROOT).encode(), b"/tree/opt/wattledger", b"/tmp/tmp."]
    assert {str(path.relative_to(tree)) for path in files for one in paths if one in path.read_bytes()} == set()
    links = [path for path in tree.rglob("*") if path.is_symlink()]
    assert {str(path.readlink()) for path in links} == {
        "python3",
        "/usr/bin/python3",
        "lib",
        "/opt/wattledger/bin/wattledger",
    }


def test_all_of_it_is_readable_by_all_and_writable_by_root_alone(tree: Path) -> None:
    for path in tree.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if not path.is_symlink():
            assert mode == (0o755 if mode & 0o111 else 0o644), f"{path}: {mode:o}"


def test_it_wants_the_python_that_it_was_built_with(tree: Path) -> None:
    minor = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(sys.version_info[1])"],
        capture_output=True,
        text=True,
        check=True,
    )
    number = int(minor.stdout)
    control = (tree / "DEBIAN/control").read_text()
    assert f"Depends: python3 (>= 3.{number}), python3 (<< 3.{number + 1})," in control
    assert (tree / f"opt/wattledger/lib/python3.{number}/site-packages/grpc").is_dir()


def test_two_builds_are_the_same_bytes(package: Path, tmp_path: Path) -> None:
    environment = os.environ | {"OUT": str(tmp_path)}
    subprocess.run([str(BUILD)], env=environment, capture_output=True, timeout=600, check=True)
    assert (tmp_path / package.name).read_bytes() == package.read_bytes()


def test_lintian_finds_no_error_that_no_reason_is_given_for(package: Path) -> None:
    lintian = [need("lintian", "lintian"), "--fail-on", "error,warning", "--tag-display-limit", "0", str(package)]
    done = subprocess.run(lintian, capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_it_is_installed_upgraded_removed_and_purged(package: Path, root: DebianRoot, tmp_path: Path) -> None:
    root.install(package)
    named = root.run("sh", "-c", "grep -ho '/usr/share/doc/[^ ]*md' /etc/wattledger/wattledger.yaml").split()
    assert named, "the configuration names a document"
    assert all(root.file(document).is_file() for document in named)
    assert root.file(WANTED).readlink() == Path("/lib/systemd/system/wattledger.service")
    assert root.run("wattledger", "check", CONFFILE).startswith(f"{CONFFILE}: ok")
    page = Page(root.run("wattledger", "once", "--source", "sim"))
    assert len(page.rows("wattledger_gpu_energy_joules_total")) == 8
    assert "kubelet" in root.run("/opt/wattledger/bin/python3", "-c", "import grpc; print('kubelet can be asked')")

    conffile = root.file(CONFFILE)
    conffile.write_text("history: 90d  # as edited here\n")
    root.file(ENVIRONMENT).write_text("WATTLEDGER_SOURCE=auto\n")
    state = root.file("/var/lib/private/wattledger")
    state.mkdir(parents=True, exist_ok=True)
    (state / "ledger.sqlite3").write_text("the books")
    root.install(newer_package(package, tmp_path, "9.0.0"))
    assert root.run("dpkg-query", "-W", "-f", "${Version} ${Status}", "wattledger") == "9.0.0 install ok installed"
    assert conffile.read_text() == "history: 90d  # as edited here\n"
    assert (state / "ledger.sqlite3").read_text() == "the books"
    assert root.file(ENVIRONMENT).read_text() == "WATTLEDGER_SOURCE=auto\n"
    assert "history     90d" in root.run("wattledger", "check", CONFFILE)

    root.run("apt-get", "-y", "remove", "wattledger")
    assert not root.file("/opt/wattledger").exists(), sorted(root.file("/opt/wattledger").rglob("*"))
    assert not root.file("/usr/bin/wattledger").is_symlink()
    assert conffile.read_text() == "history: 90d  # as edited here\n"
    assert (state / "ledger.sqlite3").read_text() == "the books"

    root.run("apt-get", "-y", "purge", "wattledger")
    left = subprocess.run(
        ["find", str(root.path), "-xdev", "-iname", "*wattledger*", "-not", "-path", "*/root/*.deb"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert left.stdout == ""


def test_a_unit_that_somebody_disabled_stays_disabled(package: Path, root: DebianRoot, tmp_path: Path) -> None:
    root.install(package)
    root.run("systemctl", "disable", "wattledger")
    assert not root.file(WANTED).is_symlink()
    root.install(newer_package(package, tmp_path, "9.0.0"))
    assert not root.file(WANTED).is_symlink()
