"""The answer span of an output: what follows its reasoning scaffold, with a status.

`table` lists the known scaffolds, `split` finds the answer behind one of them, `preamble` detects a
scaffold that the table does not know.
"""

from __future__ import annotations

from lm_eval_sensitivity.scaffold.preamble import SharedPreamble, detect_shared_preamble
from lm_eval_sensitivity.scaffold.split import find_answer
from lm_eval_sensitivity.scaffold.table import KNOWN_SCAFFOLDS
from lm_eval_sensitivity.types import AnswerSpan

__all__ = ["KNOWN_SCAFFOLDS", "AnswerSpan", "SharedPreamble", "detect_shared_preamble", "find_answer"]
