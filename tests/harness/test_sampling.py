"""The sampling tasks: exact samples, streams that belong to a sample, and words that say what they can show."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lm_eval.models.huggingface import HFLM
from scipy.stats import chi2

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.close.sampled_rows import (
    SampledNote,
    sampled_closing_words,
    separated_in_words,
)
from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder
from lm_eval_sensitivity.harness.engines.hf.greedy import greedy_generation_config
from lm_eval_sensitivity.harness.engines.hf.sampler import ChooseTokens, choose_tokens, uniforms
from lm_eval_sensitivity.harness.generate.decoding import SampledDecoding, parse_sampled_decoding
from lm_eval_sensitivity.harness.tasks.sampling_options import (
    SamplingOptions,
    parse_sampling_options,
    too_few_to_separate,
)
from lm_eval_sensitivity.runs import load_runs
from tests.harness import tiny_models
from tests.harness.conftest import Lmeval, Run, unread
from tests.harness.test_engines import EDGES, TextEngine, evaluate
from tests.running import table_of

GROUP = "prompt_sensitivity_sampling"
IDENTICAL, NOOP, SYNONYM = (f"{GROUP}_{rung}" for rung in ("identical", "noop", "synonym"))
OPTIONS: dict[str, Any] = {
    "tasks": f"{IDENTICAL},{SYNONYM}",
    "limit": 2,
    "gen_kwargs": "temperature=0.8,max_gen_toks=5",
    "metadata": {"n_samples": 6, "seed": 1},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Its own settings would bend every distribution: a run that lets them through is not a sample of the model.
    settings = {"repetition_penalty": 3.0, "top_k": 2, "do_sample": True, "temperature": 0.01}
    return tiny_models.build(tmp_path_factory.mktemp("models") / "llama", "llama", **settings)


def outputs(run: Run, task: str) -> list[list[list[str]]]:
    """[pair][side][sample]"""
    return [row["resps"] for row in run.rows(task)]


# ---- streams


def test_nothing_but_the_sample_decides_its_output(lm_eval: Lmeval, run_once: Lmeval, model: Path) -> None:
    """Another batch size, other tasks in another order, fewer samples: every sample there is stays the same."""
    run = run_once(model, **OPTIONS, batch_size=8)
    alone = lm_eval(
        model, **{**OPTIONS, "tasks": SYNONYM, "metadata": {"n_samples": 4, "seed": 1}}, batch_size=1
    )
    assert [[side[:4] for side in pair] for pair in outputs(run, SYNONYM)] == outputs(alone, SYNONYM)
    other = lm_eval(model, **{**OPTIONS, "metadata": {"n_samples": 6, "seed": 2}}, batch_size=8)
    assert outputs(run, IDENTICAL) != outputs(other, IDENTICAL)
    assert run.rows(IDENTICAL)[0]["pair"]["system"] == other.rows(IDENTICAL)[0]["pair"]["system"]
    # Both sides of the identical rung are sampled, and a base is one and the same for all its pairs.
    for base, variant in outputs(run, IDENTICAL):
        assert len(base) == len(variant) == 6
        assert base != variant
        assert len(set(base)) > 1
    first = run.rows(SYNONYM)[0]
    shared = next(r for r in run.rows(IDENTICAL) if r["doc"]["prompt_id"] == first["doc"]["prompt_id"])
    assert first["resps"][0] == shared["resps"][0]


class KilledError(BaseException):
    """Stands for the power cut."""


def test_a_killed_run_resumes_to_the_same_samples_with_another_batch_size(
    lm_eval: Lmeval, run_once: Lmeval, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_once(model, **OPTIONS, batch_size=8)
    generate, sizes = Decoder.generate, list[int]()

    def counting(self: Decoder, prompts: Any, choose: Any = None) -> Any:
        if len(sizes) == 2:
            raise KilledError
        sizes.append(len(prompts))
        return generate(self, prompts, choose)

    cache = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "generate", counting)
        with pytest.raises(KilledError):
            lm_eval(model, **OPTIONS, batch_size=8, use_cache=cache)
    done = list(sizes)
    assert done == [8, 8]
    sizes[:] = [0, 0, 0]  # never again
    with monkeypatch.context() as patch:
        patch.setattr(Decoder, "generate", counting)
        resumed = lm_eval(model, **OPTIONS, batch_size=4, use_cache=cache)
    n_prompts = len({text for task in (IDENTICAL, SYNONYM) for r in whole.rows(task) for text in _sides(r)})
    assert sum(sizes) + sum(done) == 6 * n_prompts + 2 * 6, "two identical pairs have a second set"
    for task in (IDENTICAL, SYNONYM):
        assert repr(whole.samples[task]) == repr(resumed.samples[task])


def _sides(row: dict[str, Any]) -> tuple[str, str]:
    return row["doc"]["base"], row["doc"]["variant"]


# ---- distributions


def test_first_tokens_have_the_frequencies_of_the_softmax(model: Path) -> None:
    """Chi-square over bins of about a thirtieth each; the bound is exceeded once in a million."""
    lm = HFLM(pretrained=str(model), device="cpu", batch_size=1)
    prompt, temperature, n = lm.tok_encode("Why is the sky"), 0.7, 3000
    with torch.inference_mode():
        logits = lm.model(torch.tensor([prompt])).logits[0, -1].double().numpy()
    shares = np.exp((logits - logits.max()) / temperature)
    shares /= shares.sum()
    numbers = np.stack([uniforms(5, prompt, replicate, 1) for replicate in range(n)])
    decoder = Decoder(lm, SampledDecoding(max_gen_toks=1, until=(), temperature=temperature), end_ids=())
    with greedy_generation_config(lm.model):
        chosen = [
            output.trace.token_ids[0]
            for start in range(0, n, 500)
            for output in decoder.generate(
                [prompt] * 500, ChooseTokens(temperature, numbers[start : start + 500])
            )
            if output.trace is not None
        ]
    # Bins are made from the shares alone: of similar tokens, so that an order by id cannot hide a mistake.
    order = np.argsort(-shares)
    bin_of = np.empty(len(shares), int)
    bin_of[order] = np.minimum((np.cumsum(shares[order]) - shares[order] / 2) * 30, 29).astype(int)
    expected = n * np.bincount(bin_of, shares, minlength=30)
    used = expected > 0
    assert used.sum() > 5
    statistic = ((np.bincount(bin_of[chosen], minlength=30) - expected)[used] ** 2 / expected[used]).sum()
    assert statistic < chi2.ppf(1 - 1e-6, used.sum() - 1)


def test_temperature_near_zero_is_greedy(lm_eval: Lmeval, model: Path) -> None:
    greedy = lm_eval(model, tasks="prompt_sensitivity_mini_synonym", limit=3, gen_kwargs="max_gen_toks=8")
    cold = lm_eval(
        model,
        tasks=SYNONYM,
        limit=3,
        gen_kwargs="max_gen_toks=8,temperature=0.000000001",
        metadata={"n_samples": 2},
    )
    for one, many in zip(greedy.rows("prompt_sensitivity_mini_synonym"), cold.rows(SYNONYM), strict=True):
        assert many["resps"] == [[text] * 2 for (text,) in one["resps"]]
        assert many["within_distance"] == 0.0
        assert many["between_distance"] == pytest.approx(one["cosine_distance"], abs=1e-6)


def test_a_number_falls_on_the_cumulated_probabilities() -> None:
    logits = torch.log(torch.tensor([[0.0, 0.25, 0.0, 0.5, 0.25, 0.0]])).repeat(6, 1)
    numbers = torch.tensor([0.0, 0.2499, 0.2501, 0.7499, 0.7501, np.nextafter(1.0, 0.0)], dtype=torch.float64)
    assert choose_tokens(logits, 1.0, numbers).tolist() == [1, 1, 3, 3, 4, 4]
    # At half the temperature the shares are squared: 1/6, 4/6, 1/6.
    assert choose_tokens(logits, 0.5, numbers).tolist() == [1, 3, 3, 3, 3, 4]
    assert choose_tokens(logits, 1e-300, numbers).tolist() == [3] * 6
    assert 0 <= int(choose_tokens(torch.full((1, 4), math.nan), 1.0, numbers[:1])[0]) < 4


def test_streams_are_independent_of_each_other() -> None:
    names = [(0, [1, 2], 0), (1, [1, 2], 0), (0, [1, 2], 1), (0, [12], 0), (0, [1], 2)]
    streams = [tuple(uniforms(seed, prompt, replicate, 8)) for seed, prompt, replicate in names]
    assert len(set(streams)) == len(names)
    assert tuple(uniforms(0, [1, 2], 0, 3)) == streams[0][:3]


# ---- what a run says


def test_identical_prompts_do_not_separate_and_words_say_it_once(lm_eval: Lmeval, model: Path) -> None:
    run = lm_eval(
        model,
        tasks=f"{IDENTICAL},{SYNONYM}",
        limit=4,
        gen_kwargs="temperature=0.8,max_gen_toks=4",
        metadata={"n_samples": 10},
    )
    # Four valid p-values: one of them is at or below 0.001 in one of 250 runs at most.
    rows = run.rows(IDENTICAL, "answer")
    assert all(row["separated"]["p_value"] > 0.001 for row in rows)
    n_lost = 0
    for row in rows:
        samples = [sample for side in row["filtered_resps"] for sample in side]
        lost = unread(*samples)
        n_lost += sum(sample in lost or not sample.strip() for sample in samples)
    words = "4 of 4 pairs scored" + (f", {n_lost} of 80 samples of scored pairs left out" if n_lost else "")
    assert run.value(IDENTICAL, "pair", "answer") == words
    assert run.value(IDENTICAL, "separated", "answer") == separated_in_words(
        [row["separated"] for row in rows]
    )
    for name in ("within_distance", "between_distance", "excess_distance"):
        assert run.value(IDENTICAL, name) == pytest.approx(
            np.mean([row[name] for row in run.rows(IDENTICAL)])
        )
    printed = " ".join(run.output.split())
    assert printed.count("of 4 pairs of identical prompts") == 1
    assert "of 4 pairs of synonym (Holm per rung at 0.05); of 4 pairs of identical prompts" in printed
    row = run.rows(SYNONYM)[0]
    assert row["excess_distance"] == pytest.approx(row["between_distance"] - row["within_distance"])
    record = row["pair"]
    assert record["schema_version"] == 1
    assert record["scores"]["within_distance"] == pytest.approx(
        (record["scores"]["within_base"] + record["scores"]["within_variant"]) / 2
    )
    assert record["base"]["scaffold_status"] == ["none"] * 10
    assert (row["separated"]["draws"], row["separated"]["seed"]) == (9_999, 0)
    summary = run.results["configs"][SYNONYM]["metadata"]["sensitivity"]
    assert summary["sampling"] == {"temperature": 0.8, "n_samples": 10, "seed": 0, "attainable_p": 1e-4}
    assert summary["identity"]["decoding"]["temperature"] == 0.8
    assert summary["decoding"]["greedy"] is False
    assert "repetition_penalty" in summary["notes"]["neutralised_generation_settings"]


def test_both_groups_in_one_run_and_commands_leave_the_samples_out(lm_eval: Lmeval, model: Path) -> None:
    settings: dict[str, Any] = {"limit": 2, "gen_kwargs": "max_gen_toks=4"}
    mini = "prompt_sensitivity_mini_synonym"
    run = lm_eval(model, tasks=f"{mini},{SYNONYM}", metadata={"n_samples": 2}, **settings)
    alone = lm_eval(model, tasks=mini, **settings)
    assert run.rows(mini)[0]["pair"]["system"] == alone.rows(mini)[0]["pair"]["system"]
    assert run.rows(SYNONYM)[0]["pair"]["system"] != alone.rows(mini)[0]["pair"]["system"]
    assert run.value(SYNONYM, "separated").startswith("cannot be said: the smallest p of a pair is 0.33")
    pairs = load_runs([run.folder])
    assert pairs.table.num_rows == load_runs([alone.folder]).table.num_rows == 4
    assert [SYNONYM in each.text and "sampled outputs" in each.text for each in pairs.left_out] == [True]
    only = lm_eval(model, tasks=SYNONYM, metadata={"n_samples": 2}, **settings)
    with pytest.raises(InputError, match="sets of sampled outputs"):
        load_runs([only.folder])


# ---- engines that return text


def test_erased_pairs_are_counted_and_equal_samples_are_reported(caplog: pytest.LogCaptureFixture) -> None:
    engine = TextEngine(lambda prompt: f"Answer {zlib.crc32(prompt.encode())}")
    results = evaluate(engine, tasks=NOOP, metadata={"n_samples": 7})
    assert "All samples of each prompt are equal" in caplog.text
    rows = [row for row in results["samples"][NOOP] if row["filter"] == "raw"]
    erased = [row for row in rows if row["doc"]["edit"] in EDGES]
    for row in erased:
        assert row["pair"]["missing"]["excess_distance"].startswith("erased")
        assert row["separated"] == {"p_value": None, "reason": row["pair"]["missing"]["excess_distance"]}
        assert math.isnan(row["within_distance"])
    n, n_scored = len(rows), len(rows) - len(erased)
    table = table_of(results, NOOP)
    assert table["pair,raw"] == f"{n_scored} of {n} pairs scored, {len(erased)} of {n} pairs erased"
    # One output against another: within 0, between above 0, and the smallest p that seven samples allow.
    assert table["separated,raw"].startswith(f"{n_scored} of {n_scored} pairs separate")


class SeededEngine(TextEngine):
    """Sends a fixed seed with every request, as engines behind an HTTP interface do."""

    seeds: list[Any]

    def _create_payload(self, messages: Any, seed: int = 1234) -> None: ...

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        self.seeds.append([request.args[1].get("seed") for request in requests])
        assert all(request.args[1]["do_sample"] for request in requests)
        return super().generate_until(requests)


def test_an_engine_that_would_repeat_its_seed_gets_one_per_call() -> None:
    engine = SeededEngine(lambda prompt: f"Answer to {prompt}")
    engine.seeds = []
    evaluate(engine, tasks=f"{IDENTICAL},{SYNONYM}", metadata={"n_samples": 3}, limit=2)
    # Three samples of the bases, three of the variants, three of the second sets of the identical rung.
    calls = [set(seeds) for seeds in engine.seeds]
    assert all(len(seeds) == 1 for seeds in calls)
    assert len(calls) == len(set().union(*calls)) == 9
    plain = TextEngine(lambda prompt: f"Answer to {prompt}")
    evaluate(plain, tasks=IDENTICAL, metadata={"n_samples": 2}, limit=1)
    assert len(plain.asked) == 4


def test_samples_of_a_text_engine_are_kept(tmp_path: Path) -> None:
    options = {"use_cache": str(tmp_path / "cache"), "metadata": {"model": "m", "n_samples": 2}, "limit": 1}
    first = evaluate(TextEngine(lambda prompt: f"Answer to {prompt}"), tasks=IDENTICAL, **options)
    again = TextEngine(lambda prompt: "never asked")
    assert repr(evaluate(again, tasks=IDENTICAL, **options)["samples"]) == repr(first["samples"])
    assert again.asked == []


# ---- doors


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"n_samples": 1}, "`n_samples` is 1; expected a whole number from 2 to 1000. The smallest p"),
        ({"n_samples": 1001}, "from 2 to 1000"),
        ({"n_samples": "10"}, "is '10'"),
        ({"n_samples": True}, "is True"),
        ({"n_samples": 2.5}, "is 2.5"),
        ({"n_sample": 5}, "did you mean `n_samples`"),
        ({"seed": -1}, "`seed` is -1"),
        ({"draws": 9}, "`draws` is 9; expected a whole number from 99 to 1000000"),
        ({"reference": "runs/x"}, "`reference` is not accepted by prompt_sensitivity_sampling"),
    ],
)
def test_bad_options_are_refused(metadata: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_sampling_options(metadata)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"temperature": 0}, "at a temperature above 0"),
        ({"temperature": -0.5}, "at a temperature above 0"),
        ({"temperature": "nan"}, "at a temperature above 0"),
        ({"temperature": "warm"}, "not a number"),
        ({"do_sample": False}, "For greedy outputs run"),
        ({"top_p": 0.9}, "`top_p=0.9` is not accepted.*whole distribution"),
        ({"top_k": 5}, "`top_k=5` is not accepted"),
        ({"repetition_penalty": 1.1}, "repetition_penalty=1.1` is not accepted"),
        ({"max_gen_tok": 3}, "Did you mean 'max_gen_toks'"),
        ({"max_gen_toks": 0}, "1 or more"),
    ],
)
def test_bad_decoding_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_sampled_decoding(settings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gen_kwargs": "temperature=0"}, "at a temperature above 0"),
        ({"metadata": {"n_samples": 1}}, "from 2 to 1000"),
    ],
)
def test_a_mistake_is_reported_before_generation(
    options: dict[str, Any], words: str, lm_eval: Lmeval, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Decoder, "generate", lambda *args: pytest.fail("generated before the mistake was reported")
    )
    with pytest.raises(InputError, match=words):
        lm_eval(model, tasks=SYNONYM, **options)


def test_too_few_samples_for_a_rung_are_said_before_the_run() -> None:
    # Exact values: the smallest p is 2 of C(2n, n) splits; six samples allow 2/924, seven 2/3432.
    assert too_few_to_separate(SamplingOptions(6), 23) is None
    words = too_few_to_separate(SamplingOptions(6), 24)
    assert words is not None
    assert "smallest p of a pair is 0.0022, and 24 pairs need 0.0021" in words
    assert words.endswith("7 samples (--metadata n_samples) are enough.")


def test_where_samples_are_many_and_pairs_too_more_draws_are_asked_for() -> None:
    """The smallest p of 30 against 30 is that of the draws: no number of samples makes it smaller."""
    words = str(too_few_to_separate(SamplingOptions(30), 501))
    assert words.endswith("100199 draws (--metadata draws) are enough.")
    assert too_few_to_separate(SamplingOptions(30, draws=100_199), 501) is None
    assert "7 samples" in str(too_few_to_separate(SamplingOptions(6, draws=99_999), 24))
    few = [{"p_value": 1e-4, "attainable_p": 1e-4, "method": "draws"}] * 501
    assert separated_in_words(few).endswith("take more draws")
    closing = " ".join(sampled_closing_words([SampledNote("synonym", "answer", each, None) for each in few]))
    assert "Take more draws (--metadata draws)." in closing


def test_the_way_out_of_unreadable_samples_names_nothing_that_sampled_runs_lack() -> None:
    test = {"p_value": None, "attainable_p": None}
    closing = " ".join(sampled_closing_words([SampledNote("synonym", "answer", test, "unreadable")]))
    assert "cannot read 1 of 1 sampled pairs" in closing and "--metadata" in closing
    assert "rescore" not in closing and "text_edit_distance" not in closing


def test_a_row_is_readable_json(lm_eval: Lmeval, tmp_path: Path) -> None:
    """Predicting only: the samples are there, and nothing is measured."""
    run = lm_eval(
        "unused",
        model="dummy",
        tasks=SYNONYM,
        limit=1,
        metadata={"n_samples": 2},
        predict_only=True,
        apply_chat_template=False,
    )
    row = run.rows(SYNONYM)[0]
    assert [len(side) for side in row["resps"]] == [2, 2]
    assert "scores" not in row["pair"]
    assert json.loads(json.dumps(row["pair"]))["base"]["n_tokens"] == [None, None]
    assert run.value(SYNONYM, "pair") == "1 pairs sampled, not measured"
