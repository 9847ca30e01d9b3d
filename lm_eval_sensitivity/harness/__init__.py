"""Harness: the only folder that imports lm_eval. Importing it adds the request type `generate_traced`."""

from __future__ import annotations

import logging

from lm_eval_sensitivity.harness import filters, request
from lm_eval_sensitivity.harness.generation import FilteredText, Generation, Trace
from lm_eval_sensitivity.harness.task import PromptSensitivityTask

# What we have to say stands between lm_eval's own messages, at the level that the user chose for them.
logging.getLogger("lm_eval_sensitivity").parent = logging.getLogger("lm_eval")

__all__ = ["FilteredText", "Generation", "PromptSensitivityTask", "Trace", "filters", "request"]
