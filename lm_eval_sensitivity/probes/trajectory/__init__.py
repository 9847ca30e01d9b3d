"""How unsteadily the final states of a model turn while it writes, and what its certainty does.

instability.py    length of a step times its turn, on a robust scale, and both nulls
states.py         collapse, rivalry, neutral: from entropies and gaps; what follows collapse
survival.py       shares that reopen, where the token limit cuts runs
settings.py       what a user may ask
analysis.py       from recorded paths to the finding
components.py     several systems: where the differences come from
finding.py        the records
measure.py        the reader of a replay; imports torch
document.py       tables and sentences
comparison.py     those of several systems
picture.py        the strips
"""

from __future__ import annotations

from lm_eval_sensitivity.probes.catalogue import Probe
from lm_eval_sensitivity.probes.trajectory.comparison import comparison_document
from lm_eval_sensitivity.probes.trajectory.components import variance_components
from lm_eval_sensitivity.probes.trajectory.document import document
from lm_eval_sensitivity.probes.trajectory.finding import TrajectoryFinding
from lm_eval_sensitivity.probes.trajectory.picture import picture
from lm_eval_sensitivity.probes.trajectory.settings import Settings

__all__ = ["PROBE", "comparison_document", "variance_components"]


PROBE = Probe(
    name="trajectory",
    words="print how unsteadily a model's states turn while it writes, beside what chance gives",
    title="Trajectory of the final states",
    finding=TrajectoryFinding,
    settings=Settings,
    document=document,
    picture=picture,
    comparison=comparison_document,
    not_to_be_read_as=(
        "quality",
        "chaos: the ratio of states without any order is above 1, too",
        "a comparison of models of different width, or of outputs of different length",
        "a comparison of RAW ratios across models at all: a rescaling that no output notices changes them",
        "a reopening that certainty causes, where the shuffled null gives as many",
    ),
)
