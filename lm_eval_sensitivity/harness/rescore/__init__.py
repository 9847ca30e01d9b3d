"""Score the samples of a finished run again: with another embedder, or with answers cut out by another rule.

Nothing is generated. Everything that does not depend on the embedder stays as it was recorded: token
metrics, distances of states and distributions, margins, audit. What cannot be recomputed from samples:

- hidden and JS distances, which are made from hidden states and whole distributions that no file holds;
- tokens and windows of an answer that a named scaffold cuts out in another place than the run did, because
  where tokens end in a text is known to the model's tokenizer alone; they are missing with that reason. Such
  an answer is the visible text, in which special tokens of the model may stand;
- texts of repetitions after the first: text metrics of the identical rung are those of one repetition;
- a preamble that unrelated prompts share: a rule looks for its scaffold and for nothing else;
- `baseline_drift` without the outputs of the reference run: give that run, or it is missing with a reason.

results.py  The results file of a run whose samples were scored again: means, words, groups
rows.py     The lines of a samples file, scored again
run.py      A new run folder from an old one
"""

from __future__ import annotations

from lm_eval_sensitivity.harness.rescore.results import RESCORED
from lm_eval_sensitivity.harness.rescore.rows import NO_BOUNDARIES, NOT_RESCORED, Settings
from lm_eval_sensitivity.harness.rescore.run import RescoredRun, check_new_folder, rescore_run

__all__ = [
    "NOT_RESCORED",
    "NO_BOUNDARIES",
    "RESCORED",
    "RescoredRun",
    "Settings",
    "check_new_folder",
    "rescore_run",
]
