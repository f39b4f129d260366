"""The parts of a time that templates may ask for, such as .Hour of toTime; how times print is not its matter."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .values import Moment, Value

TIME_FIELDS: Mapping[str, Callable[[Moment], Value]] = MappingProxyType(
    {
        "Unix": lambda moment: moment.wall_ms // 1000,
        "UnixMilli": lambda moment: moment.wall_ms,
        "Year": lambda moment: moment.calendar().year,
        "Day": lambda moment: moment.calendar().day,
        "Hour": lambda moment: moment.calendar().hour,
        "Minute": lambda moment: moment.calendar().minute,
        "Second": lambda moment: moment.calendar().second,
        "YearDay": lambda moment: moment.calendar().timetuple().tm_yday,
        "Month": lambda moment: f"{moment.calendar():%B}",
        "Weekday": lambda moment: f"{moment.calendar():%A}",
        "String": str,
        "UTC": lambda moment: moment,
    }
)
