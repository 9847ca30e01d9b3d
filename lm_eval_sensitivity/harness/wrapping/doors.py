"""What is refused before the first scored request: engines that cannot score the choices of a task."""

from __future__ import annotations

from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.task import Task

from lm_eval_sensitivity.errors import InputError

_SCORED = ("multiple_choice", "loglikelihood")


def check_engine(task: Task, lm: Any, *, with_template: bool) -> None:
    """Refuse a server whose log-likelihoods are no log-likelihoods.

    A chat API has none. Some servers leave the last token out of what they send back, which makes every choice certain:
    one probe shows it.

    Args:
        task: to be run.
        lm: the model as lm_eval made it.
        with_template: whether a chat template is applied.

    Raises:
        InputError: the task cannot be scored there.
    """
    if task.OUTPUT_TYPE not in _SCORED or not hasattr(lm, "_create_payload"):
        return
    name = f"Task `{task.config.task}` scores choices by their log-likelihood"
    if "Chat" in type(lm).__name__:
        raise InputError(
            f"{name}, which a chat API does not give. Use `--model local-completions`, or a task that generates."
        )
    probe = Instance("loglikelihood", {}, ("The sky is", " qzxv"), 0, metadata=(task.config.task, 0, 1))
    score, greedy = lm.loglikelihood([probe])[0]
    if score == 0 and greedy:
        raise InputError(
            f"{name}, and this server says that an absurd word is certain: it leaves the last token out of its echo. "
            "Use a server that sends it (`echo` with `logprobs`), or `--model hf`."
        )
