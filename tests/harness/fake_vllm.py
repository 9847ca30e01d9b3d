"""vLLM where it is not installed: as far as lm_eval and the engine ask it, answering from a recording.

`benchmarks/record_vllm.py` made the recording, with the real one.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ANSWERS = Path(__file__).with_name("vllm_answers.json")
VERSION = "0.32.0+cpu"
MODULES = (
    *("vllm", "vllm.lora", "vllm.lora.request", "vllm.renderers", "vllm.renderers.hf", "vllm.tokenizers"),
    *("lm_eval.models.vllm_causallms", "lm_eval_sensitivity.harness.engines.vllm_causallms"),
)


@dataclass
class SamplingParams:
    """What is asked for."""

    max_tokens: int
    stop: list[str] = field(default_factory=list)
    temperature: float = 1.0
    logprobs: int | None = None
    seed: int | None = None


@dataclass
class Logprob:
    """vLLM's own, without the text of its token."""

    logprob: float


def key(prompt: Any, max_tokens: int, stop: Any) -> str:
    return repr((list(prompt), max_tokens, list(stop)))


class LLM:
    """Answers as recorded."""

    def __init__(self, **settings: Any) -> None:
        model = SimpleNamespace(
            dtype="torch.float32",
            quantization=None,
            max_model_len=settings.get("max_model_len") or 2048,
            logprobs_mode=settings.get("logprobs_mode", "raw_logprobs"),
            max_logprobs=settings.get("max_logprobs", 20),
        )
        config = SimpleNamespace(
            model_config=model,
            parallel_config=SimpleNamespace(tensor_parallel_size=1),
            cache_config=SimpleNamespace(enable_prefix_caching=True),
        )
        self.llm_engine = SimpleNamespace(model_config=model, vllm_config=config)
        recorded = json.loads(ANSWERS.read_text(encoding="utf-8"))
        self.recorded = {
            key(each["prompt_token_ids"], each["max_tokens"], each["stop"]): each for each in recorded
        }
        self.asked: list[SamplingParams] = []
        self.reason = ""
        """Why every output ends, where it is not the recorded reason."""

    def generate(self, prompts: Any, sampling_params: list[SamplingParams], **options: Any) -> list[Any]:
        self.asked += sampling_params
        return [
            self._answer(prompt["prompt_token_ids"], asked)
            for prompt, asked in zip(prompts, sampling_params, strict=True)
        ]

    def _answer(self, prompt: list[int], asked: SamplingParams) -> Any:
        found = self.recorded[key(prompt, asked.max_tokens, asked.stop)]
        steps = [{token: Logprob(value) for token, value in step} for step in found["logprobs"]]
        made = SimpleNamespace(
            token_ids=found["token_ids"],
            text=found["text"],
            finish_reason=self.reason or found["finish_reason"],
            stop_reason=found["stop_reason"],
            logprobs=steps if asked.logprobs else None,
        )
        return SimpleNamespace(prompt_token_ids=prompt, outputs=[made])


def install(patch: pytest.MonkeyPatch) -> None:
    """Let `import vllm` find this, until the patch ends."""
    from transformers import AutoTokenizer

    def tokenizer(name: str, **options: Any) -> Any:
        return AutoTokenizer.from_pretrained(name)

    contents: dict[str, dict[str, Any]] = {
        "vllm": {"LLM": LLM, "SamplingParams": SamplingParams, "TokensPrompt": dict},
        "vllm.lora.request": {"LoRARequest": object},
        "vllm.renderers.hf": {"resolve_chat_template": lambda **options: options["tokenizer"].chat_template},
        "vllm.tokenizers": {"get_tokenizer": tokenizer},
    }
    for name in MODULES:
        if name.startswith("vllm"):
            module = ModuleType(name)
            module.__path__ = []
            module.__spec__ = importlib.machinery.ModuleSpec(name, None)
            vars(module).update(contents.get(name, {}))
            patch.setitem(sys.modules, name, module)
        else:
            # Comes anew, with these modules in it, and goes with them.
            patch.delitem(sys.modules, name, raising=False)
            patch.setitem(sys.modules, name, None)
            del sys.modules[name]
    version = importlib.metadata.version
    patch.setattr(importlib.metadata, "version", lambda name: VERSION if name == "vllm" else version(name))
