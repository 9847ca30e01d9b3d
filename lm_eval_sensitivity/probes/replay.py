"""One teacher-forced pass over prompts and outputs: what hooks in generation would see, at the speed of a prefill.

Greedy outputs are known token by token after a run. Fed back, every step stands at a position of one pass. What a probe
wants of a step it takes at once and keeps as numbers on the host: no tensor [step, vocabulary] or [layer, step, width]
ever exists.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import transformers
from numpy.typing import NDArray

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.probes.architecture import (
    Architecture,
    block_input,
    find_architecture,
    first_tensor,
    hooked,
)
from lm_eval_sensitivity.probes.outputs import RunOutput
from lm_eval_sensitivity.probes.result import Agreement, Conditions
from lm_eval_sensitivity.probes.upcast import Upcast
from lm_eval_sensitivity.progress import progress

Sublayer = Literal["attention", "mlp"]
_SUBLAYERS: tuple[Sublayer, Sublayer] = ("attention", "mlp")
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

    @property
    def fed(self) -> tuple[int, ...]:
        """[position] prompt and output; nothing follows the last token, so that it is not fed."""
        return (*self.prompt_ids, *self.output_ids[:-1])


@dataclass(frozen=True, eq=False)
class Batch:
    """Paths that are fed together, right-padded. Row r of every tensor is `paths[r]`, number `numbers[r]` of all."""

    paths: tuple[Path, ...]
    numbers: tuple[int, ...]
    """[row] place in what `Replay.run` was given."""
    ids: torch.Tensor
    """[row, position]"""
    filled: torch.Tensor
    """[row, position] True where a token stands."""
    positions: torch.Tensor
    """[row, step] position at which a step is predicted: n - 1 + t; padded with the last one of the row."""
    mask: torch.Tensor
    """[row, step] True where the row has this step."""
    ends: torch.Tensor
    """[row] last position of the prompt."""

    @classmethod
    def of(cls, paths: Sequence[Path], numbers: Sequence[int], device: torch.device) -> Batch:
        """Paths padded on the right, where a causal model never looks."""
        width = max(len(path.fed) for path in paths)
        n_steps = max(len(path.output_ids) for path in paths)
        ids = torch.zeros((len(paths), width), dtype=torch.long)
        filled = torch.zeros((len(paths), width), dtype=torch.bool)
        positions = torch.zeros((len(paths), n_steps), dtype=torch.long)
        mask = torch.zeros((len(paths), n_steps), dtype=torch.bool)
        ends = torch.tensor([len(path.prompt_ids) - 1 for path in paths])
        for row, path in enumerate(paths):
            ids[row, : len(path.fed)] = torch.tensor(path.fed)
            filled[row, : len(path.fed)] = True
            own = len(path.output_ids)
            steps = torch.arange(n_steps).clamp(max=max(own - 1, 0))
            positions[row] = steps + ends[row]
            mask[row, :own] = True
        moved = (each.to(device) for each in (ids, filled, positions, mask, ends))
        return cls(tuple(paths), tuple(numbers), *moved)

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
        architecture: its parts, where a pass of three tokens cannot find them; None looks.

    Raises:
        InputError: a model that a replay cannot look into.

    Example:
        See `tests/probes/test_replay.py`; a replay takes a model.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        batch_size: int = 8,
        upcast: bool = False,
        architecture: Architecture | None = None,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self._upcast = upcast and model.dtype in (torch.float16, torch.bfloat16)
        with self.arithmetic():
            self.architecture: Architecture = architecture or find_architecture(model)
        self._agreements: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, float]] = {}

    @property
    def device(self) -> torch.device:
        """Where the first block is."""
        found: torch.device = next(self.model.parameters()).device
        return found

    @property
    def conditions(self) -> Conditions:
        """What is computed with, for the result."""
        return Conditions(
            package=__version__,
            torch=torch.__version__,
            transformers=transformers.__version__,
            dtype=str(self.model.dtype).removeprefix("torch."),
            upcast=self._upcast,
            device=self.device.type,
            attention=str(getattr(self.model.config, "_attn_implementation", None)),
            architecture=type(self.model).__name__,
            n_layers=self.architecture.n_layers,
            width=self.architecture.width,
            vocabulary=self.architecture.vocabulary,
            normalization=type(self.architecture.norm).__name__,
        )

    @contextlib.contextmanager
    def arithmetic(self) -> Iterator[None]:
        """Without gradients, and in float32 where that was asked for; for everything that calls the model."""
        with torch.inference_mode(), Upcast() if self._upcast else contextlib.nullcontext():
            yield

    # ---- passes

    def run(self, paths: Sequence[Path], readers: Sequence[Reader] = (), label: str = "Replaying") -> None:
        """Feed all paths, longest first; every reader sees every batch.

        Args:
            paths: each with a token to predict; `own` ones count for the agreement.
            readers: what looks on.
            label: of the progress bar.
        """
        order = sorted(range(len(paths)), key=lambda number: -len(paths[number].fed))
        with progress(label, len(order), "output") as bar:
            for start in range(0, len(order), self.batch_size):
                numbers = order[start : start + self.batch_size]
                batch = Batch.of([paths[number] for number in numbers], numbers, self.device)
                with self.arithmetic():
                    self._pass(batch, readers)
                bar.update(len(numbers))

    def _pass(self, batch: Batch, readers: Sequence[Reader]) -> None:
        for reader in readers:
            reader.start(batch)
        states = self.states(batch, readers)
        for reader in readers:
            reader.final(states)
        looking = [reader for reader in readers if reader.wants_logits]
        steps = batch.at_steps(states)
        for row, path in enumerate(batch.paths):
            if looking or path.own:
                self._head(row, path, steps[row], looking)
        for reader in readers:
            reader.end()

    def states(self, batch: Batch, readers: Sequence[Reader] = ()) -> torch.Tensor:
        """[row, position, width] what goes into the output embedding, of one pass; call it inside of `arithmetic`.

        The output embedding itself computes one position: the logits of all would be the largest tensor by far.
        """
        seen: list[torch.Tensor] = []

        def keep(module: Any, args: tuple[Any, ...]) -> tuple[torch.Tensor, ...]:
            seen.append(first_tensor(args))
            return (seen[0][:, :1], *args[1:])

        hooks = [self.architecture.head.register_forward_pre_hook(keep), *self._hooks(readers)]
        with hooked(hooks):
            self.model(input_ids=batch.ids, attention_mask=batch.filled.long(), use_cache=False)
        return seen[0]

    def _hooks(self, readers: Sequence[Reader]) -> Iterator[Any]:
        residual = [reader.residual for reader in readers if reader.wants_residual]
        added = [reader.added for reader in readers if reader.wants_added]
        if residual:
            for layer, block in enumerate(self.architecture.blocks):
                yield block.register_forward_pre_hook(_before(layer, residual), with_kwargs=True)
            yield self.architecture.norm.register_forward_pre_hook(
                _before(self.architecture.n_layers, residual), with_kwargs=True
            )
        for layer, block in enumerate(self.architecture.blocks if added else ()):
            for name, sublayer in zip(self.architecture.sublayers, _SUBLAYERS, strict=False):
                yield getattr(block, name).register_forward_hook(_behind(layer, sublayer, added))

    def _head(self, row: int, path: Path, states: torch.Tensor, readers: Sequence[Reader]) -> None:
        """The logits of one row, some steps at a time."""
        n_same, largest = 0, float("nan")
        for first in range(0, len(path.output_ids), STEPS_PER_CHUNK):
            last = min(first + STEPS_PER_CHUNK, len(path.output_ids))
            chunk = states[first:last]
            logits = self.logits(chunk)
            if path.own:
                top = torch.topk(logits, 2, dim=-1)
                chosen = torch.tensor(path.output_ids[first:last], device=logits.device)
                n_same += int((top.indices[:, 0] == chosen).sum())
                if path.margins is not None:
                    margins = (top.values[:, 0] - top.values[:, 1]).cpu().numpy()
                    away = np.abs(margins - path.margins[first:last]).max()
                    largest = float(np.fmax(largest, away))
            for reader in readers:
                reader.steps(row, first, logits, chunk)
        if path.own:
            self._agreements[path.prompt_ids, path.output_ids] = (n_same, largest)

    # ---- parts of the model

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """The output embedding, and what the architecture does to logits behind it.

        Args:
            states: [..., width] after the final norm.

        Returns:
            [..., vocabulary] float32.
        """
        with self.arithmetic():
            return self.architecture.after_head(self.architecture.head(states)).float()

    def normalized(self, states: torch.Tensor) -> torch.Tensor:
        """The final norm of [..., width] residuals before it."""
        with self.arithmetic():
            found: torch.Tensor = self.architecture.norm(states)
            return found

    @property
    def agreement(self) -> Agreement:
        """Over all `own` paths that were fed so far, each once."""
        steps = [len(output) for _, output in self._agreements]
        n_same = [same for same, _ in self._agreements.values()]
        away = [largest for _, largest in self._agreements.values()]
        return Agreement(len(steps), sum(steps), sum(n_same), float(np.fmax.reduce([float("nan"), *away])))

    def token(self, token_id: int) -> str:
        """The text of one token; its number in brackets where there is no tokenizer."""
        return f"[{token_id}]" if self.tokenizer is None else str(self.tokenizer.decode([token_id]))


def _before(layer: int, readers: Sequence[Any]) -> Any:
    def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states = block_input(args, kwargs)
        for reader in readers:
            reader(layer, states)

    return hook


def _behind(layer: int, sublayer: Sublayer, readers: Sequence[Any]) -> Any:
    def hook(module: Any, args: Any, output: Any) -> None:
        states = first_tensor(output)
        for reader in readers:
            reader(layer, sublayer, states)

    return hook
