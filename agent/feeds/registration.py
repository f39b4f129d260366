"""What each provider's file says of itself to the catalogue of feeds."""

from dataclasses import dataclass

from wattledger.rules.feeds.model import Measure

from .base import Secret


@dataclass(frozen=True, slots=True)
class FeedKeys:
    """Which configuration keys a kind takes beyond those that all take (kind, zone, poll, max_age).

    Of each group in `one_of` exactly one key must be there. `web` kinds take timeout, url and ca_file too.
    """

    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    measures: tuple[Measure, ...] = (Measure.INTENSITY,)
    web: bool = False


@dataclass(frozen=True, slots=True)
class Wants:
    """What is asked of a provider beyond its own keys.

    `currency` is that of the tariff, for prices. `secret` gives the token or password. `credential` is the same for
    all feeds that share a quota, and tells nothing of the secret.
    """

    measure: Measure
    currency: str = ""
    secret: Secret | None = None
    credential: str = ""
