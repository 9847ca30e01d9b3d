"""From a pairs table to statements about systems: which numbers, what was computed, in records.

    selection.py       one metric, filter and rung set of a pairs table, as a partition by prompt
    signature.py       what every number carries
    clusters.py        means, intervals and clusters of systems; cautions.py: what could fake them
    heatmap.py         edit by system
    compare.py         two systems, paired by prompt
    drift.py           verdicts beside a reference; drift_distance.py: drift from the run, or computed
    every_system.py, plain.py   small pieces that these share

No torch, no lm_eval, nothing printed here.
"""

from __future__ import annotations

from lm_eval_sensitivity.statements.selection import RUNG_SETS, Selection, partition
from lm_eval_sensitivity.statements.signature import Signature, signature

__all__ = ["RUNG_SETS", "Selection", "Signature", "partition", "signature"]
