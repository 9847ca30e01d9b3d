"""The answer span of an output: what follows its reasoning scaffold, with a status.

preamble.py  Detect a scaffold that no table knows
split.py     Find the answer in one output: what follows the reasoning scaffold, if there is one
table.py     The table of known reasoning scaffolds: how each model family marks its reasoning off
"""

from __future__ import annotations

from lm_eval_sensitivity.scaffold.preamble import SharedPreamble, detect_shared_preamble
from lm_eval_sensitivity.scaffold.split import find_answer
from lm_eval_sensitivity.scaffold.table import KNOWN_SCAFFOLDS
from lm_eval_sensitivity.types import AnswerSpan

__all__ = ["KNOWN_SCAFFOLDS", "AnswerSpan", "SharedPreamble", "detect_shared_preamble", "find_answer"]
