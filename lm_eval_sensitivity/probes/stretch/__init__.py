"""Stretching per layer: how much each block enlarges the residual, and a small disturbance of it.

settings.py, finding.py    what can be asked, and what was found
growth.py, shares.py       arithmetic of sizes: ranges of layers, conventions, intervals
measure.py                 the passes, in order; stream.py, disturbed.py, edits.py: what reads them
untrained.py               the same architecture with random weights
routes.py, jacobian.py     choices of experts; norms of single blocks
document.py, picture.py    what is said and drawn
"""

from __future__ import annotations

from lm_eval_sensitivity.probes.catalogue import Probe
from lm_eval_sensitivity.probes.stretch.document import document
from lm_eval_sensitivity.probes.stretch.finding import StretchFinding
from lm_eval_sensitivity.probes.stretch.picture import picture
from lm_eval_sensitivity.probes.stretch.settings import Settings

PROBE = Probe(
    name="stretch",
    words="growth of the residual and of a small disturbance per layer, and whose the residual is",
    title="Stretching per layer",
    finding=StretchFinding,
    settings=Settings,
    document=document,
    picture=picture,
    not_to_be_read_as=(
        "a Lyapunov exponent (every layer is another map, and there are few of them)",
        "a ranking of systems by stability",
        "a published rate of another quantity, range of layers or position",
        "sensitivity, where it is the growth of magnitude",
        "a share without its convention",
    ),
)
