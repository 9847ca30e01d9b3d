"""Greedy must mean greedy: neutralize every generation setting that bends the argmax, and say which.

`model.generate` lets a checkpoint's own `generation_config.json` through even when nothing was asked
for, so a repetition penalty shipped with a model would be measured as the model's sensitivity.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NEUTRAL_VALUES: dict[str, tuple[Any, ...]] = {
    "do_sample": (False,),
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "temperature": (1.0,),
    "top_k": (50, 0),
    "top_p": (1.0,),
    "min_p": (),
    "top_h": (),
    "typical_p": (1.0,),
    "epsilon_cutoff": (0.0,),
    "eta_cutoff": (0.0,),
    "repetition_penalty": (1.0,),
    "encoder_repetition_penalty": (1.0,),
    "length_penalty": (1.0,),
    "diversity_penalty": (0.0,),
    "penalty_alpha": (),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "bad_words_ids": (),
    "force_words_ids": (),
    "constraints": (),
    "sequence_bias": (),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "suppress_tokens": (),
    "begin_suppress_tokens": (),
    "exponential_decay_length_penalty": (),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "max_length": (20,),
    "max_new_tokens": (),
    "max_time": (),
    "stop_strings": (),
    "early_stopping": (False,),
    "guidance_scale": (1.0,),
    "watermarking_config": (),
    "token_healing": (False,),
    "dola_layers": (),
    "remove_invalid_values": (False,),
    "renormalize_logits": (False,),
    "prompt_lookup_num_tokens": (),
    "use_mtp": (False,),
    "output_attentions": (False,),
    "output_hidden_states": (False,),
    "output_scores": (False,),
    "output_logits": (False,),
    "return_dict_in_generate": (False,),
}
"""Setting -> values (besides None) that change nothing. Any other value is neutralized and recorded."""


def neutralized_settings(generation_config: Any) -> dict[str, Any]:
    """Settings of a generation config that would bend greedy decoding, with the values found.

    Returns:
        Name to value found; empty where the config bends nothing.

    Example:
        >>> from types import SimpleNamespace
        >>> neutralized_settings(SimpleNamespace(repetition_penalty=1.1, top_p=1.0, eos_token_id=2))
        {'repetition_penalty': 1.1}
    """
    found = {name: getattr(generation_config, name, None) for name in NEUTRAL_VALUES}
    return {
        name: value
        for name, value in found.items()
        if value is not None and value not in NEUTRAL_VALUES[name]
    }


@contextmanager
def greedy_generation_config(model: Any) -> Iterator[dict[str, Any]]:
    """Neutralise `model.generation_config` for the time of the block.

    Passing a neutral config as an argument is not enough: generate fills every unset value from
    `model.generation_config`. The object itself is changed and restored, not replaced, because a wrapper
    around a model (adapters, quantizers) hands out the inner model's config and a replacement would stay
    on the wrapper. What does not bend the argmax (end tokens, cache kind) is kept.

    Yields:
        The settings that were neutralized, with their original values.
    """
    config = model.generation_config
    original = {name: getattr(config, name) for name in NEUTRAL_VALUES if hasattr(config, name)}
    found = neutralized_settings(config)
    for name in original:
        setattr(config, name, None)
    config.do_sample = False
    try:
        yield found
    finally:
        for name, value in original.items():
            setattr(config, name, value)


def end_token_ids(model: Any, tokenizer: Any) -> list[int]:
    """The ids that end an output.

    A turn-end token is often not the tokenizer's EOS (Phi-3, Gemma), and a base model's generation
    config may know none at all, so both sources count.

    Returns:
        The model's own end tokens and the tokenizer's, each once and sorted; empty where neither has one.
    """
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = [configured] if isinstance(configured, int) else list(configured or [])
    if tokenizer.eos_token_id is not None:
        ids.append(tokenizer.eos_token_id)
    return sorted({int(token_id) for token_id in ids})
