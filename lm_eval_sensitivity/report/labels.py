"""Names in a column beside a drawing, each with a line to its mark: no name on another one, no line across another."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

MOST_ROUNDS = 200
"""Every exchange makes the lines shorter, so that it ends; this is for rounding."""
Place = tuple[float, float]


def beside(marks: Sequence[Place], sizes: Sequence[float], x: float, low: float, high: float) -> list[float]:
    """Heights of names in a column.

    Args:
        marks: where the lines begin.
        sizes: room that each name needs upwards.
        x: where the column is, right of all marks.
        low: lower end of the column.
        high: upper end.

    Returns:
        [mark] the middle of its name.

    Example:
        >>> beside([(0, 5), (8, 6)], [2, 2], 10, 0, 10)
        [4.5, 6.5]
    """
    order = sorted(range(len(marks)), key=lambda each: (marks[each][1], marks[each][0]))
    heights = [marks[each][1] for each in order]
    for _ in range(MOST_ROUNDS):
        ys = spread(heights, [sizes[each] for each in order], low, high)
        ends = [(marks[each], (x, y)) for each, y in zip(order, ys, strict=True)]
        crossing = next(
            ((i, j) for i, j in combinations(range(len(order)), 2) if _cross(*ends[i], *ends[j])), None
        )
        if crossing is None:
            break
        i, j = crossing
        order[i], order[j] = order[j], order[i]
    found = [0.0] * len(marks)
    for each, y in zip(order, ys, strict=True) if marks else ():
        found[each] = y
    return found


def _cross(a: Place, b: Place, c: Place, d: Place) -> bool:
    """Whether a line from a to b and one from c to d cross between their ends."""
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Place, b: Place, at: Place) -> float:
    return (b[0] - a[0]) * (at[1] - a[1]) - (b[1] - a[1]) * (at[0] - a[0])


def spread(places: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Places for labels that do not overlap, each as near to its own as its neighbors allow.

    Args:
        places: where labels would stand, in rising order.
        sizes: how much room each needs.
        low: lower end.
        high: upper end.

    Returns:
        [label] its middle; where there is not enough room, all are packed closer in proportion.

    Example:
        >>> spread([0.5, 0.5], [0.2, 0.2], 0.0, 1.0)
        [0.4, 0.6]
    """
    total = sum(sizes)
    scale = min(1.0, (high - low) / total) if total else 1.0
    room = [size * scale for size in sizes]
    blocks: list[tuple[float, float, list[int]]] = []
    for index, place in enumerate(places):
        center, size, members = place, room[index], [index]
        while True:
            center = min(max(center, low + size / 2), high - size / 2)
            if not blocks or blocks[-1][0] + blocks[-1][1] / 2 <= center - size / 2 + 1e-12:
                break
            before = blocks.pop()
            center = (before[0] * before[1] + center * size) / (before[1] + size)
            size += before[1]
            members = before[2] + members
        blocks.append((center, size, members))
    found = [0.0] * len(places)
    for center, size, members in blocks:
        edge = center - size / 2
        for index in members:
            found[index] = round(edge + room[index] / 2, 9)
            edge += room[index]
    return found
