"""A push inside a model, once: does the state come back on the same tokens, and does the text change?

settings.py    what a user may ask
recovery.py    from a curve of state distances to its peak, its way back and its half-life
push.py        the pushes: cached decoding, tokens fixed and free; imports torch
measure.py     every prompt, and distances of texts; imports torch
analysis.py    from pushes to the finding
finding.py     the records
document.py    tables and sentences
picture.py     curves, and state against text
"""

from __future__ import annotations

from lm_eval_sensitivity.probes.catalogue import Probe
from lm_eval_sensitivity.probes.recover.document import document
from lm_eval_sensitivity.probes.recover.finding import RecoverFinding
from lm_eval_sensitivity.probes.recover.picture import picture
from lm_eval_sensitivity.probes.recover.settings import Settings

__all__ = ["PROBE"]


PROBE = Probe(
    name="recover",
    words="push a model's state once while it writes, and print whether state and text come back",
    title="Recovery from a push",
    finding=RecoverFinding,
    settings=Settings,
    document=document,
    picture=picture,
    not_to_be_read_as=(
        "what an edit of a prompt does: a push is random, and at one step",
        "stability of the text: a state comes back on tokens that are held fixed",
        "a comparison of models at one layer number: depths differ, and a push is relative to the state",
        "quality of the text that changed",
    ),
)
