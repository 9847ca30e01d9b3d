"""A model whose answers a function gives: what it was asked, call by call, is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager


class Scripted(LM):
    """Scores a choice, or answers, as a function of the context says.

    Args:
        say: context, and choice or None -> log-likelihood or text.
    """

    def __init__(self, say: Callable[[str, str | None], Any]) -> None:
        super().__init__()
        self.say = say
        self.calls: list[list[tuple[Any, ...]]] = []

    def loglikelihood(self, requests: list[Instance], **_: Any) -> list[tuple[float, bool]]:
        self.calls.append([each.args for each in requests])
        return [(float(self.say(*each.args)), False) for each in requests]

    def generate_until(self, requests: list[Instance], **_: Any) -> list[str]:
        self.calls.append([each.args for each in requests])
        return [str(self.say(each.args[0], None)) for each in requests]

    def loglikelihood_rolling(self, requests: list[Instance], **_: Any) -> list[float]:
        raise NotImplementedError

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """A template that strips, as many do."""
        turns = "".join(f"<{each['role']}>{each['content'].strip()}" for each in chat_history)
        return f"{turns}<assistant>" if add_generation_prompt else turns

    @property
    def tokenizer_name(self) -> str:
        return "scripted"

    def chat_template(self, chat_template: bool | str = False) -> str:
        return "scripted"


def evaluate(model: Scripted, tasks: str, folder: Path, **options: Any) -> dict[str, Any]:
    """Run the real evaluator over the tasks of a folder."""
    metadata = options.pop("metadata", None)
    manager = TaskManager(include_path=str(folder), include_defaults=False, metadata=metadata)
    found: dict[str, Any] = simple_evaluate(
        model, tasks=tasks.split(","), task_manager=manager, bootstrap_iters=10, **options
    )
    return json.loads(json.dumps(found, default=str))
