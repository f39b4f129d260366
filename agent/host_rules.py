"""The rules of this host as its configuration has them: a rule thread, or none and nothing of it loaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from wattledger.exporter.rules_health import RulesHealth

if TYPE_CHECKING:
    from wattledger.exporter.snapshot import Snapshot
    from wattledger.rules.instant import Instant

    from .clock import Clock
    from .config import Config
    from .ledger import Ledger
    from .ruler.ruler import Ruler
    from .ruler.settings import RulePlan

logger = logging.getLogger(__name__)

_NO_RULES = RulesHealth()


class HostRules:
    """Starts the rule thread when there are rules, and stands between it and the tick thread, which owns this."""

    def __init__(
        self,
        *,
        clock: Clock,
        ledger: Ledger,
        snapshot: Callable[[], Snapshot | None],
        host_name: str,
        page_url: Callable[[], str],
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._snapshot = snapshot
        self._host_name = host_name
        self._page_url = page_url
        self._ruler: Ruler | None = None

    def prepare(self, config: Config) -> RulePlan | None:
        """Read the rules of *config*, None where it has none now and had none before. Raises ConfigError."""
        if not config.rules.packs and not config.rules.files and self._ruler is None:
            return None
        from .ruler.plan import plan_of  # noqa: PLC0415  (3 MB that a host without rules does not need)

        return plan_of(config, host_name=self._host_name, page_url=self._page_url())

    def apply(self, plan: RulePlan | None) -> None:
        """Evaluate by *plan* from now on."""
        if plan is None:
            return
        for warning in plan.warnings:
            logger.warning("%s", warning)
        if self._ruler is None:
            from .ruler.ruler import Ruler  # noqa: PLC0415  (as above)

            self._ruler = Ruler(plan, clock=self._clock, ledger=self._ledger, snapshot=self._snapshot)
            self._ruler.start()
        else:
            self._ruler.apply(plan)

    def health(self) -> RulesHealth:
        """Give what the page shows of rules."""
        return _NO_RULES if self._ruler is None else self._ruler.health()

    def store(self, now: Instant) -> None:
        """Store what the rule thread waits for. Called by the tick thread at each look."""
        if self._ruler is not None and (memories := self._ruler.unsaved()) is not None:
            self._ledger.commit({}, (), now, alerts=memories)
            self._ruler.saved(memories)

    def close(self) -> None:
        """Stop evaluating, store the last state, let receivers hear what waits for them."""
        if self._ruler is not None:
            self._ruler.close()
            self.store(self._clock.now())
