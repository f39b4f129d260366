"""Which parts of an API a plan does not cover; what the parts are is the provider's."""

from __future__ import annotations

from wattledger.rules.instant import NS_PER_HOUR

_DAY_NS = 24 * NS_PER_HOUR


class Refusals:
    """Remembers for a day what was refused: a plan that grows is seen the next day, and quotas are spared."""

    def __init__(self) -> None:
        self._at_wall_ns: dict[str, int] = {}

    def note(self, part: str, now_wall_ns: int) -> None:
        """Keep that *part* was refused now."""
        self._at_wall_ns[part] = now_wall_ns

    def holds(self, part: str, now_wall_ns: int) -> bool:
        """Tell whether *part* was refused less than a day ago. A clock that was set back ends it too."""
        at = self._at_wall_ns.get(part)
        return at is not None and 0 <= now_wall_ns - at < _DAY_NS
