"""From a pairs table to statements about systems: which numbers, what was computed, in records of plain values.

    selection.py       one metric, filter and rung set
    partition.py       the table by prompt, edit and system, partitioned once
    records.py         what statements are made of
    clusters.py, compare.py, drift.py, heatmap.py, profiles.py   one statement each
    summary.py         one system in a few numbers, with what could fake them
    means.py, noise.py, responsiveness.py, windows.py, prompt_ends.py   what they share
    cautions.py        what could fake the numbers, in sentences
    drift_distance.py  drift from the run, or computed
    answers.py         what edits do to the answers of a wrapped task
    plan.py            what a design would find, before anything runs
    traces.py          the arrays of samples files, step by step
    signature.py       what every number carries

No torch, no lm_eval, nothing printed here.
"""

from __future__ import annotations

from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.selection import RUNG_SETS, Selection
from lm_eval_sensitivity.statements.signature import Signature, signature

__all__ = ["RUNG_SETS", "Selection", "Signature", "TablePartition", "signature"]
