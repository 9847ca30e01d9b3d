"""A real model, where a folder holds it, and what it says to the prompts of a ladder; for recorded numbers."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import transformers

from lm_eval_sensitivity.probes.continuing import continued, end_ids
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.replay import Replay
from tests.probes.made import recorded

MODEL = Path(os.environ.get("LM_EVAL_SENSITIVITY_REAL_MODELS", "none")) / "smollm2-135m-it"
REAL = (
    pytest.mark.slow,
    pytest.mark.skipif(
        not MODEL.is_dir(),
        reason="LM_EVAL_SENSITIVITY_REAL_MODELS names a folder with smollm2-135m-it, see docs/probes.md",
    ),
    pytest.mark.filterwarnings("ignore"),
)


def real(test: Any) -> Any:
    """A test that needs the model."""
    for mark in REAL:
        test = mark(test)
    return test


@cache
def replay_of(folder: Path) -> Replay:
    """In single precision, as the numbers were recorded."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    return Replay(model, transformers.AutoTokenizer.from_pretrained(folder))


def encoded(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Ids of a prompt, under the chat template where there is one."""
    if tokenizer.chat_template is None:
        return tuple(tokenizer(text).input_ids)
    message = [{"role": "user", "content": text}]
    return tuple(tokenizer.apply_chat_template(message, add_generation_prompt=True, return_dict=False))


def outputs_to(
    replay: Replay, prompts: Iterable[tuple[str, str]], n_tokens: int, *, batch: int = 1, steps: bool = False
) -> dict[str, RunOutput]:
    """Greedy outputs, each prompt once.

    Args:
        replay: of the model.
        prompts: (prompt id, text).
        n_tokens: at most.
        batch: prompts at a time.
        steps: with what a run records of each step.

    Returns:
        Text -> output.
    """
    wanted = sorted({text: name for name, text in prompts}.items(), key=lambda each: len(each[0]))
    ends, found = end_ids(replay, ()), {}
    for first in range(0, len(wanted), batch):
        some = wanted[first : first + batch]
        ids = [encoded(replay.tokenizer, text) for text, _ in some]
        rests = continued(replay, ids, [n_tokens] * len(some), ends)
        for (text, name), own, rest in zip(some, ids, rests, strict=True):
            reason = "end_token" if rest[-1] in ends else "length"
            more = recorded(replay.model, own, rest) if steps else {}
            found[text] = RunOutput(name, own, rest, replay.tokenizer.decode(rest), reason, **more)
    return found
