"""The command line: what a user types, and which part does it. Output goes to stdout, everything else to stderr."""

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .commands.chain_flags import add_chain
from .commands.report_flags import add_report
from .commands.size_flags import add_size
from .version import __version__

_DESCRIPTION = "Every joule on a GPU host, accounted for: who used it, what for, what it cost, and what was wasted."
_EPILOG = """\
Every setting may also stand in a YAML file (--config) or in the environment (WATTLEDGER_LISTEN, ...).
Without an NVIDIA driver a simulated host is shown, and every view says so.
"""
_INTERRUPTED = 130  # as shells have it: 128 and the number of SIGINT
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def parser() -> argparse.ArgumentParser:
    """Give the grammar of the command line."""
    top = argparse.ArgumentParser(
        prog="wattledger",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="store_true", help="print the version and exit")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")

    run = commands.add_parser("run", help="the daemon: measure, keep the books, serve the page")
    _add_settings(run)
    run.add_argument("--listen", metavar="HOST:PORT", help="address of the page (default 127.0.0.1:9889)")
    run.add_argument("--state-dir", metavar="DIR", help="for the ledger (default /var/lib/wattledger as root)")
    run.add_argument("--web-config", metavar="FILE", help="TLS and passwords, in the exporter-toolkit's format")

    once = commands.add_parser("once", help="print one page of metrics and exit; keeps no books")
    _add_settings(once)

    rules = commands.add_parser("rules", help="work with Prometheus rule files")
    rule_commands = rules.add_subparsers(dest="rules_command", metavar="COMMAND", required=True)
    rules_test = rule_commands.add_parser("test", help="run unit-test files of `promtool test rules`")
    rules_test.add_argument("files", type=Path, metavar="FILE", nargs="+")
    _add_render(
        rule_commands.add_parser("render", help="the shipped rules as one file, for Prometheus or Kubernetes")
    )

    check = commands.add_parser("check", help="check a configuration or rule file; exit 1 and the place on error")
    check.add_argument("file", type=Path, metavar="FILE")

    add_report(commands.add_parser("report", help="what a stretch of time came to: energy, waste, grams, money"))
    add_chain(commands.add_parser("chain", help="losses between GPU and meter, and what another way would save"))
    add_size(commands.add_parser("size", help="MW, GWh and tonnes a year of a cluster that is planned"))

    doctor = commands.add_parser("doctor", help="what this host offers, what is missing, and the cure")
    doctor.add_argument("--json", action="store_true", help="the same for programs")

    capture = commands.add_parser("capture", help="record what the driver answers, for --source replay:FILE")
    _add_settings(capture)
    capture.add_argument("output", type=Path, metavar="FILE", help="JSON lines; compressed if it ends in .gz")
    capture.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    capture.add_argument(
        "--identify", action="store_true", help="keep UUIDs, serials and host names (default: replaced)"
    )
    return top


def _add_render(render: argparse.ArgumentParser) -> None:
    render.description = (
        "Print the packs that the configuration loads, and fleet, with their settings. Templates keep their double "
        "braces: in a Helm chart, include the file with .Files.Get or escape them."
    )
    render.add_argument("--config", type=Path, metavar="FILE", help="YAML (default /etc/wattledger/wattledger.yaml)")
    render.add_argument("--pack", action="append", metavar="NAME", help="a pack in place of the configuration's")
    render.add_argument(
        "--no-fleet",
        action="store_true",
        help="without what only Prometheus sees: sums over hosts, hosts down",
    )
    render.add_argument(
        "--var",
        action="append",
        default=[],
        type=_pair,
        metavar="NAME=VALUE",
        help="set a threshold: held_warning=20m",
    )
    render.add_argument("--list-packs", action="store_true", help="print every pack that there is, and exit")
    render.add_argument("--list-vars", action="store_true", help="print the thresholds that may be set, and exit")
    render.add_argument("--runbook-base", metavar="URL", help="put before runbook_url, which is docs/alerts.md#...")
    render.add_argument("--kubernetes", action="store_true", help="a PrometheusRule for the Prometheus operator")
    render.add_argument("--name", help="name of the PrometheusRule (default wattledger)")
    render.add_argument("--namespace", metavar="NS", help="its namespace (default: of whoever applies it)")
    render.add_argument(
        "--label", action="append", default=[], type=_pair, metavar="K=V", help="a label of it, as ruleSelector wants"
    )


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return name, value


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", type=Path, metavar="FILE", help="YAML (default /etc/wattledger/wattledger.yaml)")
    command.add_argument(
        "--source",
        metavar="SOURCE",
        help="auto, nvml, sim, dcgm:URL or replay:FILE (default auto: nvml where a driver is)",
    )
    command.add_argument("--interval", metavar="TIME", help="between two ticks, 200ms to 10s (default 1s)")
    command.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error (default info)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code: 0 done, 1 refused or failed, 2 wrong usage, 130 on Ctrl-C."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character gets a mark for it
    try:
        try:
            options = parser().parse_args(arguments)
            if options.version:
                print(f"wattledger {__version__}")
                return 0
            return _dispatch(options)
        finally:
            # Not left to the interpreter: at its exit what cannot be written is past telling, and the exit code 120.
            if sys.stdout is not None:  # whoever started us may have closed it
                sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone, as `wattledger once | head` does.
        _forget_output()
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        if error.errno not in _NO_ROOM or error.filename is not None:
            raise
        _forget_output()
        print(f"the output cannot be written: {error.strerror}; give it another place", file=sys.stderr)
        return 1


def _forget_output() -> None:
    """Send what is left of the output nowhere, so that the interpreter has nothing to write at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(options: argparse.Namespace) -> int:
    match options.command:
        case "run":
            from .commands.run import run  # noqa: PLC0415

            return run(options, os.environ)
        case "once":
            from .commands.once import once  # noqa: PLC0415

            return once(options, os.environ)
        case "check":
            from .config.check import check_file  # noqa: PLC0415

            return check_file(options.file, sys.stdout, os.environ)
        case "rules" if options.rules_command == "render":
            from .commands.rules_render import rules_render  # noqa: PLC0415

            return rules_render(options, os.environ)
        case "rules":
            from .rulefiles import run_rule_tests  # noqa: PLC0415

            return run_rule_tests(options.files, sys.stdout, sys.stderr)
        case "report":
            from .commands.report import report  # noqa: PLC0415

            return report(options, os.environ)
        case "chain":
            from .commands.chain import chain  # noqa: PLC0415

            return chain(options, os.environ)
        case "size":
            from .commands.size import size_command  # noqa: PLC0415

            return size_command(options)
        case "doctor":
            from .doctor import run_doctor  # noqa: PLC0415

            return run_doctor(sys.stdout, environment=os.environ, as_json=options.json)
        case "capture":
            from .commands.capture import capture  # noqa: PLC0415

            return capture(options, os.environ)
        case _:
            parser().print_help(sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
