"""Why a rule could not be evaluated; what is done about it is decided elsewhere."""


class RuleFailedError(Exception):
    """A rule gives no result this time; its series and alerts stay as they were, unless a limit was passed."""

    def __init__(self, reason: str, *, drops_alerts: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.drops_alerts = drops_alerts
