"""Harness: the only folder that imports lm_eval. Importing it adds two request types.

`generate_traced` (greedy outputs, recorded) and `generate_sampled` (many outputs of one prompt), see `extension`.
"""

from __future__ import annotations

import logging

from lm_eval_sensitivity.harness import extension
from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, Trace
from lm_eval_sensitivity.harness.tasks import filters
from lm_eval_sensitivity.harness.tasks.sampling_task import PromptSensitivitySamplingTask
from lm_eval_sensitivity.harness.tasks.task import PromptSensitivityTask

# What we have to say stands between lm_eval's own messages, at the level that the user chose for them.
logging.getLogger("lm_eval_sensitivity").parent = logging.getLogger("lm_eval")

__all__ = [
    "FilteredText",
    "Generation",
    "PromptSensitivitySamplingTask",
    "PromptSensitivityTask",
    "Trace",
    "extension",
    "filters",
]
