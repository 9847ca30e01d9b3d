"""Which width of the weights keeps perplexity, and which keeps what the model says.

rounding.py     copies of a model with few bits for each weight
settings.py     what can be asked for
series.py       the runs that are compared, and how their models are loaded
measure.py      runs and models -> finding; static.py: what needs the models; floors.py: the widths that pass
finding.py      what was found; drift, perturbation and verdicts in it are those of `drift`
document.py     table and sentences; picture.py: the figure
text.txt        what perplexity is taken of; written for this
"""

from __future__ import annotations

from lm_eval_sensitivity.probes.bits.document import document
from lm_eval_sensitivity.probes.bits.finding import BitsFinding
from lm_eval_sensitivity.probes.bits.picture import picture, together
from lm_eval_sensitivity.probes.bits.settings import BitsSettings
from lm_eval_sensitivity.probes.catalogue import Probe

PROBE = Probe(
    name="bits",
    words="which width of the weights keeps perplexity, and which keeps the outputs",
    title="Static and dynamic floor",
    finding=BitsFinding,
    settings=BitsSettings,
    document=document,
    picture=picture,
    not_to_be_read_as=(
        "a statement on GPTQ, AWQ or GGUF where the widths are rounded to nearest: that is the cruder method",
        "a law of sensitivity from a few models",
        "stability where few bits move little under edits: a model that says one thing is moved by nothing",
        "better or worse: drift says how far, not where to",
    ),
    together=together,
    of_series=True,
)
