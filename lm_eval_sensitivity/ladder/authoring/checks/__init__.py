"""Checks of what a valid table can still get wrong: validation of a ladder that can fail.

Loading refuses a file that is no ladder at its first problem. These checks read ladders that loaded, and
collect everything that breaks a promise of the format: `check_ladder` runs them all.

    violation.py    one broken promise, with its place; rows prompt by prompt
    balance.py      categories, subsets, sources
    edits.py        which edits a prompt has, and whether rule rows are what the rules build
    texts.py        texts of one prompt: distinct, clean, of a similar length; reasons; equal bases
    synonyms.py     one word for one other word
    kept.py         code, numbers, links and quotations stay
    near.py         prompts that nearly repeat another
    order.py        prompt distances grow from rung to rung
    report.py       runs them and counts
"""

from __future__ import annotations

from lm_eval_sensitivity.ladder.authoring.checks.report import Report, check_ladder
from lm_eval_sensitivity.ladder.authoring.checks.violation import Violation

__all__ = ["Report", "Violation", "check_ladder"]
