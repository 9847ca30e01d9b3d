"""Arrays in, numbers out. No torch here: the harness and the embedder hand over what was recorded.

    _symbols.py       Sequences of any hashable symbols as integer codes, so that numpy can compare them
    catalogue.py      What every number of a pair means, what it needs and how it is computed
    collapse.py       Outputs that stopped being answers: empty, looping, cut
    embedding.py      Distances between texts that are already vectors, and the spread of outputs
    hidden.py         Distance between hidden states recorded while two outputs were generated
    inputs.py         What metrics are made from: the channels of both outputs of a pair
    length_change.py  How much longer or shorter an output became
    logits.py         Next-token distributions after two prompts: divergences and their bounds
    margins.py        How narrowly each greedy token won: the margin between the two largest logits
    text_edit_distance.py  How far two outputs are apart in characters
    token_path.py     How two token sequences part: step by step, at the end, and where first

Every file of this folder is imported, so that a file with a registered function is a new metric. Undefined is nan,
never 0.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from lm_eval_sensitivity.metrics.catalogue import METRICS, WINDOWS_TOKENS, MetricCard, measured_under
from lm_eval_sensitivity.metrics.collapse import CollapseFlags, collapse_flags, has_loop
from lm_eval_sensitivity.metrics.embedding import (
    cosine_distance,
    output_spread,
    pool_windows,
    split_into_windows,
)
from lm_eval_sensitivity.metrics.hidden import hidden_distance
from lm_eval_sensitivity.metrics.inputs import PromptEnd
from lm_eval_sensitivity.metrics.logits import (
    compare_prompt_ends,
    flip_floor_nats,
    js_divergence,
    kl_divergence,
    top1,
)
from lm_eval_sensitivity.metrics.margins import (
    LOW_MARGIN_THRESHOLDS_NATS,
    MarginStatistics,
    low_margin_density,
    margin_at_divergence,
    margin_statistics,
)
from lm_eval_sensitivity.metrics.token_path import (
    FirstDivergence,
    edit_distance_curve,
    first_divergence,
    token_edit_distance,
    trivial_shift_reference,
)

for _file in iter_modules(__path__):
    if _file.name != "__main__":  # that one prints the catalogue
        import_module(f"{__name__}.{_file.name}")

__all__ = [
    "LOW_MARGIN_THRESHOLDS_NATS",
    "METRICS",
    "WINDOWS_TOKENS",
    "CollapseFlags",
    "FirstDivergence",
    "MarginStatistics",
    "MetricCard",
    "PromptEnd",
    "collapse_flags",
    "compare_prompt_ends",
    "cosine_distance",
    "edit_distance_curve",
    "first_divergence",
    "flip_floor_nats",
    "has_loop",
    "hidden_distance",
    "js_divergence",
    "kl_divergence",
    "low_margin_density",
    "margin_at_divergence",
    "margin_statistics",
    "measured_under",
    "output_spread",
    "pool_windows",
    "split_into_windows",
    "token_edit_distance",
    "top1",
    "trivial_shift_reference",
]
