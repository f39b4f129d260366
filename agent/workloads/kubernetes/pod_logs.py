"""Which pod a uid is of and which container an id is of, as the kubelet's folders of logs tell; it reads no log.

Names are those of the kubelet: `pkg/kubelet/kuberuntime/helpers.go` and `legacy.go`. The list of pod resources has
neither uids nor container ids.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from ..pods import PodContainer

PODS_ROOT = Path("/var/log/pods")
CONTAINERS_ROOT = Path("/var/log/containers")

_MOST_ENTRIES = 20_000  # of one folder
# NAMESPACE_POD_UID; no part may hold an underscore.
_POD = re.compile(r"([^_/]+)_([^_/]+)_([^_/]+)", re.DOTALL)
# POD_NAMESPACE_CONTAINER-ID.log; of a name that was too long for the file system the id is cut, and it is no use.
_CONTAINER = re.compile(r"([^_/]+)_([^_/]+)_([^_/]+)-([0-9a-f]{64})\.log", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LoggedPod:
    """A pod with the containers that ever wrote a log."""

    namespace: str
    pod: str
    containers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PodLogs:
    """Pods by uid, and containers by their id. `problem` is empty where the folders could be read."""

    pods: Mapping[str, LoggedPod] = field(default_factory=dict)
    containers: Mapping[str, PodContainer] = field(default_factory=dict)
    problem: str = ""

    @property
    def knows_all(self) -> bool:
        """Tell whether a pod or container that is not here is none of this kubelet's."""
        return bool(self.pods and self.containers and not self.problem)


@dataclass(frozen=True, slots=True)
class LogFolders:
    """Where the kubelet keeps them."""

    pods: Path = PODS_ROOT
    containers: Path = CONTAINERS_ROOT

    def read(self) -> PodLogs:
        """Give what the folders tell now. One that cannot be read is told of and costs nothing that the other tells.

        It is not of this host's doing where links are missing: without them a uid still finds its pod.
        """
        pods: dict[str, LoggedPod] = {}
        containers: dict[str, PodContainer] = {}
        problems: list[str] = []
        try:
            for namespace, pod, uid in self._pod_names():
                pods[uid] = LoggedPod(namespace, pod, self._containers_of(f"{namespace}_{pod}_{uid}"))
        except OSError as error:
            problems.append(f"{self.pods}: {error.strerror}")
        try:
            containers = {one.container_id: one for one in self._linked()}
        except OSError as error:
            problems.append(f"{self.containers}: {error.strerror}")
        return PodLogs(pods, containers, "; ".join(problems))

    def _pod_names(self) -> Iterator[tuple[str, str, str]]:
        with os.scandir(self.pods) as entries:
            for entry in islice(entries, _MOST_ENTRIES):
                if (match := _POD.fullmatch(entry.name)) and _is_text(entry.name):
                    yield match[1], match[2], match[3]

    def _containers_of(self, folder: str) -> tuple[str, ...]:
        try:
            with os.scandir(self.pods / folder) as entries:
                names = [entry.name for entry in islice(entries, _MOST_ENTRIES) if entry.is_dir()]
        except OSError:  # the pod went away, or its folder is closed: the name of the folder is known
            return ()
        return tuple(sorted(name for name in names if _is_text(name)))

    def _linked(self) -> Iterator[PodContainer]:
        with os.scandir(self.containers) as entries:
            for entry in islice(entries, _MOST_ENTRIES):
                match = _CONTAINER.fullmatch(entry.name)
                if match and _is_text(entry.name):
                    pod, namespace, container, container_id = match.groups()
                    uid = _linked_uid(entry.path, namespace, pod)
                    yield PodContainer(namespace, pod, container, uid, container_id)


def _linked_uid(link: str, namespace: str, pod: str) -> str:
    """Give the uid in what a link points to, POD_FOLDER/CONTAINER/N.log; empty where it does not tell."""
    try:
        target = os.readlink(link)  # noqa: PTH115  (hundreds of them each time, at a tenth of the cost)
    except OSError:
        return ""
    folder = "".join(target.split("/")[-3:-2])
    match = _POD.fullmatch(folder)
    return match[3] if match and match.groups()[:2] == (namespace, pod) and _is_text(folder) else ""


def _is_text(name: str) -> bool:
    """Tell a name of Kubernetes, which is ASCII, from anything else that may lie in a folder."""
    return name.isascii() and name.isprintable()
