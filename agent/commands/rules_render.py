"""`wattledger rules render`: the packs with their settings as one file for Prometheus or an object for Kubernetes."""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from wattledger.agent.rulefiles import FLEET_PACK, PackError, check_packs, check_variables, pack_names
from wattledger.agent.rulefiles.packs import pack_variables, read_pack
from wattledger.agent.rulefiles.render import KubernetesObject, Rendering, wrong_runbook_base
from wattledger.agent.version import __version__

from .settings import load_or_explain


def rules_render(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Render what the configuration loads; give the exit code."""
    loaded = load_or_explain(options, environment)
    if loaded is None:
        return 1
    rules = loaded.config.rules
    return render_command(options, rules.packs, rules.variables)


def render_command(
    options: argparse.Namespace,
    packs: Sequence[str],
    variables: Mapping[str, str],
    *,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Render *packs* with *variables*, unless the options name others; give the exit code."""
    out, err = sys.stdout if out is None else out, sys.stderr if err is None else err
    if options.list_packs:
        out.writelines(f"{name:<12} {read_pack(name).title}\n" for name in pack_names())
        return 0
    chosen = [*(options.pack or packs)]
    if not options.no_fleet and FLEET_PACK not in chosen:
        chosen.append(FLEET_PACK)
    named = KubernetesObject(options.name or "wattledger", options.namespace or "", dict(options.label))
    wrong = [*_wrong(options, chosen), *_wrong_settings(variables, (*packs, FLEET_PACK)), *named.wrong()]
    if wrong:
        err.writelines(f"{line}\n" for line in wrong)
        return 1
    values = {**variables, **dict(options.var)}
    if options.list_vars:
        out.writelines(_table(chosen, values))
        return 0
    rendering = Rendering([read_pack(name) for name in chosen], values, __version__, options.runbook_base or "")
    try:
        out.write(rendering.kubernetes(named) if options.kubernetes else rendering.rule_file())
    except PackError as error:
        err.write(f"{error}\n")
        return 1
    return 0


def _wrong(options: argparse.Namespace, packs: Sequence[str]) -> Iterable[str]:
    yield from (f"pack {name}: {reason}" for name, reason in check_packs(packs))
    yield from _wrong_settings(dict(options.var), packs)
    if options.runbook_base and (reason := wrong_runbook_base(options.runbook_base)):
        yield f"--runbook-base {options.runbook_base}: {reason}"
    for flag, given in (("--name", options.name), ("--namespace", options.namespace), ("--label", options.label)):
        if given and not options.kubernetes:
            yield f"{flag}: belongs to --kubernetes; add it or leave {flag} out"


def _wrong_settings(values: Mapping[str, str], packs: Sequence[str]) -> Iterable[str]:
    return (f"setting {name}: {reason}" for name, reason in check_variables(values, packs))


def _table(packs: Sequence[str], values: Mapping[str, str]) -> Iterable[str]:
    """Give a line for each setting: name, default, value if another, packs."""
    variables = pack_variables(packs).values()
    rows = [("setting", "default", "set to", "packs")]
    for variable in variables:
        value = values.get(variable.name, "")
        rows.append((variable.name, variable.default, value or "-", ", ".join(variable.packs)))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join((*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3])) + "\n"
