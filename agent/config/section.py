"""What every mapping of the configuration is; which there are stands in the schemas."""

from typing import ClassVar

import msgspec


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A mapping of the file. A field's `name` is its key; the attribute carries the unit.

    With `short` a single value may stand for the mapping with that key alone.
    """

    short: ClassVar[str] = ""
    shared: ClassVar[str] = (
        ""  # what it is called where it stands in several places, which a document of its own says
    )
