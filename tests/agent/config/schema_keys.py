"""The keys of the schema as a flat list, for tests that hold documents against them."""

from dataclasses import dataclass
from types import UnionType
from typing import Annotated, get_args, get_origin

import msgspec

from wattledger.agent.config.scalars import WordForNone
from wattledger.agent.config.schema import RESTART_KEYS, Config
from wattledger.agent.config.section import Section


@dataclass(frozen=True)
class KeyRow:
    """What the documentation has to say of one key."""

    path: str
    form: str
    default: str
    applied: str


def key_rows(section: type[Section] = Config, prefix: str = "") -> list[KeyRow]:
    """Give every key that takes a value, in the order of the schema."""
    rows: list[KeyRow] = []
    for info in msgspec.structs.fields(section):
        rows += _rows(info.type, prefix + info.encode_name, info)
    return rows


def _rows(type_: object, path: str, info: msgspec.structs.FieldInfo) -> list[KeyRow]:
    plain = path.replace("[]", "")  # of a list each entry is applied as the list is
    applied = "restart" if any(f"{plain}.".startswith(f"{key}.") for key in RESTART_KEYS) else "reload"
    if get_origin(type_) is Annotated:
        inner, mark = get_args(type_)
        if isinstance(mark, WordForNone):
            item = get_args(get_args(get_args(inner)[0])[0])[1]
            return [KeyRow(path, f"{mark.word} or list of: {item.form}", mark.word, applied)]
        return [KeyRow(path, mark.form, _default(info, mark.show), applied)]
    if get_origin(type_) is UnionType:
        type_ = get_args(type_)[0]
    if isinstance(type_, type) and issubclass(type_, Section):
        return [KeyRow(path, type_.shared, "null", applied)] if type_.shared else key_rows(type_, path + ".")
    if get_origin(type_) is not tuple:
        return _keyed(get_args(type_)[1], path)
    item = get_args(type_)[0]
    if isinstance(item, type) and issubclass(item, Section):
        if item.shared:
            return [KeyRow(path, f"list of: {item.shared}", "[]", applied)]
        return key_rows(item, path + "[].")
    return [KeyRow(path, f"list of: {get_args(item)[1].form}", _default(info, _shown_list), applied)]


def _keyed(item: object, path: str) -> list[KeyRow]:
    if isinstance(item, type) and issubclass(item, Section):
        return key_rows(item, path + ".UUID.")
    return [KeyRow(f"{path}.NAME", get_args(item)[1].form, "empty", "reload")]


def _shown_list(items: tuple[object, ...]) -> str:
    return f"[{', '.join(map(str, items))}]"


def _default(info: msgspec.structs.FieldInfo, show: object) -> str:
    if info.required:
        return "required"
    if info.default is None:
        return "null"
    if info.default == "":
        return "empty"
    assert callable(show)
    return str(show(info.default))
