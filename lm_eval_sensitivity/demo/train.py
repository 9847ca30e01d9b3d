"""Train the embedded demo model: `python -m lm_eval_sensitivity.demo.train --output DIR`.

A plain PyTorch loop on the text in `demo/corpus`. The same seed, settings, library versions and kind
of processor give the same bytes; another processor or torch release may round differently and end
with other weights, which answer alike but not word for word.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tqdm import tqdm
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from lm_eval_sensitivity.demo.card import Training, write_card
from lm_eval_sensitivity.demo.corpus import Topic, all_wordings, exchanges, load_system_messages, load_topics
from lm_eval_sensitivity.demo.examples import Example, Mixture, endless_batches, pad
from lm_eval_sensitivity.demo.tokenizer import END, PAD, chat_prompt, save_tokenizer, train_tokenizer
from lm_eval_sensitivity.errors import InputError

N_FINAL_STEPS = 50
"""The final loss is the mean over this many last steps; one batch alone says little."""
N_SAMPLES = 8
"""About so many answers are printed after the training."""


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights, together with the corpus and the library versions."""

    steps: int = 1350
    seed: int = 20
    threads: int = 1
    """Sums are split between threads, so their number decides the last bits of every weight."""
    vocab_size: int = 3000
    hidden_size: int = 160
    n_layers: int = 5
    n_heads: int = 5
    intermediate_size: int = 432
    max_length: int = 2048
    learning_rate: float = 3e-3
    warmup_steps: int = 60
    weight_decay: float = 0.6
    mixture: Mixture = field(default_factory=Mixture)


@dataclass(frozen=True)
class Demo:
    """A trained demo model with everything that its folder needs."""

    model: LlamaForCausalLM
    tokenizer: Tokenizer
    training: Training


def train(topics: list[Topic], settings: Settings, *, progress: bool = False) -> Demo:
    """Train tokenizer and model from nothing. Torch's global settings are as before afterwards.

    Args:
        topics: the training text.
        settings: sizes, schedule and seed.
        progress: show a progress bar with the loss.

    Returns:
        Model in evaluation mode, tokenizer, and the numbers for the card.
    """
    systems = load_system_messages()
    answers = [text for topic in topics for marked in topic.answers for text in all_wordings(marked)]
    texts = [text for topic in topics for text in topic.questions] + answers
    tokenizer = train_tokenizer([*texts, *systems], settings.vocab_size)
    conversations = exchanges(topics)
    batches = endless_batches(conversations, systems, tokenizer, settings.mixture, settings.seed)
    with _deterministic(settings):
        model = LlamaForCausalLM(_config(settings, tokenizer)).train()
        losses, n_tokens = _fit(model, batches, settings, progress)
    last = losses[-N_FINAL_STEPS:]
    training = Training(
        steps=settings.steps,
        seed=settings.seed,
        threads=settings.threads,
        formats=settings.mixture.describe(),
        n_tokens=n_tokens,
        n_parameters=model.num_parameters(),
        n_questions=sum(len(topic.questions) for topic in topics),
        n_answers=sum(len(topic.answers) for topic in topics),
        n_exchanges=len(conversations),
        final_loss_nats=sum(last) / len(last),
        torch_version=torch.__version__,
    )
    return Demo(model.eval(), tokenizer, training)


def _fit(
    model: LlamaForCausalLM, batches: Iterator[list[Example]], settings: Settings, progress: bool
) -> tuple[list[float], int]:
    """Run all steps; returns the loss of every step and the number of tokens seen."""
    optimizer = _optimizer(model, settings)
    losses: list[float] = []
    n_tokens = 0
    for step in (bar := tqdm(range(settings.steps), disable=not progress, unit="step")):
        batch = next(batches)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule(step, settings)
        losses.append(_update(model, optimizer, batch))
        n_tokens += sum(len(example.ids) for example in batch)
        bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
    return losses, n_tokens


@contextmanager
def _deterministic(settings: Settings) -> Iterator[None]:
    """Seed torch, fix its threads and forbid nondeterministic kernels; put everything back at the end."""
    memory: Any = torch.utils.deterministic  # its one attribute has no type
    fills_memory = memory.fill_uninitialized_memory
    n_threads, is_deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(settings.threads)
    torch.use_deterministic_algorithms(True)
    # A guard against kernels that read fresh memory. None here does, and the guard costs a tenth of the time.
    memory.fill_uninitialized_memory = False
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            yield
    finally:
        memory.fill_uninitialized_memory = fills_memory
        torch.set_num_threads(n_threads)
        torch.use_deterministic_algorithms(is_deterministic)


def schedule(step: int, settings: Settings) -> float:
    """Factor on the learning rate: a linear warm-up, then a cosine down to 0.02.

    Args:
        step: from 0.
        settings: `steps` and `warmup_steps` are used.

    Returns:
        In (0, 1].

    Example:
        >>> schedule(0, Settings(steps=10, warmup_steps=2)), schedule(10, Settings(steps=10, warmup_steps=2))
        (0.5, 0.02)
    """
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    share = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return 0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2


def answer(demo: Demo, prompt: str, max_new_tokens: int = 256) -> str:
    """The greedy continuation of a prompt, special tokens removed.

    Args:
        demo: from `train`.
        prompt: rendered, as `chat_prompt` does.
        max_new_tokens: where it is cut.

    Returns:
        Text without the prompt.
    """
    ids = torch.tensor([demo.tokenizer.encode(prompt).ids])
    with torch.inference_mode():
        output = demo.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            eos_token_id=demo.model.config.eos_token_id,
            pad_token_id=demo.model.config.pad_token_id,
        )
    return str(demo.tokenizer.decode(output[0, ids.shape[1] :].tolist()))


def save(demo: Demo, folder: Path) -> None:
    """Write model, tokenizer, chat template and card into `folder`.

    Args:
        demo: from `train`.
        folder: made if need be; files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = demo.model.config
    demo.model.generation_config = GenerationConfig(
        eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id, do_sample=False
    )
    demo.model.save_pretrained(folder)
    save_tokenizer(demo.tokenizer, folder, config.max_position_embeddings)
    weights = folder / "model.safetensors"
    # safetensors makes it readable by its owner only, and a wheel keeps that.
    weights.chmod(0o644)
    write_card(folder / "README.md", demo.training, hashlib.sha256(weights.read_bytes()).hexdigest())


def _config(settings: Settings, tokenizer: Tokenizer) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=settings.hidden_size,
        intermediate_size=settings.intermediate_size,
        num_hidden_layers=settings.n_layers,
        num_attention_heads=settings.n_heads,
        max_position_embeddings=settings.max_length,
        initializer_range=0.04,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.token_to_id(END),
        pad_token_id=tokenizer.token_to_id(PAD),
        dtype="float32",
    )


def _optimizer(model: LlamaForCausalLM, settings: Settings) -> torch.optim.AdamW:
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": settings.weight_decay},
        # Shrinking the norm gains towards zero would only fight the learning rate.
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.95), fused=True)


def _update(model: LlamaForCausalLM, optimizer: torch.optim.Optimizer, batch: list[Example]) -> float:
    """One optimiser step; returns the mean loss per answer token, in nats."""
    padded_ids, padded_learned = pad(batch, model.config.pad_token_id)
    ids, learned = torch.tensor(padded_ids), torch.tensor(padded_learned)[:, 1:]
    # No attention mask: padding stands on the right, where causal attention never looks back from.
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    logits = model.lm_head(hidden[learned])
    loss = torch.nn.functional.cross_entropy(logits, ids[:, 1:][learned])
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return float(loss.item())


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m lm_eval_sensitivity.demo.train",
        description="Train the embedded demo model from the text in demo/corpus, on the CPU.",
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the model")
    parser.add_argument("--steps", type=int, default=defaults.steps, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=defaults.seed, metavar="S", help="default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="replace what --output already holds")
    return parser


def _check(arguments: argparse.Namespace) -> None:
    if arguments.steps < 1:
        raise InputError(
            f"`--steps` is {arguments.steps}; accepted: a whole number from 1. Choose a larger one."
        )
    output: Path = arguments.output
    if output.exists() and not output.is_dir():
        raise InputError(
            f"`--output` is {str(output)!r}, which is a file; a folder is needed. Choose another path."
        )
    if output.is_dir() and any(output.iterdir()) and not arguments.overwrite:
        raise InputError(
            f"`--output` is {str(output)!r}, which is not empty; accepted: a new or an empty folder. "
            "Choose another one, or add --overwrite to replace its content."
        )


def main(arguments: list[str] | None = None) -> None:
    """Train, print a few answers and write the model folder.

    Args:
        arguments: of the command line, those of the process by default.

    Raises:
        InputError: a number of steps below 1, or an output folder that would lose something.
    """
    options = _parser().parse_args(arguments)
    _check(options)
    settings = Settings(steps=options.steps, seed=options.seed)
    topics = load_topics()
    demo = train(topics, settings, progress=True)
    training = demo.training
    print(f"{training.n_parameters:,} parameters, {training.steps} steps, {training.n_tokens:,} tokens")
    print(f"final loss: {training.final_loss_nats:.4f} nats per answer token")
    for topic in topics[:: max(1, len(topics) // N_SAMPLES)]:
        question = topic.questions[0]
        print(f"\n>>> {question}\n{answer(demo, chat_prompt(question))}")
    if options.output.is_dir():
        shutil.rmtree(options.output)
    save(demo, options.output)
    print(f"\nWritten: {options.output}")


if __name__ == "__main__":
    main()
