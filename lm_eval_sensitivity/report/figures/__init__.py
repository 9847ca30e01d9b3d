"""Figures of a report, one file per figure; `style.py` has what they share, and draws them.

clusters.py      means, intervals, letters      two_axes.py      distance against drift
heatmap.py       edit by system                 profiles.py      by output length, by rung
traces.py        token paths, margins           disagreement.py  two distances of every pair
"""

from __future__ import annotations

from lm_eval_sensitivity.report.figures.style import (
    Caption,
    Drawn,
    NotDrawn,
    Picture,
    check_matplotlib,
    render,
)

__all__ = ["Caption", "Drawn", "NotDrawn", "Picture", "check_matplotlib", "render"]
