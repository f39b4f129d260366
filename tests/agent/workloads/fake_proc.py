"""A made-up /proc: a folder for each process with the files that are read of it."""

import os
import shutil
from pathlib import Path

from wattledger.agent.workloads.procfs import ProcFs
from wattledger.rules.instant import NS_PER_SECOND

TICKS = 100  # a second
BOOTED_NS = 1_000 * NS_PER_SECOND  # where FakeClock begins
ROOT_GROUP = "0::/\n"


class FakeProc:
    """Writes processes below *root*; a process that is put again is another one when its start differs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.put(1, name=b"systemd")

    @property
    def files(self) -> ProcFs:
        """Give what reads it."""
        return ProcFs(self.root, ticks_per_second=TICKS)

    def put(
        self,
        pid: int,
        *,
        cgroup: str = ROOT_GROUP,
        uid: int = 0,
        start: int = 500,
        parent: int = 1,
        name: bytes = b"python3",
        environment: dict[str, str] | None = None,
        command: bytes = b"",
        files: tuple[str, ...] | None = ("/dev/null", "/dev/nvidia0"),
    ) -> None:
        """Write a process. *files* are what it has open; None: that may not be seen."""
        folder = self.root / str(pid)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fields = [b"S", b"%d" % parent, *[b"0"] * 17, b"%d" % start, *[b"0"] * 30]
        (folder / "stat").write_bytes(b"%d (%s) %s\n" % (pid, name, b" ".join(fields)))
        (folder / "status").write_bytes(b"Name:\t%s\nUid:\t%d\t0\t0\t0\nGid:\t5\t5\t5\t5\n" % (name, uid))
        (folder / "cgroup").write_text(cgroup)
        (folder / "cmdline").write_bytes(command)
        pairs = (environment or {}).items()
        (folder / "environ").write_bytes(b"".join(os.fsencode(f"{key}={value}") + b"\0" for key, value in pairs))
        if files is not None:
            (folder / "fd").mkdir()
            for number, target in enumerate(files):
                (folder / "fd" / str(number)).symlink_to(target)

    def end(self, pid: int) -> None:
        """Have a process end, and be reaped."""
        shutil.rmtree(self.root / str(pid))
