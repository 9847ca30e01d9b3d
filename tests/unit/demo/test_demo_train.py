"""The training script: deterministic, tidy, and careful with what is already there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lm_eval_sensitivity.demo.corpus import Exchange, load_topics
from lm_eval_sensitivity.demo.examples import BATCHES_PER_POOL, Mixture, endless_batches
from lm_eval_sensitivity.demo.tokenizer import train_tokenizer
from lm_eval_sensitivity.demo.train import Settings, main, save, schedule, train
from lm_eval_sensitivity.errors import InputError

TINY = Settings(
    steps=4,
    vocab_size=300,
    hidden_size=32,
    n_layers=1,
    n_heads=2,
    intermediate_size=32,
    warmup_steps=2,
    mixture=Mixture(batch_size=2),
)
TOPICS = load_topics()[:3]


def _bytes(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        save(train(TOPICS, TINY), tmp_path / name)
    assert _bytes(tmp_path / "first") == _bytes(tmp_path / "second")


def test_another_seed_gives_other_weights() -> None:
    weights = [
        train(TOPICS, Settings(**{**vars(TINY), "seed": seed})).model.lm_head.weight for seed in (1, 2)
    ]
    assert not torch.equal(*weights)


def test_training_leaves_torch_as_it_was() -> None:
    state, n_threads = torch.get_rng_state(), torch.get_num_threads()
    train(TOPICS, TINY)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == n_threads
    assert not torch.are_deterministic_algorithms_enabled()


def test_saved_folder_loads(tmp_path: Path) -> None:
    demo = train(TOPICS, TINY)
    save(demo, tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(model.lm_head.weight, demo.model.lm_head.weight)
    assert len(AutoTokenizer.from_pretrained(tmp_path)) == demo.tokenizer.get_vocab_size()
    assert f"{demo.training.final_loss_nats:.4f}" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_schedule_rises_then_falls() -> None:
    factors = [schedule(step, Settings(steps=100, warmup_steps=10)) for step in range(101)]
    assert factors.index(max(factors)) in (9, 10)
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[-1] == pytest.approx(0.02)


def test_examples_keep_the_text_and_learn_answers_only() -> None:
    tokenizer = train_tokenizer(["Why? Because."], vocab_size=270)
    batches = endless_batches(
        [Exchange("why", "Why?", "Because.")], ["Be brief."], tokenizer, Mixture(batch_size=4), 0
    )
    examples = [example for _ in range(BATCHES_PER_POOL) for example in next(batches)]
    seen = {
        tuple(
            tokenizer.decode(ids, skip_special_tokens=False)
            for ids in (example.ids[: example.n_prompt], example.ids[example.n_prompt :])
        )
        for example in examples
    }
    assert seen == {
        ("<|user|>Why?<|end|><|assistant|>", "Because.<|end|>"),
        ("<|system|>Be brief.<|end|><|user|>Why?<|end|><|assistant|>", "Because.<|end|>"),
        ("Why?", "\n\nBecause.<|end|>"),
        ("<|assistant|>", "Because.<|end|>"),
    }


def test_full_folder_is_refused(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="--overwrite"):
        main(["--output", str(tmp_path)])
    assert kept.read_text(encoding="utf-8") == "mine"


def test_file_as_output_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model"
    file.write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="is a file"):
        main(["--output", str(file), "--overwrite"])


def test_no_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`--steps` is 0"):
        main(["--output", str(tmp_path / "model"), "--steps", "0"])


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for option in ("--output", "--steps", "--seed", "--overwrite"):
        assert option in text
