from __future__ import annotations

import pytest

from lm_eval_sensitivity.runs.comparability import another_part

REFERENCE = {"architecture": "LlamaForCausalLM", "tokenizer": "a1", "transformers": "5.1"}


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({}, ""),
        ({"weights": "other", "dtype": "bfloat16"}, ""),
        ({"tokenizer": "b2"}, "tokenizer"),
        ({"tokenizer": "b2", "architecture": "GPT2LMHeadModel"}, "tokenizer"),
        ({"architecture": "GPT2LMHeadModel"}, "architecture"),
        # The same tokenizer, written down by another version.
        ({"tokenizer": "b2", "transformers": "4.9"}, ""),
        ({"tokenizer": "b2", "transformers": "4.9", "architecture": "GPT2LMHeadModel"}, "architecture"),
        # An adapter around the same model.
        ({"architecture": "PeftModelForCausalLM"}, ""),
        # An engine that cannot be looked into.
        (dict.fromkeys(REFERENCE), ""),
    ],
)
def test_only_what_is_recorded_of_both_tells_another_model(changed: dict[str, str], part: str) -> None:
    own = {**REFERENCE, **changed}
    assert (another_part(own, REFERENCE), another_part(REFERENCE, own)) == (part, part)
