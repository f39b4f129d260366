"""Real programs that tests need: found, or skipped with the reason; in CI a missing one is a failure."""

import os
import shutil

import pytest


def need(program: str, package: str) -> str:
    """Give the path of *program*; skip the test where it is not installed, fail it in CI."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if path is None:
        reason = f"{program} is not installed; `make servers` as root installs the package {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
