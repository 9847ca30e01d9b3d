"""The one thing added to lm_eval: the request types `generate_traced`, `generate_sampled` and `answer_edited`.

lm_eval's evaluator calls `getattr(lm, request_type)(requests)` once with the requests of all tasks
together. Importing this module gives every `LM` these methods. It is the single place where this package
extends lm_eval; everything else is ordinary task, filter and library code.
"""

from __future__ import annotations

from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from lm_eval_sensitivity.harness.engines.run import greedy_generations, sampled_generations
from lm_eval_sensitivity.harness.generate.generation import Generation
from lm_eval_sensitivity.harness.wrapping.requests import BaseInstance, ask


def generate_traced(self: LM, requests: list[Instance]) -> list[Generation]:
    """Generate the outputs of all pairs and record what later analysis needs.

    Args:
        requests: instances with arguments `(context, gen_kwargs, replicate)`; index 0 is the base of the
            pair in `doc`, index 1 its variant.

    Returns:
        [request] generations; equal requests share one.
    """
    return greedy_generations(self, requests)


def generate_sampled(self: LM, requests: list[Instance]) -> list[Generation]:
    """Sample outputs of both sides of all pairs.

    Args:
        requests: instances with arguments `(context, gen_kwargs, first replicate)`; index 0 is the base of the
            pair in `doc`, index 1 its variant. An instance stands there once for each of its samples.

    Returns:
        [request] generations; equal prompts share their samples.
    """
    return sampled_generations(self, requests)


def answer_edited(self: LM, requests: list[BaseInstance]) -> list[Any]:
    """Answer wrapped tasks: the plain tasks' requests as they would be asked, and edited prompts after them.

    Args:
        requests: of the plain tasks; the first of a document brings the document's edits.

    Returns:
        [request] answers to the plain tasks' requests.
    """
    return ask(self, requests)


LM.generate_traced = generate_traced
LM.generate_sampled = generate_sampled
LM.answer_edited = answer_edited
