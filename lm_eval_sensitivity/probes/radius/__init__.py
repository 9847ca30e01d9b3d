"""How far a state before the output embedding can move before the next-token distribution changes by tau.

settings.py       what can be asked for
measure.py        states of a replay -> finding; states.py: the states
at_state.py       everything that is asked of one state
head.py           the last modules of a model as a function, found by trying and checked
local.py          one state seen through the head: products with its curvature, rays, nearest boundary
ray.py            a line through a state: divergence in O(vocabulary) a point, predicted and measured radius
curvature.py      Fisher products and Lanczos
calibration.py    isotonic regression, whole prompts held out
finding.py        what was found; rows.py: many lines as rows
document.py       tables and the sentence; picture.py: the figure
"""

from __future__ import annotations

from lm_eval_sensitivity.probes.catalogue import Probe
from lm_eval_sensitivity.probes.radius.document import document
from lm_eval_sensitivity.probes.radius.finding import RadiusFinding
from lm_eval_sensitivity.probes.radius.picture import picture
from lm_eval_sensitivity.probes.radius.settings import RadiusSettings

PROBE = Probe(
    name="radius",
    words="how far a state can move before the next-token distribution changes by tau",
    title="Radius of a state",
    finding=RadiusFinding,
    settings=RadiusSettings,
    document=document,
    picture=picture,
    not_to_be_read_as=(
        "how far a prompt may change: only the directions of variants lead from a prompt to a state",
        "a length that two models share: each has its own states",
        "a guarantee: the formula is of second order, and only the measured radius and the argmax radius are exact",
    ),
)
