"""Harness: the only folder that imports lm_eval. Importing it adds three request types.

    extension.py   The one thing added to lm_eval: three request types
    in_memory.py   Results of `simple_evaluate` as a run folder
    one_prompt.py  One prompt through lm_eval: its pairs become a ladder in a temporary folder
    recorded.py    From the samples file back to generations: the texts and ids of a finished run
    registered.py  Our metrics of two texts by name, for tasks that somebody writes
    replaying.py   A finished run's model loaded again, to be looked into
    close/         When a run is over: rows for lm_eval's table, and sentences after it
    engines/       Engines: what turns a plan of prompts into outputs
    generate/      What every engine's outputs go through: plan, decoding settings, response store
    measure/       From two outputs to numbers, each missing one with its reason
    rescore/       Score the samples of a finished run again: with another embedder or rule
    tasks/         The lm_eval tasks, and the doors that are opened before the first token: options, decoding
    wrapping/      Tasks of lm_eval's under harmless edits

`generate_traced` (greedy outputs, recorded) and `generate_sampled` (many outputs of one prompt) and `answer_edited`
(the answers of wrapped tasks), see `extension`.
"""

from __future__ import annotations

import logging

from lm_eval_sensitivity.harness import extension
from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, Trace
from lm_eval_sensitivity.harness.tasks import filters
from lm_eval_sensitivity.harness.tasks.sampling_task import PromptSensitivitySamplingTask
from lm_eval_sensitivity.harness.tasks.task import PromptSensitivityTask
from lm_eval_sensitivity.harness.wrapping.task import WrappedTask

# What we have to say stands between lm_eval's own messages, at the level that the user chose for them.
logging.getLogger("lm_eval_sensitivity").parent = logging.getLogger("lm_eval")

__all__ = [
    "FilteredText",
    "Generation",
    "PromptSensitivitySamplingTask",
    "PromptSensitivityTask",
    "Trace",
    "WrappedTask",
    "extension",
    "filters",
]
