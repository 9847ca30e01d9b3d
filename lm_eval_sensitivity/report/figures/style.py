"""How every figure looks, and how it becomes files: readable without color, the same bytes every time.

A figure module describes a `Picture`: words, size, and a function that draws. `render` makes of it an
inline SVG whose colors can follow the page's (dark mode), and an SVG and a PNG file that stand alone.

Texts stay texts in SVG: they can be searched, read aloud, and are a quarter of the size of paths. They are
measured in a wide font, so that a reader's own sans serif fits. Mathematical markup is off: names of
systems come from strangers, and a dollar sign in one is a dollar sign.
"""

from __future__ import annotations

import io
import math
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.report.marks import MARKS
from lm_eval_sensitivity.report.shades import SHADES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Figure
    from matplotlib.transforms import Bbox

INK, MUTED, GRID, PAPER, ACCENT = "#1b1f24", "#5c6570", "#d5dae0", "#fffffe", "#9a3412"
"""Colors of lines and letters."""
_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper", ACCENT: "--accent"}
_PAIRS = [
    *((mark.light, mark.dark) for mark in MARKS.values()),
    *((shade.light, shade.dark) for shade in SHADES),
    *((shade.light_letters, shade.dark_letters) for shade in SHADES),
]
ON_THE_PAGE = {light: f"light-dark({light}, {dark})" for light, dark in _PAIRS} | {
    color: f"var({name})" for color, name in _VARIABLES.items()
}
"""What each color is in the page's style sheet, where it can be another in the dark."""

FULL_WIDTH = 7.2
"""Inches; a figure of this width has 12-pixel letters on the page."""
LINE = 0.16
"""Inches of one line of text."""
PANEL_COLUMNS = 3
"""Panels beside each other at most; fewer are wider."""

DPI = 160
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_SETTINGS: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "text.parse_math": False,
    "text.usetex": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": PAPER,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "hatch.linewidth": 0.7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Caption:
    """The words below a figure."""

    shows: str
    n: str
    """How many prompts and pairs stand behind it, and what became of the others."""
    could_fake: str
    """What would make the same picture without what one would read from it."""


@dataclass(frozen=True)
class Picture:
    """One figure, not drawn yet."""

    name: str
    """File name without its ending."""
    title: str
    caption: Caption
    size: tuple[float, float]
    """Inches, width and height."""
    draw: Callable[[Figure], None]


@dataclass(frozen=True)
class NotDrawn:
    """A figure that these runs cannot have."""

    name: str
    title: str
    reason: str
    """A whole sentence."""


@dataclass(frozen=True)
class Drawn:
    """One figure in its three forms."""

    picture: Picture
    inline: str
    """`<svg>` for the page: ids begin with the figure's name; `page_rules` makes colors follow the page."""
    svg: bytes
    png: bytes


def check_matplotlib() -> None:
    """Refuse with a remedy where the drawing library is missing.

    Raises:
        InputError: it is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError(
            "Figures need matplotlib, which is not installed. Install it with "
            '`pip install "lm-eval-sensitivity[report]"`.'
        ) from None


def render(picture: Picture, foot: str) -> Drawn:
    """Draw a figure in all its forms.

    Args:
        picture: what to draw.
        foot: the signature, for the files, which stand alone.

    Returns:
        The figure for the page; and as SVG and PNG files, with title, counts and foot in them.
    """
    with _settings(picture.name):
        figure = _laid_out(picture)
        # What was laid out once is the same in all forms. With an engine, even with "none", every form is drawn twice.
        figure.set_layout_engine(None)
        _pin_legends(figure)
        inline = _inline(_saved(figure, "svg"), picture)
        box = _frame(figure, picture, foot)
        return Drawn(picture, inline, svg=_saved(figure, "svg", box), png=_saved(figure, "png", box))


def figure_of(picture: Picture) -> Figure:
    """A figure to be looked at or saved by whoever asked for it.

    Args:
        picture: what to draw.

    Returns:
        A matplotlib figure that belongs to no window.

    Raises:
        InputError: matplotlib is not installed.
    """
    check_matplotlib()
    with _settings(picture.name):
        return _laid_out(picture)


def _laid_out(picture: Picture) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Figure

    figure = Figure(figsize=picture.size, layout="constrained")
    FigureCanvasAgg(figure)
    picture.draw(figure)
    _plain_powers(figure)
    figure.draw_without_rendering()
    return figure


def _plain_powers(figure: Figure) -> None:
    """Numbers on logarithmic axes as numbers: the library would write powers in its mathematical markup."""
    from matplotlib.ticker import FuncFormatter, LogFormatterMathtext, NullFormatter

    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
            axis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())


def _pin_legends(figure: Figure) -> None:
    """A legend outside the axes clings to the edge of the figure, and the frame below moves that edge."""
    for legend in figure.legends:
        place = legend.get_window_extent().transformed(figure.transFigure.inverted())
        legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
        legend.set_loc((place.x0, place.y0))


def _saved(figure: Figure, form: str, box: Bbox | None = None) -> bytes:
    stream = io.BytesIO()
    figure.savefig(
        stream,
        format=form,
        dpi=DPI,
        bbox_inches=box,
        # Dates and versions would make other bytes of the same figure.
        metadata={"Date": None, "Creator": None} if form == "svg" else {"Software": None},
    )
    return stream.getvalue()


@contextmanager
def _settings(salt: str) -> Iterator[None]:
    import matplotlib

    settings: Any = {**_SETTINGS, "svg.hashsalt": salt}
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Somebody's own matplotlibrc must not change a report.
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(settings)
        # A name in a script that the measuring font lacks: a browser has another font for it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _frame(figure: Figure, picture: Picture, foot: str) -> Bbox:
    """Title, n and signature around a figure that leaves its page; the box that holds it all, in inches."""
    from matplotlib.transforms import Bbox

    width, height = picture.size
    letters = int(width * 16)
    lines = [
        line
        for part in (picture.caption.n, f"Signature: {foot}")
        for line in textwrap.wrap(part, letters, break_on_hyphens=False)
    ]
    figure.text(0.1 / width, 1 + 0.12 / height, picture.title, ha="left", va="bottom", fontsize=11)
    figure.text(0.1 / width, -0.1 / height, "\n".join(lines), ha="left", va="top", fontsize=6.5, color=MUTED)
    return Bbox([[-0.1, -0.25 - 0.125 * len(lines)], [width + 0.1, height + 0.45]])


def _inline(svg: bytes, picture: Picture) -> str:
    """The picture for the page: no style sheet and no metadata of its own, but ids of its own."""
    ElementTree.register_namespace("", _SVG)
    root = ElementTree.fromstring(svg)  # noqa: S314 - our own bytes, written a moment ago
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        _adopt(element, f"{picture.name}-")
    box = root.attrib["viewBox"].split()
    pixels = [round(float(points) * 4 / 3) for points in box[2:]]
    root.attrib |= {"width": str(pixels[0]), "height": str(pixels[1]), "role": "img"}
    title = ElementTree.Element(f"{{{_SVG}}}title")
    title.text = picture.title
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode")


def _adopt(element: ElementTree.Element, prefix: str) -> None:
    for name, value in list(element.attrib.items()):
        if name == "id":
            element.attrib[name] = prefix + value
        elif name in ("href", f"{{{_XLINK}}}href"):
            del element.attrib[name]
            element.attrib["href"] = value.replace("#", f"#{prefix}")
        else:
            element.attrib[name] = value.replace("url(#", f"url(#{prefix}")


def page_rules() -> str:
    """Rules for a style sheet, by which drawn colors follow the page; a reader without them sees the light ones.

    They name no ancestor: a marker is drawn by `<use>`, in a tree of its own that `svg [...]` does not reach.

    Returns:
        CSS, a line per color and property.
    """
    return "\n".join(
        f'[style*="{paint}: {color}"], [{paint}="{color}"] {{ {paint}: {value} !important; }}'
        for color, value in ON_THE_PAGE.items()
        for paint in ("fill", "stroke")
    )


# ---- pieces that figures share


def wrapped(name: str, letters: int = 26) -> str:
    """A name over as many lines as it needs; nothing is cut, because two names may differ in their last letter.

    Args:
        name: of a system.
        letters: most in a line.

    Returns:
        The name with line breaks, after hyphens, underscores, slashes and spaces where it has them.

    Example:
        >>> print(wrapped("a-rather-long-name-7b", 12))
        a-rather-
        long-name-7b
    """
    lines = [""]
    for piece in re.findall(rf"[^-_/ ]{{1,{letters - 1}}}[-_/ ]?|[-_/ ]", name):
        if len(lines[-1]) + len(piece.rstrip()) > letters:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def panels(figure: Figure, names: Sequence[str], *, across: str = "", up: str = "") -> list[Axes]:
    """One axes per system with shared scales, in reading order, each under the name of its system.

    Limits of a shared scale are set once, after all panels are drawn: setting them ends their adjustment.

    Args:
        figure: without axes.
        names: of the systems.
        across: label of the horizontal axis.
        up: label of the vertical axis.

    Returns:
        [system] the axes.
    """
    columns = columns_of(names)
    rows = -(-len(names) // columns)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    for index, (axes, name) in enumerate(zip(grid, names, strict=False)):
        axes.set_title(wrapped(name, _letters(names)), loc="left")
        # The lowest panel of its column has the numbers, also where the last row is not full.
        lowest = index + columns >= len(names)
        axes.tick_params(labelbottom=lowest)
        axes.set_xlabel(across if lowest else "")
    figure.supylabel(up, fontsize=9)
    return list(grid[: len(names)])


def panels_size(names: Sequence[str], row: float = 1.75, foot: float = 0.5) -> tuple[float, float]:
    """Size of a figure of `panels`.

    Args:
        names: of the systems.
        row: inches of a row of panels, without long names.
        foot: inches below all of them.

    Returns:
        (width, height) in inches.
    """
    columns, letters = columns_of(names), _letters(names)
    rows = [names[start : start + columns] for start in range(0, len(names), columns)]
    lines = sum(max(wrapped(name, letters).count("\n") for name in each) for each in rows)
    # A panel that is wide alone would look flat.
    return FULL_WIDTH, (row + (0.4 if columns == 1 else 0)) * len(rows) + foot + lines * LINE


def columns_of(names: Sequence[str]) -> int:
    """Panels beside each other, so that they fill the width."""
    return min(PANEL_COLUMNS, max(len(names), 1))


def _letters(names: Sequence[str]) -> int:
    return 90 // columns_of(names)


def span_line(axes: Axes, at: float, interval: Any, end: float, *, across: bool, color: str = INK) -> None:
    """The line of an interval; an arrow ends one that goes on beyond the axis.

    Args:
        axes: to draw on.
        at: where, on the other axis.
        interval: with its bounds; none is drawn for NaN.
        end: of the axis along which it lies.
        across: whether that is the horizontal one.
        color: of the line.
    """
    if not interval.upper >= interval.lower:
        return
    ends = [interval.lower, min(interval.upper, end)]
    axes.plot(*((ends, [at, at]) if across else ([at, at], ends)), color=color, linewidth=1.1)
    if interval.upper > end:
        place = (end, at) if across else (at, end)
        arrow = ">" if across else "^"
        axes.plot(*([each] for each in place), marker=arrow, markersize=5, color=color, clip_on=False)


def interval_bar(axes: Axes, x: float, interval: Any, end: float = math.inf, **look: Any) -> None:
    """A mean with its interval, upright; a mean without one is hollow.

    Args:
        axes: to draw on.
        x: where.
        interval: estimate and bounds.
        end: of the vertical axis; an arrow ends an interval that goes on beyond it.
        **look: `color`, `marker`, `size`, `hollow`.
    """
    known = interval.upper >= interval.lower
    span_line(axes, x, interval, end, across=False, color=look.get("color", INK))
    axes.plot(
        [x],
        [interval.estimate],
        linestyle="none",
        markerfacecolor=look.get("color", INK) if known and not look.get("hollow") else PAPER,
        markeredgecolor=look.get("color", INK),
        marker=look.get("marker", "o"),
        markersize=look.get("size", 4.5),
    )


def legend_below(figure: Figure, entries: Sequence[tuple[dict[str, Any], str]], columns: int = 3) -> None:
    """A legend under the whole figure, of looks and words.

    Args:
        figure: with its axes.
        entries: (properties of a line or, with a `facecolor`, of a patch; words).
        columns: entries beside each other.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Patch(label=words, **look) if "facecolor" in look else Line2D([], [], label=words, **look)
        for look, words in entries
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=columns, handlelength=2.2)


def prompts_and_pairs(counts: Sequence[Any]) -> str:
    """How many prompts and pairs stand behind a figure.

    Args:
        counts: `PairCounts`, one per system.

    Returns:
        One phrase; a span where systems differ, `nothing` without any.

    Example:
        >>> from lm_eval_sensitivity.stats import PairCounts
        >>> print(prompts_and_pairs([PairCounts(9, 0, 30, 0, 0, 0), PairCounts(9, 0, 24, 6, 0, 0)]))
        9 prompts, 24 to 30 pairs scored, 0 to 6 erased, 0 unscored per system
    """
    if not counts:
        return "nothing"

    def span(field: str) -> str:
        values = [getattr(each, field) for each in counts]
        return f"{min(values)}" if min(values) == max(values) else f"{min(values)} to {max(values)}"

    return (
        f"{span('n_prompts')} prompts, {span('n_pairs')} pairs scored, {span('n_erased')} erased, "
        f"{span('n_unscored')} unscored per system"
    )
