"""Models with weights set by hand whose branches can be worked out on paper, and runs of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch

from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair
from lm_eval_sensitivity.types import Replacement
from tests.probes import made

VOCABULARY, WIDTH = 12, 6
FLAG, VALUE, READ, MARK = 0, 1, 2, 3
"""Dimensions: this token is read; what is read of it; what was read; of the last token alone."""
WORD_A, WORD_B, YES, NO, PLAIN, LEFT, RIGHT = 1, 2, 3, 4, 5, 6, 7
"""Tokens: the edited word in both forms; two answers; no meaning; two that say what follows them."""


class Nothing(torch.nn.Module):
    """Adds nothing."""

    def forward(self, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        return hidden_states


class ReadsTheFlagged(torch.nn.Module):
    """Attention that looks only at flagged positions: their value is what it adds, at every later position."""

    def forward(self, hidden_states: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        found = (hidden_states[..., FLAG] * hidden_states[..., VALUE]).cumsum(-1)
        added = torch.zeros_like(hidden_states)
        added[..., READ] = found
        return hidden_states + added


class HandModel(torch.nn.Module):
    """What a replay needs of a causal language model, and no more: every position is computed again at each call."""

    def __init__(
        self, blocks: Sequence[torch.nn.Module], embedding: torch.Tensor, head: torch.Tensor
    ) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding.from_pretrained(embedding)
        self.layers = torch.nn.ModuleList(blocks)
        self.norm = torch.nn.Identity()
        self.head = torch.nn.Linear(*reversed(head.shape), bias=False)
        self.head.weight.data = head
        self.config = SimpleNamespace(num_hidden_layers=len(blocks))
        self.config.get_text_config = lambda: self.config
        self.generation_config = SimpleNamespace(eos_token_id=None)

    @property
    def dtype(self) -> torch.dtype:
        return self.head.weight.dtype

    def get_output_embeddings(self) -> torch.nn.Module:
        return self.head

    def forward(self, input_ids: torch.Tensor, **kwargs: Any) -> Any:
        states = self.embedding(input_ids)
        for block in self.layers:
            states = block(states)
        return SimpleNamespace(logits=self.head(self.norm(states)))


def reads_the_edit(value: float = 1.0) -> HandModel:
    """Two blocks, of which the second reads the edited word: it says YES after WORD_A and NO after WORD_B, for ever.

    The contrast z_YES - z_NO is 2 * value after WORD_A, -2 * value after WORD_B.
    """
    embedding = torch.zeros(VOCABULARY, WIDTH)
    embedding[WORD_A, [FLAG, VALUE]] = torch.tensor([1.0, value])
    embedding[WORD_B, [FLAG, VALUE]] = torch.tensor([1.0, -value])
    head = torch.zeros(VOCABULARY, WIDTH)
    head[YES, READ], head[NO, READ] = 1.0, -1.0
    return HandModel([Nothing(), ReadsTheFlagged()], embedding, head)


def bigram() -> HandModel:
    """No attention: the last token alone says what follows. LEFT is followed by YES, RIGHT by NO, all else by PLAIN."""
    embedding = torch.zeros(VOCABULARY, WIDTH)
    embedding[LEFT, MARK], embedding[RIGHT, MARK] = 1.0, -1.0
    embedding[:, 4] = 1.0
    head = torch.zeros(VOCABULARY, WIDTH)
    head[YES, MARK], head[NO, MARK], head[PLAIN, 4] = 3.0, -3.0, 1.0
    return HandModel([Nothing(), Nothing(), Nothing()], embedding, head)


def run_pair(
    model: Any,
    prompt_id: str,
    edit: str,
    base: Sequence[int],
    variant: Sequence[int],
    n: int,
    rung: Any = "noop",
) -> RunPair:
    """A pair as a run has it."""
    texts = {"base": "say it", "variant": "say  it", "replacements": (Replacement(3, 4, "  "),)}
    outputs = (made.output_of(model, prompt_id, ids, n) for ids in (base, variant))
    return made.run_pair(made.pair_of(prompt_id, edit, rung, **texts), *outputs)


def run_outputs(*pairs: RunPair) -> RunOutputs:
    """A run of these pairs."""
    return RunOutputs(pairs, ())
