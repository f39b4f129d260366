"""What holds for every test."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes depends on what else the machine does: timing is the business of the benchmark.
settings.register_profile("wattledger", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wattledger")


@pytest.fixture(autouse=True)
def _logging_stays_as_it_was() -> Iterator[None]:
    """Undo what a command run in this process sets up: its log level is nothing to the tests after it."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    # Those of pytest are of kinds of their own, and change with the phase of the test.
    for handler in [one for one in root.handlers if type(one) is logging.StreamHandler and one not in handlers]:
        root.removeHandler(handler)
