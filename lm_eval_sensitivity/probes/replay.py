"""One teacher-forced pass over prompts and outputs: what hooks in generation would see, at the speed of a prefill.

Greedy outputs are known token by token after a run. Fed back, every step stands at a position of one pass. What a probe
wants of a step it takes at once and keeps as numbers on the host: no tensor [step, vocabulary] or [layer, step, width]
ever exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.architecture import Architecture
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.result import Agreement, Conditions

Sublayer = Literal["attention", "mlp"]
STEPS_PER_CHUNK = 16
"""Rows of logits that exist at a time."""


@dataclass(frozen=True, eq=False)
class Path:
    """A sequence that is fed: a prompt, and tokens after it."""

    prompt_ids: tuple[int, ...]
    output_ids: tuple[int, ...]
    """[step]"""
    margins: NDArray[np.float32] | None = None
    """[step] as recorded; None where these tokens were not generated after this prompt, or nothing was recorded."""
    own: bool = False
    """The tokens are what the model generated after this very prompt: its agreement counts."""

    @classmethod
    def of(cls, output: RunOutput) -> Path:
        """An output as it was generated."""
        return cls(output.prompt_ids, output.output_ids, output.margins, own=True)


@dataclass(frozen=True, eq=False)
class Batch:
    """Paths that are fed together, right-padded. Row r of every tensor is `paths[r]`, number `numbers[r]` of all."""

    paths: tuple[Path, ...]
    numbers: tuple[int, ...]
    """[row] place in what `Replay.run` was given."""
    positions: torch.Tensor
    """[row, step] position at which a step is predicted: n - 1 + t; padded with the last one of the row."""
    mask: torch.Tensor
    """[row, step] True where the row has this step."""
    ends: torch.Tensor
    """[row] last position of the prompt."""
    filled: torch.Tensor
    """[row, position] True where a token stands."""

    def at_steps(self, states: torch.Tensor) -> torch.Tensor:
        """[row, step, width] of [row, position, width]: the states that predict each step."""
        index = self.positions[:, :, None].expand(-1, -1, states.shape[-1])
        return torch.gather(states, 1, index)

    def at_prompt_end(self, states: torch.Tensor) -> torch.Tensor:
        """[row, width] of [row, position, width]: the states at the end of the prompt, which predict step 0."""
        return states[torch.arange(len(self.paths), device=states.device), self.ends]


class Reader:
    """What looks at a pass; a probe overrides what it needs and says so. States are in the model's dtype."""

    wants_residual = False
    wants_added = False
    wants_logits = False

    def start(self, batch: Batch) -> None:
        """A batch begins."""

    def residual(self, layer: int, states: torch.Tensor) -> None:
        """[row, position, width] the residual before block `layer`; of layer L the input of the final norm."""

    def added(self, layer: int, sublayer: Sublayer, states: torch.Tensor) -> None:
        """[row, position, width] what a sublayer of a block adds to the residual, in the order of computation."""

    def final(self, states: torch.Tensor) -> None:
        """[row, position, width] the input of the output embedding, after the final norm."""

    def steps(self, row: int, first: int, logits: torch.Tensor, states: torch.Tensor) -> None:
        """Some steps of one row, in order.

        Args:
            row: of the batch.
            first: the first of these steps.
            logits: [step, vocabulary] float32.
            states: [step, width] after the final norm.
        """

    def end(self) -> None:
        """The batch is over."""


class Replay:
    """A loaded model, to be fed what it said.

    Args:
        model: a causal language model of transformers.
        tokenizer: its tokenizer, for words about tokens; None where there is none.
        batch_size: paths per pass.
        upcast: compute in float32 whatever the weights' type.
    """

    model: Any
    tokenizer: Any
    architecture: Architecture
    batch_size: int
    conditions: Conditions

    def run(self, paths: Sequence[Path], readers: Sequence[Reader] = (), label: str = "Replaying") -> None:
        """Feed all paths, longest first; every reader sees every batch. A row of agreement is kept for `own` paths."""
        raise NotImplementedError

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """[..., vocabulary] float32 logits of [..., width] states after the final norm: the head, with what the
        architecture does to logits behind it (soft cap, scale)."""
        raise NotImplementedError

    def normalized(self, states: torch.Tensor) -> torch.Tensor:
        """[..., width] the final norm of [..., width] residuals before it."""
        raise NotImplementedError

    @property
    def agreement(self) -> Agreement:
        """Over all `own` paths that were fed so far, each once."""
        raise NotImplementedError

    def token(self, token_id: int) -> str:
        """The text of one token; its number in brackets where there is no tokenizer."""
        raise NotImplementedError
