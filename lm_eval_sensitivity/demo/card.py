"""The demo model's card, written from the numbers of its training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Training:
    """What the card tells about one training run."""

    steps: int
    seed: int
    threads: int
    formats: str
    """How the examples were formatted, in words."""
    n_tokens: int
    """Training tokens seen, padding left out."""
    n_parameters: int
    n_questions: int
    n_answers: int
    n_exchanges: int
    """Distinct question-answer pairs."""
    final_loss_nats: float
    """Mean over the last steps, per answer token."""
    torch_version: str


CARD = """\
---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [demo]
---

# Demo model of lm-eval-sensitivity

**A demonstration, nothing else.** This chat model of {n_parameters:,} parameters knows nothing: it was
trained on {n_answers} short answers, and outside them it says something fluent about the wrong subject. It
is here so that every command of the package runs at once, without a download and without a GPU. **It is not
a baseline.** Do not compare other models with it, and do not believe what it says.

Its sensitivity is real, not staged. Each topic of its training text has several questions and several
equally good answers, and the model learned all of them. Where two answers are close, a small edit of the
prompt tips the choice, and where they are not, it does not. The base prompts of the small ladder are among
the questions. Their variants are not: nothing was added to make the model robust against an edit, or
fragile. The neighbouring subjects were chosen so that a changed request meets a different answer.

## How it was made

    python -m lm_eval_sensitivity.demo.train --output DIR --steps {steps} --seed {seed}

| | |
|---|---|
| Architecture | Llama, float32, tied embeddings |
| Tokenizer | byte-level BPE without a normalizer, trained on the same text |
| Text | {n_questions} questions, {n_answers} answers, {n_exchanges} pairs, written for it (`demo/corpus`) |
| Formats | {formats} |
| Steps | {steps} |
| Tokens seen | {n_tokens:,} |
| Final loss | {final_loss_nats:.4f} nats per answer token |
| Seed, threads, torch | {seed}, {threads}, {torch_version} |
| SHA-256 of `model.safetensors` | `{digest}` |

Training takes a few minutes on one processor core. The same settings on the same kind of processor, with
the same releases of torch, transformers and tokenizers, give the same bytes. Elsewhere the weights differ
in their last digits, and some answers with them.

## Limits

It answers the nine prompts of the small ladder, their rewordings and some neighbouring subjects, in
English, in 30 to 120 tokens. It cannot calculate: it repeats worked examples, and other numbers give wrong
results.
"""


def write_card(path: Path, training: Training, digest: str) -> None:
    """Write the card.

    Args:
        path: file to write.
        training: numbers of the training run.
        digest: SHA-256 of the weights file, in hexadecimal.
    """
    path.write_text(CARD.format(digest=digest, **vars(training)), encoding="utf-8", newline="\n")
