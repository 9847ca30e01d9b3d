"""Record one batch while it is generated: no second pass, no history of logits or hidden states."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import torch
from transformers import LogitsProcessor, StoppingCriteria

STEPS_BETWEEN_LOOKS = 4
"""Steps after which it is asked how many rows have ended."""
KEPT_WHILE = 0.75
"""A batch goes on with the rows that have not ended where they are at most this share of those that are there."""


def _output_embeddings(model: Any) -> Any:
    """The module whose input is the final hidden state; None where the architecture does not name one."""
    try:
        return model.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return None


def shows_hidden_states(model: Any) -> bool:
    """Whether the final hidden state can be seen as it goes into the output embedding.

    Returns:
        False for a model without an output embedding that is a module.
    """
    return isinstance(_output_embeddings(model), torch.nn.Module)


class _SeeLogits(LogitsProcessor):
    """Where generate shows the float32 logits of a step; changes nothing."""

    def __init__(self, recorder: StepRecorder) -> None:
        self.recorder = recorder

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self.recorder.see_logits(scores)
        return scores


class _SeeToken(StoppingCriteria):
    """Where generate shows the chosen token of a step; ends rows that are done."""

    def __init__(self, recorder: StepRecorder) -> None:
        self.recorder = recorder

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return self.recorder.see_token(input_ids)


class StepRecorder:
    """Rides along in `model.generate` and keeps, per row and step, a handful of numbers.

    It sits where generate shows the logits (`logits_processor`) and the chosen token
    (`stopping_criterion`), and hooks the output embedding, whose input is the final hidden state on
    every architecture. Rows that ended stay in the batch as padding: they are masked out here, on the
    device, without waiting for it. Where `shrinks`, it ends `generate` when a quarter of the rows that are there
    have ended, so that whoever called can go on without them (see `keep_active`).

    All tensors are [row] per step, of the rows that were there; nothing is moved to the host before `generate`
    returns, except the prompt-end distribution of the first step, [row, vocabulary], which is too large to keep.
    """

    def __init__(
        self,
        model: Any,
        *,
        n_rows: int,
        n_prompt_positions: int,
        device: torch.device,
        end_ids: list[int],
        stop: StoppingCriteria | None,
        shrinks: bool = False,
    ) -> None:
        self.rows = torch.arange(n_rows, device=device)
        """[row that is there] which row of the batch it is."""
        self.active = torch.ones(n_rows, dtype=torch.bool, device=device)
        """[row that is there]"""
        self.n_steps = torch.zeros(n_rows, dtype=torch.long, device=device)
        self.not_finite = torch.zeros(n_rows, dtype=torch.bool, device=device)
        self.margins: list[torch.Tensor] = []
        self.top1: list[torch.Tensor] = []
        self.entropies: list[torch.Tensor] = []
        self.prompt_end: torch.Tensor | None = None
        self.prompt_end_hidden: torch.Tensor | None = None
        self.hidden_sum: torch.Tensor | None = None
        self._last_hidden: torch.Tensor | None = None
        self._end_ids = torch.tensor(end_ids, dtype=torch.long, device=device)
        self._n_prompt_positions = n_prompt_positions
        self._stop = stop
        self._shrinks = shrinks
        self._rows_of_step: list[torch.Tensor] = []
        self._head = _output_embeddings(model)
        self._hook: Any = None

    def __enter__(self) -> StepRecorder:
        if isinstance(self._head, torch.nn.Module):
            self._hook = self._head.register_forward_pre_hook(self._see_hidden)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._hook is not None:
            self._hook.remove()

    def _see_hidden(self, module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        # The last position only: a prefill shows all of them on some architectures.
        self._last_hidden = inputs[0][:, -1].detach()

    @property
    def logits_processor(self) -> LogitsProcessor:
        """To be passed to generate."""
        return _SeeLogits(self)

    @property
    def stopping_criterion(self) -> StoppingCriteria:
        """To be passed to generate."""
        return _SeeToken(self)

    def see_logits(self, logits: torch.Tensor) -> None:
        """Record one step from its float32 logits, [row, vocabulary]."""
        top = torch.topk(logits, 2, dim=-1).values
        # One exponential serves all: with z counted from the largest logit, S = sum exp(z), the largest
        # log-probability is -log S and the entropy log S - sum(exp(z) z) / S. A masked entry (-inf) is
        # made merely enormous, because 0 * -inf is NaN and its contribution is 0.
        shifted = (logits - top[:, :1]).clamp_(min=-1e30)
        exponentials = shifted.exp()
        total = exponentials.sum(dim=-1)
        normalizer = torch.log(total)
        self.margins.append(top[:, 0] - top[:, 1])
        self.top1.append(-normalizer)
        self._rows_of_step.append(self.rows)
        self.not_finite[self.rows] |= self.active & ~(torch.isfinite(total) & torch.isfinite(top[:, 0]))
        if self.prompt_end is None:
            self.prompt_end = (shifted - normalizer[:, None]).to("cpu")
        self.entropies.append(normalizer - exponentials.mul_(shifted).sum(dim=-1) / total)
        self._add_hidden()
        self.n_steps[self.rows] += self.active

    def _add_hidden(self) -> None:
        if self._last_hidden is None:
            return
        hidden = self._last_hidden.to(device=self.active.device, dtype=torch.float32)
        if self.hidden_sum is None:
            self.hidden_sum = torch.zeros_like(hidden)
            self.prompt_end_hidden = hidden
        self.hidden_sum[self.rows] += torch.where(self.active[:, None], hidden, torch.zeros_like(hidden))

    def see_token(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Take in the tokens of a step, and say which rows are done.

        Args:
            input_ids: [row, position] prompt and all tokens so far.

        Returns:
            [row] True where an end token, a stop string or logits that are not finite ended the row; all True where
            the batch is to shrink.
        """
        ended = torch.isin(input_ids[:, -1], self._end_ids)
        if self._stop is not None:
            # Only what was generated: a stop string half in the prompt was never said.
            ended = ended | self._stop(input_ids[:, self._n_prompt_positions :], None)
        # A row without finite logits decides nothing any more: end it instead of burning steps.
        self.active = self.active & ~ended & ~self.not_finite[self.rows]
        if self._shrinks and len(self._rows_of_step) % STEPS_BETWEEN_LOOKS == 0:
            n_active = int(self.active.sum())  # waits for the device, and so not at every step
            if n_active <= KEPT_WHILE * len(self.rows):
                return torch.ones_like(self.active)
        return ~self.active

    def keep_active(self) -> torch.Tensor:
        """Go on with the rows that have not ended.

        Returns:
            [row that stays] its place among those that were there.
        """
        places = self.active.nonzero()[:, 0]
        self.rows, self.active = self.rows[places], self.active[places]
        return places

    def of_steps(self, values: list[torch.Tensor]) -> torch.Tensor:
        """[row, step] what was kept of each step; NaN where a row was no longer there."""
        whole = torch.full((len(self.n_steps), len(values)), float("nan"), device=self.active.device)
        for step, (rows, of_rows) in enumerate(zip(self._rows_of_step, values, strict=True)):
            whole[rows, step] = of_rows
        return whole
