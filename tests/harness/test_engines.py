"""Engines that only return text, engines that change generation, and what travels between processes."""

from __future__ import annotations

import copy
import math
import pickle
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.models.api_models import JsonChatStr
from lm_eval.models.huggingface import HFLM

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.generate.generation import FilteredText, Generation, View
from lm_eval_sensitivity.harness.tasks.options import parse_options
from lm_eval_sensitivity.ladder.schema import pair_from_row
from lm_eval_sensitivity.records.sample import decode_row
from lm_eval_sensitivity.runs.table import cells_of
from tests.running import table_of

NOOP = "prompt_sensitivity_mini_noop"
IDENTICAL = "prompt_sensitivity_mini_identical"
EDGES = {"leading_space", "trailing_space", "leading_newline", "trailing_newline"}


class TextEngine(LM):
    """Answers with a function of the prompt, reports each answer as it arrives, and counts them."""

    tokenizer_name = "none"

    def __init__(self, answer: Callable[[str], str], *, chat: bool = False, stop_after: int = -1) -> None:
        super().__init__()
        self.answer, self.chat, self.stop_after = answer, chat, stop_after
        self.asked: list[str] = []

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        answers = []
        for request in requests:
            if len(self.asked) == self.stop_after:
                raise ConnectionError("the server went away")
            context = request.args[0]
            self.asked.append(getattr(context, "prompt", context))
            answers.append(self.answer(self.asked[-1]))
            self.cache_hook.add_partial("generate_until", request.args, answers[-1])
        return answers

    def apply_chat_template(self, history: list[dict[str, str]], add_generation_prompt: bool = True) -> Any:
        text = history[-1]["content"].strip()
        return JsonChatStr(text) if self.chat else f"<user>{text}<assistant>"

    def loglikelihood(self, requests: list[Any]) -> Any:
        raise NotImplementedError

    loglikelihood_rolling = loglikelihood


def evaluate(lm: LM, tasks: str = NOOP, **options: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {"apply_chat_template": True, "bootstrap_iters": 0, **options}
    results = simple_evaluate(model=lm, tasks=tasks.split(","), **settings)
    assert results is not None
    return results


def raw_rows(results: dict[str, Any], task: str = NOOP) -> list[dict[str, Any]]:
    return [row for row in results["samples"][task] if row["filter"] == "raw"]


@pytest.mark.parametrize("chat", [False, True])
def test_an_edit_that_the_template_erases_is_erased_without_ids_too(chat: bool) -> None:
    engine = TextEngine(lambda prompt: f"Answer to {len(prompt)}", chat=chat)
    results = evaluate(engine)
    for row in raw_rows(results):
        erased = row["doc"]["edit"] in EDGES
        assert row["pair"]["audit"]["status"] == ("erased" if erased else "unknown")
        assert math.isnan(row["cosine_distance"]) == erased
    assert "36 of 74 pairs erased" in table_of(results, NOOP)["pair,raw"]


def test_answers_are_kept_one_by_one_as_they_arrive(tmp_path: Path) -> None:
    """An API run that breaks off has paid for its answers: none is asked for again."""
    options = {"use_cache": str(tmp_path / "cache"), "metadata": {"model": "m"}}
    broken = TextEngine(lambda prompt: f"Answer to {prompt}", stop_after=10)
    with pytest.raises(ConnectionError):
        evaluate(broken, **options)
    resumed = TextEngine(lambda prompt: f"Answer to {prompt}")
    evaluate(resumed, **options)
    assert not set(broken.asked) & set(resumed.asked)
    again = TextEngine(lambda prompt: "never asked")
    evaluate(again, **options)
    assert again.asked == []


def test_two_engines_that_nothing_tells_apart_do_not_share_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for answer in ("one", "two"):
        engine = TextEngine(lambda prompt, answer=answer: f"Answer {answer}")
        results = evaluate(engine, tasks=IDENTICAL, use_cache=str(tmp_path / "cache"))
        assert raw_rows(results, IDENTICAL)[0]["resps"][0] == [f"Answer {answer}"]
    assert "The response store is not used" in caplog.text


def test_what_was_asked_for_beside_the_model_does_not_change_the_system(tmp_path: Path) -> None:
    """Task, ladder and cache are no part of an API model; a secret must not be written anywhere."""
    systems = set()
    for task in (NOOP, IDENTICAL):
        engine = TextEngine(lambda prompt: "same")
        results = evaluate(engine, tasks=task, metadata={"model": "m", "api_key": "hush"})
        summary = results["configs"][task]["metadata"]["sensitivity"]
        assert "hush" not in str(summary)
        systems.add(summary["system"])
    assert len(systems) == 1


def test_an_engine_that_changes_generation_is_not_traced_behind_its_back(model: Path) -> None:
    class Steered(HFLM):
        def _model_generate(self, context: Any, **options: Any) -> Any:
            return context  # steered so hard that nothing is said

    lm = Steered(pretrained=str(model), device="cpu")
    results = evaluate(lm, tasks=IDENTICAL, gen_kwargs={"max_gen_toks": 8})
    row = raw_rows(results, IDENTICAL)[0]
    assert row["resps"] == [[""], [""]]
    assert row["pair"]["missing"]["hidden_distance"].startswith("not given")


def test_a_model_without_named_output_embeddings_has_no_hidden_distance(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = HFLM(pretrained=str(model), device="cpu")

    def unnamed() -> None:
        raise NotImplementedError

    monkeypatch.setattr(lm.model, "get_output_embeddings", unnamed)
    row = raw_rows(evaluate(lm, tasks=IDENTICAL, gen_kwargs={"max_gen_toks": 3}), IDENTICAL)[0]
    assert math.isnan(row["hidden_distance"])
    assert row["pair"]["missing"]["hidden_distance"] == "not given: this engine gives no hidden states"
    assert row["js_divergence"] < 1e-6


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda text: pickle.loads(pickle.dumps(text))])
def test_only_the_text_travels_between_processes(travel: Callable[[str], str]) -> None:
    """lm_eval gathers logged samples of all ranks by pickling them."""
    generation = Generation("Paris.", raw=View("Paris.", None, {}))
    for text in (generation, FilteredText(generation, "raw")):
        arrived = travel(text)
        assert arrived == "Paris."
        assert type(arrived) is str


class FickleEngine(TextEngine):
    """Every time it is asked the same, its answer is one word longer."""

    def __init__(self) -> None:
        super().__init__(lambda prompt: f"Yes{' indeed' * (self.asked.count(prompt) - 1)}.")


@pytest.mark.parametrize(("options", "count"), [({}, 3), ({"metadata": {"repeats": 2}}, 2)])
def test_a_prompt_of_the_identical_rung_is_repeated_and_its_distance_is_the_mean(
    options: dict[str, Any], count: int
) -> None:
    """Nobody knows how a text engine decodes: three repetitions, unless the user says how many."""
    engine = FickleEngine()
    results = evaluate(engine, tasks=IDENTICAL, **options)
    rows = raw_rows(results, IDENTICAL)
    assert Counter(engine.asked) == dict.fromkeys({row["arguments"][0][0] for row in rows}, 1 + count)
    table = table_of(results, IDENTICAL)
    assert f"{count} repetitions" in table["noise,raw"].replace("two", "2").replace("three", "3")
    for row in rows:
        assert row["resps"] == [["Yes."], ["Yes indeed."]], "the first of them"
        each = [repetition["cosine_distance"] for repetition in row["pair"]["repetitions"]]
        assert len(each) == count and len(set(each)) == count
        assert row["cosine_distance"] == pytest.approx(sum(each) / count)
        read = decode_row(row, "a row")
        assert cells_of(read, pair_from_row(dict(row["doc"]), "a row"))["repetitions"] == count


@pytest.mark.parametrize("repeats", [0, 21, "3", True, 1.5])
def test_a_number_of_repetitions_that_is_none_is_refused(repeats: Any) -> None:
    with pytest.raises(InputError, match=r"`repeats` is .*; expected a whole number from 1 to 20"):
        parse_options({"repeats": repeats})
