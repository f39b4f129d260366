"""Units as Grafana names them; where it has none, a suffix."""

from collections.abc import Mapping
from types import MappingProxyType

WATTS = "watt"
KILOWATT_HOURS = "kwatth"
JOULES = "joule"
GRAMS = "massg"
RATIO = "percentunit"
SECONDS = "s"
HOURS = "h"
BYTES = "bytes"
HERTZ = "hertz"
CELSIUS = "celsius"
COUNT = "short"
UNIX_SECONDS = "dateTimeFromNow"  # of milliseconds
PER_SECOND = "cps"
TOKENS_PER_SECOND = "suffix: tokens/s"
GRAMS_PER_HOUR = "suffix: g/h"
GRAMS_PER_KWH = "suffix: g/kWh"
# Grafana puts no variable into a unit: the amount is plain, its currency stands in title and legend, and a legend
# that ends in a code that Grafana has a sign for gets it.
MONEY = "short"
SIGNS: Mapping[str, str] = MappingProxyType(
    {
        code: f"currency{code}"
        for code in ("USD", "EUR", "GBP", "JPY", "CHF", "SEK", "NOK", "DKK", "PLN", "CZK", "INR", "KRW")
    }
    | {"CNY": "currency:CN¥"}
)
