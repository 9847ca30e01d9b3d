"""Numbers in sentences and cells: one rule for what is too small for its digits."""

from __future__ import annotations

import math


def in_print(value: float, digits: int = 4) -> str:
    """A number as it is printed: one that is not 0 never reads as 0, and a missing one is a dash.

    Args:
        value: any number.
        digits: decimal places.

    Example:
        >>> in_print(0.25), in_print(0.00001), in_print(-0.00001, 3), in_print(0.0), in_print(float("nan"))
        ('0.2500', '<0.0001', '-<0.001', '0.0000', '-')
    """
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    smallest = 10.0**-digits
    if 0 < abs(value) < smallest / 2:
        return f"{'-' if value < 0 else ''}<{smallest:.{digits}f}"
    return f"{value + 0.0:.{digits}f}"
