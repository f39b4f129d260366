"""Makes docs/report.png, the report of a simulated month in Chromium: `python -m tests.report_picture`.

`--text` prints the same month as a terminal shows it.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.agent.report.made_rows import Scene, made_report
from tests.chromium import chromium
from wattledger.agent.report.html import html_report
from wattledger.agent.report.text import text_report

_PICTURE = Path(__file__).parent.parent / "docs" / "report.png"
_CHARTS_END = "Math.ceil(document.querySelector('#carbon').getBoundingClientRect().bottom + 24)"


def main() -> int:
    """Write the picture; give the exit code."""
    options = _options()
    scene = Scene()
    if options.text:
        print(text_report(made_report(scene), zone=scene.clock, title="last-month", width=120))
        return 0
    program = shutil.which("chromium")
    if program is None:
        print("chromium is not installed; `make servers` as root installs it", file=sys.stderr)
        return 1
    text = html_report(made_report(scene), zone=scene.clock, title="last-month")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        file.write_text(text, encoding="utf-8")
        with chromium(program, Path(folder)) as browser:
            page = browser.page()
            page.look(options.width, scheme=options.scheme, media=options.media)
            page.open(file.as_uri())
            height = None if options.whole else int(page.evaluate(_CHARTS_END))
            options.output.write_bytes(page.picture(height=height))
    print(f"{options.output}: {options.output.stat().st_size:,} bytes")
    return 0


def _options() -> argparse.Namespace:
    command = argparse.ArgumentParser(description=__doc__)
    command.add_argument("--output", type=Path, default=_PICTURE, metavar="FILE")
    command.add_argument("--width", type=int, default=1200, metavar="PIXELS")
    command.add_argument("--scheme", choices=("light", "dark"), default="light")
    command.add_argument("--media", choices=("screen", "print"), default="screen")
    command.add_argument("--text", action="store_true", help="print the table for a terminal and make no picture")
    command.add_argument("--whole", action="store_true", help="the tables too, not the charts alone")
    return command.parse_args()


if __name__ == "__main__":
    sys.exit(main())
