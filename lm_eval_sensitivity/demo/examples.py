"""From exchanges to batches: formats, token ids and padding. No torch here.

Three formats are mixed. Most examples are conversations in the chat template, some of them with a
system message. Others are the bare question, a blank line and the answer, so that the model also
continues a prompt that was sent without a template. A few are an assistant's turn alone, so that it
keeps to a subject once it has begun, whatever it was asked. No text is altered.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tokenizers import Tokenizer

from lm_eval_sensitivity.demo.corpus import Exchange, draw_wording
from lm_eval_sensitivity.demo.tokenizer import ASSISTANT, END, chat_prompt

BATCHES_PER_POOL = 32
"""Batches are cut from a pool sorted by length: less padding, and still a random order."""


@dataclass(frozen=True)
class Mixture:
    """How examples are formatted."""

    batch_size: int = 16
    raw_share: float = 0.35
    """Share of examples without the chat template."""
    answer_only_share: float = 0.1
    """Share of examples without a question."""
    system_share: float = 0.2
    """Share of conversations that open with a system message."""

    def describe(self) -> str:
        """The formats in words, for the model card.

        Returns:
            Shares in percent.

        Example:
            >>> Mixture(raw_share=0.25, answer_only_share=0.05, system_share=0.2).describe()
            '70 % chat template (20 % of them with a system message), 25 % without, 5 % answer alone'
        """
        chat_share = 1 - self.raw_share - self.answer_only_share
        return (
            f"{chat_share:.0%} chat template ({self.system_share:.0%} of them with a system message), "
            f"{self.raw_share:.0%} without, {self.answer_only_share:.0%} answer alone"
        ).replace("%", " %")


@dataclass(frozen=True)
class Example:
    """One training sequence."""

    ids: list[int]
    n_prompt: int
    """The first tokens, which the model reads but does not learn to write."""


def endless_batches(
    conversations: list[Exchange], systems: list[str], tokenizer: Tokenizer, mixture: Mixture, seed: int
) -> Iterator[list[Example]]:
    """Batches without end: every exchange once per round, in a new order and in newly drawn formats.

    Args:
        conversations: questions and answers.
        systems: system messages to draw from.
        tokenizer: from `train_tokenizer`.
        mixture: shares of the formats, and the size of a batch.
        seed: of order, wording and format.

    Returns:
        Lists of token ids with the length of their prompt.
    """
    rng = random.Random(seed)  # noqa: S311 - reproducible on purpose
    pool: list[Example] = []
    while True:
        for exchange in rng.sample(conversations, len(conversations)):
            pool.append(_format(exchange, systems, tokenizer, mixture, rng))
            if len(pool) == BATCHES_PER_POOL * mixture.batch_size:
                yield from _cut(pool, mixture.batch_size, rng)
                pool = []


def pad(batch: list[Example], pad_id: int) -> tuple[list[list[int]], list[list[bool]]]:
    """Ids, and which of them the model learns to write; both of shape [example, token], filled on the right.

    Args:
        batch: of any lengths.
        pad_id: token on the right of the shorter ones.

    Returns:
        (ids, learned), both [example, token].

    Example:
        >>> pad([Example([5, 6], n_prompt=1), Example([7], n_prompt=0)], pad_id=0)
        ([[5, 6], [7, 0]], [[False, True], [True, False]])
    """
    longest = max(len(example.ids) for example in batch)
    ids = [example.ids + [pad_id] * (longest - len(example.ids)) for example in batch]
    learned = [
        [example.n_prompt <= token < len(example.ids) for token in range(longest)] for example in batch
    ]
    return ids, learned


def _format(
    exchange: Exchange, systems: list[str], tokenizer: Tokenizer, mixture: Mixture, rng: random.Random
) -> Example:
    text, draw = draw_wording(exchange.answer, rng), rng.random()
    if draw < mixture.raw_share:
        prompt, answer = exchange.question, f"\n\n{text}{END}"
    elif draw < mixture.raw_share + mixture.answer_only_share:
        prompt, answer = ASSISTANT, f"{text}{END}"
    else:
        system = rng.choice(systems) if rng.random() < mixture.system_share else None
        prompt, answer = chat_prompt(exchange.question, system), f"{text}{END}"
    # Two encodings, because at inference the prompt is tokenized without its answer.
    prompt_ids, answer_ids = tokenizer.encode(prompt).ids, tokenizer.encode(answer).ids
    return Example(prompt_ids + answer_ids, len(prompt_ids))


def _cut(pool: list[Example], batch_size: int, rng: random.Random) -> Iterator[list[Example]]:
    ordered = sorted(pool, key=lambda example: len(example.ids))
    batches = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
    rng.shuffle(batches)
    return iter(batches)
