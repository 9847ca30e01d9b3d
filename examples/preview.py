"""Draw the picture that a link to the page shows elsewhere: two answers that part, and no result of anybody.

    python examples/preview.py

Writes `lm_eval_sensitivity/space/preview.png`. Needs `pip install "lm-eval-sensitivity[report]"`.
"""

from __future__ import annotations

import io
from pathlib import Path

TARGET = Path(__file__).parents[1] / "lm_eval_sensitivity" / "space" / "preview.png"
WIDTH, HEIGHT, DOTS_PER_INCH = 1200, 630, 100
COLORS = 32
PAPER, INK, MUTED, FIRST, SECOND = "#14171a", "#e6e9ed", "#a9b3bd", "#79b8f2", "#f0a070"


def draw() -> bytes:
    """The picture as a PNG of few colors."""
    import matplotlib

    matplotlib.use("Agg")
    import numpy as np
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(
        figsize=(WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH), dpi=DOTS_PER_INCH, facecolor=PAPER
    )
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    axes.axis("off")
    along = np.linspace(0, 1, 200)
    start, parting, end, middle = 80, 480, 1120, 170
    away = np.maximum(0, start + along * (end - start) - parting)
    for color, side in ((FIRST, 1), (SECOND, -1)):
        waves = 14 * np.sin(away / 42 * (1 + 0.2 * side)) * np.minimum(1, away / 200)
        axes.plot(
            start + along * (end - start),
            middle + side * (2 + 0.14 * away) + waves,
            color=color,
            lw=6,
            solid_capstyle="round",
        )
    axes.plot([parting], [middle], "o", color=INK, ms=13)
    axes.text(80, 500, "Prompt sensitivity", color=INK, fontsize=46, fontweight="bold", va="center")
    axes.text(80, 418, "How far does an answer move", color=MUTED, fontsize=30, va="center")
    axes.text(80, 362, "when its prompt barely changes?", color=MUTED, fontsize=30, va="center")
    axes.text(80, middle + 60, "Why is the sky blue?", color=FIRST, fontsize=21, va="center")
    axes.text(80, middle - 60, "Why is the sky  blue?", color=SECOND, fontsize=21, va="center")
    stream = io.BytesIO()
    figure.savefig(stream, format="png", facecolor=PAPER)
    small = io.BytesIO()
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    TARGET.write_bytes(draw())
    print(f"{TARGET} ({TARGET.stat().st_size / 1000:.0f} kB)")
