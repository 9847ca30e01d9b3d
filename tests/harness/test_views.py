"""From an output with a scaffold to its answer: in characters, in steps, and through the whole harness."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder
from lm_eval_sensitivity.harness.generate.generation import Output, Trace
from lm_eval_sensitivity.harness.generate.plan import Item, Plan
from lm_eval_sensitivity.harness.generate.views import answer_of, find_spans, raw_view
from tests.harness.conftest import Lmeval

REASONING = "<think>\nThe user wants a number. " + "I add one and one. " * 30 + "\n</think>\n\n"
ANSWER = "One and one is two, dépendant of nothing else, as everybody knows. " * 12


@pytest.fixture(scope="module")
def tokenizer(demo: Path) -> Any:
    return AutoTokenizer.from_pretrained(demo)


def traced(tokenizer: Any, text: str, finish_reason: str = "length") -> Output:
    """An output as an engine would have traced it."""
    ids = np.asarray(tokenizer.encode(text), dtype=np.int32)
    return Output(text, Trace(ids, finish_reason, text))


def plan_of(contexts: list[str]) -> Plan:
    items = tuple(Item(c, "{}", 0, user_text=c, name=c) for c in contexts)
    indices = tuple(range(len(items)))
    return Plan(items, indices, ((),) * len(items), indices, tuple(contexts), {}, chat_template_applied=False)


def views(tokenizer: Any, output: Output, context: str = "Question?") -> Any:
    decode = lambda ids, skip: tokenizer.decode(list(ids), skip_special_tokens=skip)  # noqa: E731  # a stand-in
    spans, _ = find_spans(plan_of([context]), [output])
    raw = raw_view(output, decode)
    return raw, answer_of(output, spans[0], raw, decode)


@pytest.mark.parametrize(("context", "opened"), [("Question?", True), ("Question?<think>\n", False)])
def test_the_answer_is_counted_from_its_first_token(tokenizer: Any, context: str, opened: bool) -> None:
    text = REASONING + ANSWER if opened else (REASONING + ANSWER).removeprefix("<think>\n")
    raw, answer = views(tokenizer, traced(tokenizer, text), context)
    assert raw.text == text
    assert (answer.span.status, answer.view.text) == ("closed", ANSWER.strip())
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids[answer.token_start : answer.token_end]).strip() == ANSWER.strip()
    assert answer.view.token_ids.tolist() == ids[answer.token_start : answer.token_end]
    for window in (64, 128, 256):
        expected = tokenizer.decode(ids[answer.token_start : answer.token_start + window])
        assert answer.view.window(window) == expected.lstrip().rstrip("\ufffd")[: len(answer.view.text)]
        assert raw.window(window) == tokenizer.decode(ids[:window]).rstrip("\ufffd")
    assert answer.view.window(512) == ANSWER.strip()


def test_a_window_that_cuts_a_character_is_a_prefix_of_the_text(tokenizer: Any) -> None:
    text = "é" * 70
    assert len(tokenizer.encode(text)) >= 70
    raw, _ = views(tokenizer, traced(tokenizer, "a" + "\u4f60" * 200))
    for window in (64, 128, 256, 512):
        assert raw.text.startswith(raw.window(window))
        assert "\ufffd" not in raw.window(window)


@pytest.mark.parametrize(("text", "status"), [(REASONING[:200], "unclosed"), (REASONING, "empty_answer")])
def test_without_an_answer_there_is_nothing_to_view(tokenizer: Any, text: str, status: str) -> None:
    raw, answer = views(tokenizer, traced(tokenizer, text))
    assert answer.span.status == status
    assert answer.view is None
    assert raw.text == text


@pytest.mark.parametrize("text", ["It is two.", "It is two.\n"])
def test_the_end_token_is_no_part_of_an_answer(tokenizer: Any, text: str) -> None:
    """With or without white space before it, with or without a scaffold: it says nothing."""
    for scaffold in ("", "<think>\nx\n</think>\n"):
        ids = [*tokenizer.encode(scaffold + text), tokenizer.eos_token_id]
        output = traced(tokenizer, scaffold + text, "end_token")
        assert output.trace is not None
        trace = dataclasses.replace(output.trace, token_ids=np.asarray(ids, dtype=np.int32))
        _, answer = views(tokenizer, dataclasses.replace(output, trace=trace))
        assert tokenizer.eos_token_id not in answer.view.token_ids.tolist()


def test_an_unknown_preamble_is_found_over_unrelated_prompts(tokenizer: Any) -> None:
    preamble = "Let me first restate the task in my own words before I answer. "
    contexts = [f"Question {number}?" for number in range(8)]
    outputs = [traced(tokenizer, preamble + f"Topic {n} is about {n * n} things. " * 4) for n in range(8)]
    plan = dataclasses.replace(plan_of([*contexts, *contexts]), base_of_request=tuple(range(8)) * 2)
    spans, found = find_spans(plan, outputs * 2)
    assert found is not None
    assert found.n_sharing == 8
    assert {span.scaffold for span in spans} == {"shared_preamble"}


def test_a_preamble_is_looked_for_in_the_outputs_of_all_processes(tokenizer: Any) -> None:
    """Four outputs of one process are too few; with the four of the other they are not."""
    preamble = "Let me first restate the task in my own words before I answer. "
    contexts = [f"Question {number}?" for number in range(4)]
    plan = dataclasses.replace(plan_of([*contexts, *contexts]), base_of_request=tuple(range(4)) * 2)
    outputs = [traced(tokenizer, preamble + f"Topic {n} is about {n * n} things. " * 4) for n in range(8)]
    own: list[dict[str, str]] = []
    assert find_spans(plan, outputs[:4] * 2, None, lambda part: own.append(part) or [part])[1] is None
    other = {f"of the other process: {name}": text for name, text in own[0].items()}
    spans, found = find_spans(plan, outputs[4:] * 2, None, lambda part: [part, other])
    assert found is not None and found.n_outputs == found.n_sharing == 8
    assert {span.scaffold for span in spans} == {"shared_preamble"}


# ---- through the real harness: the model's outputs are replaced by scripted ones, token for token

SCRIPTS = {
    "closed": "<think>\nShort plan.\n</think>\n\nThe answer is number {n}.",
    "unclosed": "<think>\nA plan that never ends, number {n}",
    "empty_answer": "<think>\nOnly a plan, number {n}.\n</think>\n\n",
}


@pytest.mark.parametrize("status", sorted(SCRIPTS))
def test_an_output_without_an_answer_is_unscored_and_its_raw_text_is_kept(
    status: str, lm_eval: Lmeval, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model)
    generate = Decoder.generate

    def scripted(self: Decoder, prompts: list[list[int]]) -> list[Output]:
        return [
            traced(tokenizer, SCRIPTS[status].format(n=sum(prompt) % 7))
            if output.trace is None
            else _with_distribution(
                traced(tokenizer, SCRIPTS[status].format(n=sum(prompt) % 7)), prompt, output
            )
            for prompt, output in zip(prompts, generate(self, prompts), strict=True)
        ]

    monkeypatch.setattr(Decoder, "generate", scripted)
    task = "prompt_sensitivity_mini_synonym"
    run = lm_eval(model, tasks=task)
    for row in run.rows(task, "raw"):
        assert not math.isnan(row["cosine_distance"])
        assert "<think>" in row["filtered_resps"][0]
        assert row["pair"]["base"]["answer"]["status"] == status
    for row in run.rows(task, "answer"):
        if status == "closed":
            assert row["filtered_resps"][0].startswith("The answer is number")
            assert not math.isnan(row["cosine_distance"])
        else:
            assert math.isnan(row["cosine_distance"])
            kind = status.replace("_", " ")
            assert row["pair"]["missing"]["cosine_distance"].startswith(f"{kind}: the scaffold of the base")
            assert row["filtered_resps"] == ["", ""]
    if status != "closed":
        assert run.value(task, "pair", "answer") == f"0 of 18 pairs scored, 18 {status.replace('_', ' ')}"


def _with_distribution(output: Output, prompt: list[int], original: Output) -> Output:
    assert output.trace is not None and original.trace is not None
    trace = dataclasses.replace(
        output.trace,
        prompt_token_ids=np.asarray(prompt, dtype=np.int32),
        prompt_end_log_probabilities=original.trace.prompt_end_log_probabilities,
        hidden_mean=original.trace.hidden_mean,
        prompt_end_hidden=original.trace.prompt_end_hidden,
    )
    return dataclasses.replace(output, trace=trace)
