"""Any lm_eval task under harmless edits: its own prompts, its own filters, metrics and aggregation.

original.py   the task that is wrapped, as lm_eval builds it, and those that cannot be wrapped
task.py       the lm_eval task: what is put before the class of the original
wrapping.py   what it keeps: edits, prompts, statements
question.py   where a document keeps its question
edits.py      the edits, by family
shots.py      few-shot examples, drawn once for a prompt and its edits
templates.py  templates compiled once
making.py     from an edited document to requests, and what became of the edit
requests.py   the request type `answer_edited`: unedited prompts as the plain task asks them, all else after
answering.py  what one prompt was answered
table.py      rows beside those of the task
doors.py      engines that cannot score choices
writing.py    the YAML files that `wrap` writes
"""

from __future__ import annotations

from lm_eval_sensitivity.harness.wrapping.task import WrappedTask

__all__ = ["WrappedTask"]
