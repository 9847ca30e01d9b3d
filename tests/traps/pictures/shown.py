"""What every trap's module gives, and the marks that the pictures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.report.figures.style import FULL_WIDTH, INK, MUTED, PAPER, Caption, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tests.running import Run

Numbers = dict[str, Any]

NAIVE = {"facecolor": PAPER, "edgecolor": INK, "hatch": "...."}
"""Bars of the naive probe."""
SUITE = {"facecolor": MUTED, "edgecolor": INK}
"""Bars of the suite."""
ERASED = {"facecolor": PAPER, "edgecolor": MUTED, "hatch": "////", "linewidth": 0.5}
"""What has no number."""

FOOT = f"python -m tests.traps.pictures; models made for the trap, run by lm_eval; lm-eval-sensitivity {__version__}"


@dataclass(frozen=True)
class Shown:
    """One trap, measured."""

    numbers: Numbers
    picture: Picture


def picture(name: str, title: str, n: str, height: float, draw: Callable[[Figure], None]) -> Picture:
    """A picture for the page, which has the words itself."""
    return Picture(name, title, Caption("", n, ""), (FULL_WIDTH, height), draw)


def bars(axes: Axes, words: Sequence[str], values: Sequence[float], look: Numbers, digits: int = 3) -> None:
    """Upright bars with their numbers, so that a bar of no height is seen, too."""
    places = range(len(values))
    axes.bar(places, values, width=0.6, linewidth=0.9, **look)
    axes.set_xticks(places, words)
    axes.grid(visible=False, axis="x")
    for place, value in zip(places, values, strict=True):
        axes.annotate(
            f"{value:.{digits}f}", (place, value), (0, 2), textcoords="offset points", ha="center", fontsize=8
        )
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.15)


def claim(words: str, holds: bool) -> str:
    """Words of a picture that say more than a number, if they are true: else there is no picture.

    Raises:
        ValueError: they are not.
    """
    if not holds:
        raise ValueError(f"a picture would say {words!r}, and the numbers do not")
    return words


def words_of(run: Run, *parts: str) -> list[str]:
    """For each of some words the first line of the last screen that holds them: the page quotes it."""
    found = [[line for line in run.last_screen if part in line] for part in parts]
    assert all(found), run.output
    return [lines[0] for lines in found]


def headline(axes: Axes, who: str, says: str) -> None:
    """Who speaks above a panel, and what is said; panels side by side need the same number of lines."""
    axes.set_title(f"{who}\n{says}", loc="left", fontsize=8.5)
