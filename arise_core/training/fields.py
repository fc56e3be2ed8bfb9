"""Settings as tables of a recipe: how fields are declared and checked, read from plain values and written.

A class of settings is a frozen dataclass under `Table`. A table in a recipe changes what it names and leaves all else.
Numbers that are rarely changed are *details*: recipes and cards hold them only where they differ from their default,
so that neither swells. Hence a default of a detail may not change without a change of what old cards mean.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from arise_core.errors import InputError

T = TypeVar("T")

#: Metadata of fields: whether it is a detail, and a check that says what a value must be, "" for a good one.
DETAIL = "detail"
CHECK = "check"
#: Metadata of a table in a table that is a detail.
AS_DETAIL = {DETAIL: True}
Check = Callable[[Any], str]


# --- fields ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Table:
    """Settings whose fields check themselves; see `share`, `span` and the others."""

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            wrong = f.metadata[CHECK](value) if CHECK in f.metadata else ""
            if wrong:
                raise InputError(f"`{f.name}` must be {wrong}, got {value!r}")


def declared(default: Any, check: Check, *, detail: bool = True) -> Any:
    """A field of a `Table`.

    Args:
        default: value.
        check: says of a value what it must be; "" for a good one.
        detail: written only where it differs from the default.
    """
    return field(default=default, metadata={DETAIL: detail, CHECK: check})


def share(default: float, *, detail: bool = True) -> Any:
    """A probability or share, 0 to 1."""
    return declared(default, lambda v: "" if 0 <= v <= 1 else "in [0, 1]", detail=detail)


def at_least(low: float, default: float, *, detail: bool = True) -> Any:
    """A number that is `low` or more."""
    return declared(default, lambda v: "" if v >= low else f"at least {low:g}", detail=detail)


def positive(default: float, *, detail: bool = True) -> Any:
    """A number above 0."""
    return declared(default, lambda v: "" if v > 0 else "positive", detail=detail)


def span(low: float, high: float, *, least: float | None = None, detail: bool = True) -> Any:
    """A range (low, high); whole numbers include both ends.

    Args:
        low, high: default.
        least: smallest `low` that is allowed.
        detail: as `declared`.
    """

    def check(v: tuple[float, float]) -> str:
        if v[0] > v[1]:
            return "a range, the smaller number first"
        return "" if least is None or v[0] >= least else f"a range from {least:g} at least"

    return declared((low, high), check, detail=detail)


def weights(*default: float) -> Any:
    """Probabilities that add up to 1."""

    def check(v: tuple[float, ...]) -> str:
        return "" if v and min(v) >= 0 and abs(sum(v) - 1) < 1e-9 else "probabilities that add up to 1"

    return declared(default, check)


def several(*default: float, low: float) -> Any:
    """Values that are drawn from, each `low` or more; one that stands there twice is drawn twice as often."""
    return declared(default, lambda v: "" if v and min(v) >= low else f"one or more numbers from {low:g}")


# --- reading ----------------------------------------------------------------------------------------------------


def from_plain(base: T, data: Any, where: str) -> T:
    """Settings with the values of a table in place of their own.

    Args:
        base: settings of the class, such as its defaults.
        data: of the TOML file or the card.
        where: name of the table, for messages.

    Raises:
        InputError: an unknown key, or a value of the wrong type or out of range.
    """
    values = values_of(type(base), data, where, base)
    try:
        return replace(base, **values)  # type: ignore[type-var]
    except InputError as error:
        raise InputError(f"[{where}] {error}") from error


def values_of(cls: type, data: Any, where: str, base: Any = None) -> dict[str, Any]:
    """Values for the fields of a settings class from a table, tables in it included; all else as `from_plain`."""
    hints = get_type_hints(cls)
    known = {f.name: hints[f.name] for f in fields(cls)}
    check_keys(data, known, where)
    return {k: _value(known[k], v, _key(where, k), getattr(base, k, None)) for k, v in data.items()}


def check_keys(data: Any, known: Any, where: str) -> None:
    """Raise InputError unless `data` is a table and all its keys are known."""
    if not isinstance(data, dict):
        raise InputError(f"`{where}` must be a table, got {data!r}")
    for key in data:
        if key not in known:
            raise InputError(f"unknown key `{_key(where, key)}`; known are {sorted(known)}")


def _key(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


def _value(hint: Any, value: Any, where: str, base: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint):
        if isinstance(value, hint):  # type: ignore[arg-type]
            return value
        return from_plain(base, value, where)
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is dict:
        if not isinstance(value, dict):
            raise InputError(f"`{where}` must be a table, got {value!r}")
        return {k: _value(arguments[1], v, _key(where, k), None) for k, v in value.items()}
    if origin is Literal and value not in arguments:
        raise InputError(f"`{where}` must be one of {arguments}, got {value!r}")
    if hint in (int, float, bool, str):
        number = hint is float and isinstance(value, int) and not isinstance(value, bool)
        if not number and type(value) is not hint:
            raise InputError(f"`{where}` must be of type {hint.__name__}, got {value!r}")
    return value


def _tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    endless = arguments[-1] is Ellipsis
    if not isinstance(value, (list, tuple)) or not (endless or len(value) == len(arguments)):
        wanted = "a list" if endless else f"a list of {len(arguments)}"
        raise InputError(f"`{where}` must be {wanted}, got {value!r}")
    of = [arguments[0]] * len(value) if endless else arguments
    return tuple(_value(hint, v, where, None) for hint, v in zip(of, value, strict=True))


# --- writing ----------------------------------------------------------------------------------------------------


def to_plain(settings: Any, base: Any, *, complete: bool = False) -> dict[str, Any]:
    """Plain types only; `from_plain` on the same `base` is the inverse.

    Args:
        settings: what to write.
        base: of the same class; details that equal those of it are left out.
        complete: leave out nothing.
    """
    out: dict[str, Any] = {}
    for f in fields(settings):
        value, default = getattr(settings, f.name), getattr(base, f.name)
        if f.metadata.get(DETAIL) and not complete and value == default:
            continue
        out[f.name] = (
            to_plain(value, default, complete=complete) if dataclasses.is_dataclass(value) else value
        )
    return out
