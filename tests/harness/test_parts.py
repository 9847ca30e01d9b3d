"""The small parts of the harness, each against what it promises."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import GenerationConfig

from lm_eval_sensitivity.harness.close.table_rows import pairs_in_words
from lm_eval_sensitivity.harness.engines.batches import distinct
from lm_eval_sensitivity.harness.engines.hf.facts import is_bit_exact
from lm_eval_sensitivity.harness.engines.hf.greedy import NEUTRAL_VALUES, end_token_ids, neutralized_settings
from lm_eval_sensitivity.harness.engines.hf.weights import weights_checksum
from lm_eval_sensitivity.harness.generate.plan import PairInstance, Plan, generation_order, make_plan
from lm_eval_sensitivity.harness.tasks.output_folder import check_output_folder


def request(prompt: str, edit: str, base: str, variant: str, side: int, replicate: int = 0) -> PairInstance:
    doc = {"pair_id": f"{prompt}/{edit}", "prompt_id": prompt, "base": base, "variant": variant}
    return PairInstance(
        request_type="generate_traced",
        doc=doc,
        arguments=((base, variant)[side], {"max_gen_toks": 4}, replicate),
        idx=side,
        metadata=(edit, hash(prompt) % 1000, 1),
    )


def pair(prompt: str, edit: str, base: str, variant: str, replicate: int = 0) -> list[PairInstance]:
    return [request(prompt, edit, base, variant, 0), request(prompt, edit, base, variant, 1, replicate)]


@pytest.fixture
def plan() -> Plan:
    requests = [
        *pair("p", "identical", "aaa", "aaa", replicate=1),
        *pair("p", "space", "aaa", "aaa "),
        *pair("p", "erased", "aaa", "aaa"),
        *pair("q", "identical", "bbbbbb", "bbbbbb", replicate=1),
        *pair("q", "space", "bbbbbb", "bbbbbb "),
    ]
    return make_plan(requests)


def test_equal_requests_share_an_item_and_replicates_do_not(plan: Plan) -> None:
    found = [(item.context, item.replicate) for item in plan.items]
    assert found == [("aaa", 0), ("aaa", 1), ("aaa ", 0), ("bbbbbb", 0), ("bbbbbb", 1), ("bbbbbb ", 0)]
    assert plan.item_of_request == (0, 1, 0, 2, 0, 0, 3, 4, 3, 5)
    assert plan.pairs == ((0, 1), (0, 2), (3, 4), (3, 5))
    assert plan.base_items == {0, 3}


def test_the_longest_neighborhood_comes_first_its_base_before_its_variants(plan: Plan) -> None:
    first, again = generation_order(plan, [len(item.context) for item in plan.items])
    assert first == [3, 5, 0, 2]
    assert again == [1, 4], "replicates: apart, and in reverse order"


def test_repetitions_are_apart_from_each_other_each_number_in_an_order_of_its_own() -> None:
    prompts = [f"prompt {number}" for number in range(8)]
    requests = [each for p in prompts for each in pair(p, "identical", p, p, replicate=1)]
    requests += [each for p in prompts for each in pair(p, "space", p, f"{p} ")]
    plan = make_plan(requests, 3)
    assert len(plan.items) == 8 * 5, "a base, its variant and three repetitions"
    further = dict(zip(plan.item_of_request, plan.repetitions_of_request, strict=True))
    for index, item in enumerate(plan.items):
        numbers = [plan.items[each].replicate for each in further.get(index, ())]
        assert numbers == ([2, 3] if item.replicate == 1 else [])
        assert {plan.items[each].text for each in further.get(index, ())} <= {item.text}
    assert len(plan.pairs) == 8 * 4, "the base is compared with each of them"
    _, again = generation_order(plan, [len(item.text) for item in plan.items])
    rounds = [[plan.items[index] for index in again[at : at + 8]] for at in (0, 8, 16)]
    assert [{item.replicate for item in each} for each in rounds] == [{1}, {2}, {3}]
    assert len({tuple(item.text for item in each) for each in rounds}) == 3, "other neighbors in a batch"


def test_a_request_may_say_how_many_repetitions_it_wants() -> None:
    wanted = [replace(each, repetitions=2) for each in pair("p", "identical", "a", "a", replicate=1)]
    assert [item.replicate for item in make_plan(wanted, 3).items] == [0, 1, 2]


@pytest.mark.parametrize(
    ("dtype", "device", "autocast", "quantization", "exact"),
    [
        (torch.float32, "cpu", None, None, True),
        (torch.float64, "cpu", None, None, True),
        (torch.bfloat16, "cpu", None, None, False),
        (torch.float32, "cuda", None, None, False),
        (torch.float32, "cpu", torch.bfloat16, None, False),
        (torch.float32, "cpu", None, {"bits": 8}, False),
    ],
)
def test_only_a_cpu_in_single_precision_is_bit_exact(
    dtype: Any, device: str, autocast: Any, quantization: Any, exact: bool
) -> None:
    config = SimpleNamespace(quantization_config=quantization)
    lm = SimpleNamespace(
        model=SimpleNamespace(dtype=dtype, config=config),
        device=torch.device(device),
        mixed_precision_dtype=autocast,
    )
    assert is_bit_exact(lm) is exact


def test_retrained_rounded_and_renamed_weights_have_other_checksums() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Linear(8, 2))
    changed = copy.deepcopy(model)
    with torch.no_grad():
        changed[0].weight[3, 5] += 1e-6
    swapped = copy.deepcopy(model)
    with torch.no_grad():
        swapped[0].weight[[0, 1]] = swapped[0].weight[[1, 0]]
    checksums = {
        weights_checksum(m).sha256
        for m in (
            model,
            changed,
            swapped,
            copy.deepcopy(model).to(torch.bfloat16),
            torch.nn.ModuleList(model),
        )
    }
    assert weights_checksum(copy.deepcopy(model)).sha256 == weights_checksum(model).sha256
    assert len(checksums) == 4, "only the last, with the same names and values, is the same"


def test_weights_that_are_not_in_memory_are_counted() -> None:
    checksum = weights_checksum(torch.nn.Linear(4, 4, device="meta"))
    assert (checksum.n_tensors, checksum.n_unread) == (2, 2)


def test_every_setting_of_generate_is_known_to_bend_or_not_to_bend() -> None:
    """A new transformers version with a new setting must be looked at before it can bend the argmax unseen."""
    harmless = {
        "use_cache", "cache_implementation", "cache_config", "max_cache_len", "pad_token_id", "bos_token_id",
        "eos_token_id", "decoder_start_token_id", "compile_config", "disable_compile", "low_memory",
        "prefill_chunk_size", "transformers_version", "continuous_batching_config", "is_assistant",
        "num_assistant_tokens", "num_assistant_tokens_schedule", "assistant_confidence_threshold",
        "assistant_early_exit", "assistant_lookbehind", "target_lookbehind", "assistant_ensemble_weight",
        "speculation_type", "max_matching_ngram_size", "generation_kwargs",
    }  # fmt: skip
    settings = {name for name in vars(GenerationConfig()) if not name.startswith("_")}
    assert settings - harmless - set(NEUTRAL_VALUES) == set()


def test_a_default_generation_config_has_nothing_to_neutralize() -> None:
    assert neutralized_settings(GenerationConfig()) == {}
    sampling = GenerationConfig(do_sample=True, temperature=0.6, top_p=0.9)
    assert neutralized_settings(sampling) == {"do_sample": True, "temperature": 0.6, "top_p": 0.9}


@pytest.mark.parametrize(
    ("configured", "tokenizer_eos", "expected"),
    [(5, 7, [5, 7]), ([5, 6], 5, [5, 6]), (None, 7, [7]), (None, None, []), ([9], None, [9])],
)
def test_end_tokens_come_from_the_model_and_the_tokenizer(
    configured: Any, tokenizer_eos: int | None, expected: list[int]
) -> None:
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=configured))
    assert end_token_ids(model, SimpleNamespace(eos_token_id=tokenizer_eos)) == expected


def test_pairs_are_counted_in_words() -> None:
    reasons = [
        None,
        "erased: the edit does not reach the token ids",
        "erased: the edit does not reach the token ids",
        "unclosed: the scaffold of the base never ends: there is no answer",
    ]
    records = [{"missing": {"cosine_distance": r} if r else {"js_divergence": "text only"}} for r in reasons]
    assert (
        pairs_in_words([{**record, "scores": {}} for record in records])
        == "1 of 4 pairs scored, 2 of 4 pairs erased, 1 unclosed"
    )
    assert pairs_in_words(records) == "4 pairs generated, not measured"


def test_the_output_folder_is_only_checked_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_output_folder()
    monkeypatch.setitem(globals(), "__name__", "lm_eval.evaluator")  # whose variables are looked at
    evaluation_tracker = SimpleNamespace(output_path=str(tmp_path / "new" / "folder"))
    check_output_folder()
    assert list((tmp_path / "new" / "folder").iterdir()) == [], "the write test leaves nothing behind"
    assert evaluation_tracker.output_path


def test_a_replicate_never_shares_a_batch_with_its_first_run() -> None:
    prompts = ["ab", "c", "d", "c", "ab"]
    assert distinct([0, 1, 2, 3, 4], prompts) == [0, 1, 2]
    assert distinct([2, 3, 4], prompts) == [2, 3, 4]
    assert distinct([], prompts) == []
