"""From a document and an edit to requests: the prompt the task makes of it, and what became of the edit on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM

from lm_eval_sensitivity.harness.engines.contract import Engine
from lm_eval_sensitivity.harness.generate.plan import context_text
from lm_eval_sensitivity.harness.wrapping.requests import Prompt
from lm_eval_sensitivity.records.answers import Status

Ids = tuple[int, ...]
Requests = Callable[[Any], Sequence[Instance]]
"""Context -> the requests of the document as it is, whatever was edited in its prompt."""


def edited_prompt(
    text: str, contexts: tuple[Any, Any], requests: Requests, base: Instance, engine: Engine
) -> Prompt:
    """The requests of one edit, or why nothing is asked.

    Args:
        text: what the edit made, for the record.
        contexts: unedited and edited prompt, as the task renders them.
        requests: makes them from a context.
        base: first request of the unedited prompt.
        engine: of the model.

    Returns:
        The prompt with its status.
    """
    before, after = (context_text(each) for each in contexts)
    if before == after:
        return Prompt("erased by the task", text)
    if base.request_type == "loglikelihood" and _end(before) != _end(after):
        # lm_eval takes white space from the end of a context and scores it as the beginning of each choice.
        return Prompt("end of prompt", text)
    instances = list(requests(contexts[1]))
    status = status_of(fed(base, engine), fed(instances[0], engine))
    return Prompt(status, text, [] if status == "erased" else instances)


def status_of(base: Ids | None, edited: Ids | None) -> Status:
    """Whether an edit reaches the model.

    Example:
        >>> status_of((1, 2), (1, 3)), status_of((1, 2), (1, 2)), status_of(None, None)
        ('survived', 'erased', 'unknown')
    """
    if base is None or edited is None:
        return "unknown"
    return "erased" if base == edited else "survived"


def fed(instance: Instance, engine: Engine) -> Ids | None:
    """The token ids that a request feeds the model, as far as its context reaches; None where they are not seen."""
    lm, context = engine.lm, instance.args[0]
    if not isinstance(context, str) or not context:
        return None
    if instance.request_type != "loglikelihood":
        ids = engine.encode(context)
        return None if ids is None else tuple(ids)
    if not isinstance(lm, TemplateLM) or not getattr(lm, "tokenized_requests", True):
        return None
    # As lm_eval feeds them: context and choice together, and of those the last that fit.
    first, second = lm._encode_pair(context, instance.args[1])
    whole = [*first, *second]
    length = getattr(lm, "max_length", None)
    return tuple(whole[-(length + 1) :] if isinstance(length, int) else whole)


def _end(text: str) -> str:
    return text[len(text.rstrip()) :]
