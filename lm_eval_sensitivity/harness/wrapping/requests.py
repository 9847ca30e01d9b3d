"""The requests of wrapped tasks: unedited prompts first, exactly as the plain task asks them; all else after."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lm_eval.api.instance import Instance

from lm_eval_sensitivity.harness.tasks.evaluator import of_evaluator
from lm_eval_sensitivity.records.answers import AGAIN, Status

REQUEST_TYPE = "answer_edited"


@dataclass
class Prompt:
    """One edit of one document, as it is asked."""

    status: Status
    text: str | None = None
    instances: list[Instance] = field(default_factory=list)
    """Empty where nothing is asked."""


@dataclass
class BaseInstance(Instance):
    """A request of the plain task; the first of a document brings the document's edits."""

    plain: Instance | None = None
    prompts: dict[str, Prompt] = field(default_factory=dict)


def as_base(plain: Instance, prompts: dict[str, Prompt]) -> BaseInstance:
    """The plain task's request, to be asked by `ask`."""
    return BaseInstance(
        request_type=REQUEST_TYPE,
        doc=plain.doc,
        arguments=plain.arguments,
        idx=plain.idx,
        metadata=plain.metadata,
        plain=plain,
        prompts=prompts,
    )


def ask(lm: Any, requests: Sequence[BaseInstance]) -> list[Any]:
    """Answer the requests of all wrapped tasks of a run.

    Equal requests of one call may share a pass, so that prompts are asked again in a call of their own. There they go
    past lm_eval's cache, which would give the first answer.

    Args:
        lm: the model.
        requests: of all tasks, as lm_eval hands them over.

    Returns:
        [request] answers to the unedited prompts; those to the edits are left in their instances.
    """
    cached = of_evaluator("lm") or lm
    plain = [each.plain for each in requests if each.plain is not None]
    _ask(cached, plain)
    prompts = [prompt for each in requests for prompt in each.prompts.items()]
    _ask(cached, [each for name, prompt in prompts if name != AGAIN for each in prompt.instances])
    _ask(lm, [each for name, prompt in prompts if name == AGAIN for each in prompt.instances])
    return [each.resps[-1] for each in plain]


def _ask(lm: Any, instances: Iterable[Instance]) -> None:
    by_type: dict[str, list[Instance]] = {}
    for each in instances:
        by_type.setdefault(each.request_type, []).append(each)
    for request_type, group in by_type.items():
        for each, answer in zip(group, getattr(lm, request_type)(group), strict=True):
            each.resps.append(answer)
