"""One line of a file below /proc, such as which boot of the host this is."""

from pathlib import Path


def first_line(path: Path) -> str:
    """Give the first line of a file, or "" where there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return " ".join(file.readline().split())
    except OSError:
        return ""


def boot_id(proc_root: Path) -> str:
    """Give what names this boot of the host, "" where the kernel does not tell."""
    return first_line(proc_root / "sys/kernel/random/boot_id")
