"""Writes every dashboard: `python -m deploy.grafana.make [FOLDER]`."""

import sys
from pathlib import Path

from . import agent, carbon, fleet, host, tokens, waste
from .sheet import Sheet, json_of


def sheets() -> tuple[Sheet, ...]:
    """Give all dashboards."""
    return (host.sheet(), fleet.sheet(), waste.sheet(), tokens.sheet(), carbon.sheet(), agent.sheet())


def main(folder: Path) -> None:
    """Write all dashboards to *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    for sheet in sheets():
        (folder / f"{sheet.name}.json").write_text(json_of(sheet), encoding="utf-8")


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "dashboards"
    main(Path(sys.argv[1]) if sys.argv[1:] else default)
