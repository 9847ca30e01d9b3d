"""`probe boundary`: how many steps are close decisions, whether that is predictable, and what gives way at a branch.

density.py       thin steps: shares by threshold, position and category
branches.py      what a finished run says of its branches
features.py      what a predictor may know; prediction.py: folds and skill; tasks.py: what is predicted
forcing.py       the base's tokens after the edited prompt
attribution.py   boundary and bulk; hazard.py: parting as a race of margins against shifts
runner_up.py     the second token forced at thin steps
measure.py       all of it for one run; finding.py, document.py, picture.py: what is kept and shown
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lm_eval_sensitivity.probes.boundary.document import boundary_document
from lm_eval_sensitivity.probes.boundary.finding import BoundaryFinding
from lm_eval_sensitivity.probes.boundary.picture import boundary_picture
from lm_eval_sensitivity.probes.catalogue import Probe
from lm_eval_sensitivity.probes.edits import ONE_PER_RUNG


@dataclass(frozen=True)
class Settings:
    """Options of the probe."""

    threshold: float = field(default=0.5, metadata={"help": "nats; a step with a smaller margin is thin"})
    horizon: int = field(default=16, metadata={"help": "steps before which outputs part, for predictions"})
    edits: tuple[str, ...] = field(
        default=(ONE_PER_RUNG,),
        metadata={
            "help": "edits whose prompts the bases' tokens are fed after: names, or of the harmless rungs one_per_rung "
            "(the edit that reached most prompts), first_per_rung (of each prompt), all, none"
        },
    )
    draws: int = field(default=200, metadata={"help": "deals of each pair's shifts, for the null"})
    runner_up: int = field(
        default=0,
        metadata={"help": "thinnest steps of each output at which the second token is forced; 0 for none"},
    )
    seed: int = field(default=0, metadata={"help": "of intervals and deals"})


PROBE = Probe(
    name="boundary",
    words="how many decisions were close, how predictable they are, and what gives way where outputs part",
    title="Close decisions",
    finding=BoundaryFinding,
    settings=Settings,
    document=boundary_document,
    picture=boundary_picture,
    not_to_be_read_as=(
        "an early warning: numbers at the branch hold the edit's own shift, and one step ahead position ranks as "
        "well as the margin",
        "a cause: every flip has a shift larger than its margin; only the split against earlier steps says something",
        "a comparison of models with other vocabularies or of other temperatures: margins are on their scale",
        "a mistake: a close decision may have two good answers",
    ),
)
