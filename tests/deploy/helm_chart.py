"""The chart as Helm renders it, and what is looked for in its objects."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy/helm/wattledger"
SYNC = ROOT / "deploy/helm/sync"
VALUES = Path(__file__).parent / "values"
CASES = tuple(sorted(path.stem for path in VALUES.glob("*.yaml")))
OF_THE_OPERATOR = "monitoring.coreos.com/v1"

Manifest = dict[str, Any]


def values(case: str) -> dict[str, Any]:
    """Give one of the values files, read as Helm reads it."""
    return helm_python.values_from_yaml((VALUES / f"{case}.yaml").read_text())


def rendered(
    given: Mapping[str, Any], *, chart: Path = CHART, release: str = "wattledger", namespace: str = "energy"
) -> list[Manifest]:
    """Give every object of a release."""
    with helm_python.Chart.load(chart) as loaded:
        texts = loaded.render(dict(given), name=release, namespace=namespace)
    found = (one for name, text in texts.items() if name.endswith(".yaml") for one in yaml.safe_load_all(text))
    return [one for one in found if one is not None]


@cache
def objects(case: str) -> Sequence[Manifest]:
    """Give every object of a release with the values of *case*; not to be changed."""
    return rendered(values(case))


def of_kind(kind: str, among: Sequence[Manifest]) -> list[Manifest]:
    """Give the objects of one kind."""
    return [one for one in among if one["kind"] == kind]


def only(kind: str, among: Sequence[Manifest]) -> Manifest:
    """Give the one object of a kind."""
    found = of_kind(kind, among)
    assert len(found) == 1, [one["metadata"]["name"] for one in found]
    return found[0]


def pod(among: Sequence[Manifest]) -> Manifest:
    """Give the pod's template."""
    template: Manifest = only("DaemonSet", among)["spec"]["template"]
    return template


def container(among: Sequence[Manifest]) -> Manifest:
    """Give the one container."""
    (found,) = pod(among)["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def configuration(among: Sequence[Manifest], folder: Path) -> Path:
    """Write what is mounted at /etc/wattledger into *folder*; give the configuration's path."""
    (volume,) = (one for one in pod(among)["spec"]["volumes"] if one["name"] == "config")
    (mounted,) = (
        one for one in of_kind("ConfigMap", among) if one["metadata"]["name"] == volume["configMap"]["name"]
    )
    for name, text in mounted["data"].items():
        (folder / name).write_text(text)
    return folder / "wattledger.yaml"


def sync_into(chart: Path) -> None:
    """Write what the chart takes from elsewhere into another folder."""
    command = str(Path(sys.executable).with_name("wattledger"))
    subprocess.run(
        [str(SYNC), str(chart)],
        env=os.environ | {"WATTLEDGER": command},
        check=True,
        capture_output=True,
        timeout=120,
    )


def texts_below(folder: Path) -> dict[str, str]:
    """Give the text of each file of a folder."""
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def keys_below(tree: object, path: str = "") -> Iterator[str]:
    """Give every key of a tree, with the way to it."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield f"{path}{key}"
            yield from keys_below(value, f"{path}{key}.")
    elif isinstance(tree, list):
        for value in tree:
            yield from keys_below(value, f"{path}[].")
