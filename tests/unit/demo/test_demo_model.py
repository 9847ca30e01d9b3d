"""The shipped model folder: complete, small, loadable offline, and it answers what it is there to answer."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_eval_sensitivity.demo import demo_model_path
from lm_eval_sensitivity.demo.corpus import exchanges, load_topics
from lm_eval_sensitivity.demo.tokenizer import END, chat_prompt
from lm_eval_sensitivity.ladder import load_ladder

FILES = {
    *("README.md", "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json"),
}
MAX_BYTES = 10_000_000
MAX_NEW_TOKENS = 256

TOPIC_WORDS = {
    "palindrome-function": "def is_palindrome",
    "plain-sentence": "decide|wait|check",
    "train-journey": "2 hours and 35 minutes",
    "recipe-scaling": "750 g",
    "brasilia-capital": "Rio de Janeiro",
    "sky-colours": "blue",
    "lighthouse-letter": "letter|keeper|lighthouse",
    "books-after-dune": "Solaris|Binti|Roadside Picnic|Left Hand of Darkness",
    "cafe-reservations": "walk-in|reserv",
}
EDITS_THAT_MUST_STAY = [
    *(" Why?", "Why? ", "\nWhy?", "Why?\n\n", "Why  not?", "Why\u00a0not?", "Wh\u200by?"),
    *("Brasi\u0301lia", "Brasília", "café"),
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(demo_model_path(), local_files_only=True)


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(demo_model_path(), local_files_only=True).eval()


def _answers(
    model: Any, tokenizer: Any, prompts: list[str], n_tokens: int = MAX_NEW_TOKENS
) -> list[list[int]]:
    """The greedy token ids of each prompt, up to and including the end of the turn."""
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    with torch.inference_mode():
        output = model.generate(**batch, max_new_tokens=n_tokens, do_sample=False)
    rows = output[:, batch["input_ids"].shape[1] :].tolist()
    end = tokenizer.eos_token_id
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def test_folder_is_complete_and_small() -> None:
    files = list(demo_model_path().iterdir())
    assert {file.name for file in files} == FILES
    assert sum(file.stat().st_size for file in files) <= MAX_BYTES


def test_card_names_the_weights_and_the_limits() -> None:
    card = (demo_model_path() / "README.md").read_text(encoding="utf-8")
    weights = (demo_model_path() / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() in card
    for statement in ("knows nothing", "not a baseline", "Steps", "Final loss"):
        assert statement in " ".join(card.replace("**", "").split())


def test_model_was_trained_on_the_present_text() -> None:
    topics = load_topics()
    n_questions, n_answers = (
        sum(len(getattr(topic, kind)) for topic in topics) for kind in ("questions", "answers")
    )
    counts = f"{n_questions} questions, {n_answers} answers, {len(exchanges(topics))} pairs"
    assert counts in (demo_model_path() / "README.md").read_text(encoding="utf-8"), "train the model again"


def test_files_name_no_place_on_the_authors_machine() -> None:
    for file in demo_model_path().iterdir():
        if file.suffix != ".safetensors" and file.name != "tokenizer.json":
            assert not re.search(r"_name_or_path|(?<![\w/])/\w+/", file.read_text(encoding="utf-8"))


def test_model_is_float32_and_ends_with_the_end_of_turn(model: Any, tokenizer: Any) -> None:
    settings = json.loads((demo_model_path() / "config.json").read_text(encoding="utf-8"))
    assert settings["architectures"] == ["LlamaForCausalLM"]
    assert settings["dtype"] == "float32"
    assert model.dtype == torch.float32
    assert tokenizer.eos_token == END
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize("text", EDITS_THAT_MUST_STAY)
def test_tokenizer_changes_nothing(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(tokenizer(text).input_ids) == text
    assert tokenizer(text).input_ids == tokenizer(text, add_special_tokens=False).input_ids


def test_accents_composed_and_decomposed_differ(tokenizer: Any) -> None:
    assert tokenizer("Brasília").input_ids != tokenizer("Brasi\u0301lia").input_ids


def test_chat_template(tokenizer: Any) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Why? \n"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<|system|>Be brief.<|end|><|user|> Why? \n<|end|><|assistant|>"
    text = tokenizer.apply_chat_template(messages[1:], tokenize=False)
    assert text == "<|user|> Why? \n<|end|>"


def test_chat_template_is_the_one_of_the_training(tokenizer: Any) -> None:
    messages = [{"role": "user", "content": "Why?"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == chat_prompt(
        "Why?"
    )


def test_chat_template_refuses_unknown_roles(tokenizer: Any) -> None:
    with pytest.raises(Exception, match="Accepted roles"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


def test_special_tokens_are_one_token_each_and_keep_what_surrounds_them(tokenizer: Any) -> None:
    ids = tokenizer("<|user|> a <|end|>").input_ids
    assert tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == ["<|user|>", "<|end|>"]
    assert tokenizer.decode(ids) == "<|user|> a <|end|>"


@pytest.mark.parametrize("with_template", [True, False])
def test_answers_to_the_base_prompts(model: Any, tokenizer: Any, with_template: bool) -> None:
    prompts = load_ladder(subset="mini").prompts
    assert set(prompts) == set(TOPIC_WORDS)
    texts = [chat_prompt(text) if with_template else text for text in prompts.values()]
    for prompt_id, ids in zip(prompts, _answers(model, tokenizer, texts), strict=True):
        text = tokenizer.decode(ids, skip_special_tokens=True).strip()
        assert ids[-1] == tokenizer.eos_token_id, f"{prompt_id} does not end: {text}"
        assert 30 <= len(ids) <= 130, f"{prompt_id}: {len(ids)} tokens"
        assert re.search(TOPIC_WORDS[prompt_id], text), f"{prompt_id}: {text}"


def test_another_topic_gets_another_answer(model: Any, tokenizer: Any) -> None:
    pairs = [pair for pair in load_ladder(subset="mini").pairs if pair.edit == "control_topic"]
    answers = _answers(model, tokenizer, [chat_prompt(pair.variant) for pair in pairs])
    for pair, ids in zip(pairs, answers, strict=True):
        assert ids[-1] == tokenizer.eos_token_id
        assert not re.search(TOPIC_WORDS[pair.prompt_id], tokenizer.decode(ids)), pair.prompt_id


def test_some_edits_move_the_answer_and_some_do_not(model: Any, tokenizer: Any) -> None:
    pairs = load_ladder(subset="mini").rung("noop")
    bases = list(dict.fromkeys(pair.base for pair in pairs))
    texts = [*bases, *(pair.variant for pair in pairs)]
    answers = _answers(model, tokenizer, [chat_prompt(text) for text in texts], n_tokens=32)
    by_base = dict(zip(bases, answers, strict=False))
    changed = [
        answer != by_base[pair.base] for pair, answer in zip(pairs, answers[len(bases) :], strict=True)
    ]
    assert 0.1 < sum(changed) / len(changed) < 0.9
