"""Numbers on their way out: in sentences and cells, where one rule says what is too small, and in JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any


def in_print(value: float, digits: int = 4) -> str:
    """A number as it is printed: one that is not 0 never reads as 0, and a missing one is a dash.

    Args:
        value: any number.
        digits: decimal places.

    Returns:
        Digits; `<0.001` or `>-0.001` for a number between 0 and the smallest one that has some; `-` for a missing one;
        `∞` for infinity.

    Example:
        >>> in_print(0.25), in_print(0.00001), in_print(-0.00001, 3), in_print(0.0), in_print(float("nan"))
        ('0.2500', '<0.0001', '>-0.001', '0.0000', '-')
    """
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    smallest = 10.0**-digits
    if 0 < abs(value) < smallest / 2:
        return f"{'>-' if value < 0 else '<'}{smallest:.{digits}f}"
    return f"{value + 0.0:.{digits}f}"


def percent(share: float) -> str:
    """A share in words.

    Args:
        share: 1 is all.

    Returns:
        Three significant digits and a percent sign.

    Example:
        >>> percent(0.2), percent(0.125), percent(1 / 3)
        ('20 %', '12.5 %', '33.3 %')
    """
    return f"{100 * share:.3g} %"


def between(names: Iterable[str]) -> str:
    """What stands between names of strangers in a row.

    Args:
        names: all of the row.

    Returns:
        A comma, or a semicolon where a name has a comma of its own.

    Example:
        >>> between(["a", "b"]), between(["a", "b, 4 bits"])
        (', ', '; ')
    """
    return "; " if any("," in each for each in names) else ", "


def listed(names: Sequence[str]) -> str:
    """Names of strangers in a row.

    Example:
        >>> listed(["a", "b, 4 bits"])
        'a; b, 4 bits'
    """
    return between(names).join(names)


def to_json(value: Any) -> Any:
    """Records as plain data for JSON, which has neither NaN nor infinity: what is not finite becomes null.

    A dataclass becomes an object of its fields; a field that is hidden in the `repr` is bulky, and left out.

    Args:
        value: records, mappings, sequences, numpy arrays and scalars, texts, numbers, nested as they like.

    Returns:
        Dictionaries with names for keys, lists, texts, whole and finite numbers, booleans, None.

    Example:
        >>> to_json({"a": (0.5, float("nan")), "b": {"c": float("inf")}})
        {'a': [0.5, None], 'b': {'c': None}}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: to_json(getattr(value, each.name)) for each in fields(value) if each.repr}
    if isinstance(value, Mapping):
        return {str(name): to_json(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(each) for each in value]
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
