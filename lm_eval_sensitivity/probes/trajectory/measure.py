"""The reader of a replay that keeps the final states of every output on the host."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.outputs import RunOutput, RunOutputs
from lm_eval_sensitivity.probes.replay import Batch, Path, Reader, Replay
from lm_eval_sensitivity.probes.result import Measured, PerPrompt
from lm_eval_sensitivity.probes.trajectory.analysis import RecordedPath, trajectory_of
from lm_eval_sensitivity.probes.trajectory.finding import PromptTrajectory, TrajectoryFinding
from lm_eval_sensitivity.probes.trajectory.settings import Settings
from lm_eval_sensitivity.types import Note

Floats = NDArray[np.float32]


class StateReader(Reader):
    """Final states of every step, [step, width] float32 on the host: 4 bytes times width for each generated token.

    Where a run recorded no entropies or margins, they are taken of the replay's logits.

    Args:
        outputs: what is replayed, in the order of the paths.
        n_layers: of the model.
        before_norm: keep the input of the final norm instead of its output.
    """

    def __init__(self, outputs: Sequence[RunOutput], n_layers: int, *, before_norm: bool) -> None:
        self.wants_residual = before_norm
        self.wants_logits = not all(map(_has_steps, outputs))
        self.states: list[Floats | None] = [None] * len(outputs)
        """[output] (step, width)"""
        self.steps_of: list[dict[str, Floats]] = [
            {name: np.full(len(each.output_ids), np.nan, np.float32) for name in _NAMES} for each in outputs
        ]
        """[output] margins, entropies and log-probabilities of the replay, where logits were wanted."""
        self._n_layers = n_layers
        self._before_norm = before_norm
        self._batch: Batch | None = None

    def start(self, batch: Batch) -> None:
        self._batch = batch

    def residual(self, layer: int, states: torch.Tensor) -> None:
        if self._before_norm and layer == self._n_layers:
            self._keep(states)

    def final(self, states: torch.Tensor) -> None:
        if not self._before_norm:
            self._keep(states)

    def _keep(self, states: torch.Tensor) -> None:
        assert self._batch is not None
        rows = self._batch.at_steps(states).to("cpu", torch.float32)
        for row, number in enumerate(self._batch.numbers):
            # A copy, so that a kept row does not keep its padded batch.
            self.states[number] = rows[row, : len(self._batch.paths[row].output_ids)].numpy().copy()

    def steps(self, row: int, first: int, logits: torch.Tensor, states: torch.Tensor) -> None:
        assert self._batch is not None
        log_p = torch.log_softmax(logits, dim=-1)
        top = torch.topk(log_p, 2, dim=-1).values
        # 0 log 0 is 0: a masked token has -inf.
        entropy = -(log_p.exp() * log_p.clamp(min=-1e30)).sum(dim=-1)
        kept = self.steps_of[self._batch.numbers[row]]
        place = slice(first, first + len(logits))
        for name, values in zip(_NAMES, (top[:, 0] - top[:, 1], entropy, top[:, 0]), strict=True):
            kept[name][place] = values.to("cpu", torch.float32).numpy()


_NAMES = ("margins", "entropies", "top1_log_probabilities")


def _has_steps(output: RunOutput) -> bool:
    return all(getattr(output, name) is not None for name in _NAMES)


def reader_of(replay: Replay, outputs: RunOutputs, settings: Settings) -> StateReader:
    """The reader of `measure`, for a pass that several probes share: over `paths_of` the same outputs, in that order.

    Args:
        replay: of the system.
        outputs: of its run.
        settings: of the probe.

    Returns:
        To be given to `Replay.run`, and then to `measured`.
    """
    before_norm = settings.side == "pre"
    return StateReader(list(outputs.bases.values()), replay.architecture.n_layers, before_norm=before_norm)


def paths_of(outputs: RunOutputs) -> list[Path]:
    """What the reader has to see: the output of every unedited prompt.

    Args:
        outputs: of a run.

    Returns:
        In the order of `outputs.bases`.
    """
    return [Path.of(each) for each in outputs.bases.values()]


def measure(replay: Replay, outputs: RunOutputs, settings: Settings) -> Measured[TrajectoryFinding]:
    """Replay the outputs of the unedited prompts, and analyze their states.

    Args:
        replay: of the system.
        outputs: of its run.
        settings: of the probe.

    Returns:
        The finding, three numbers per prompt, and what was left out.

    Raises:
        InputError: no output has a state.
    """
    reader = reader_of(replay, outputs, settings)
    replay.run(paths_of(outputs), [reader], "Final states")
    return measured(reader, outputs, settings)


def measured(reader: StateReader, outputs: RunOutputs, settings: Settings) -> Measured[TrajectoryFinding]:
    """What a reader has seen, analyzed.

    Args:
        reader: after its pass.
        outputs: the same as `reader_of` had.
        settings: of the probe.

    Returns:
        As `measure`.

    Raises:
        InputError: no output has a state.
    """
    paths, left_out, n_replayed = [], [], 0
    for number, (prompt, output) in enumerate(outputs.bases.items()):
        states = reader.states[number]
        if states is None or not len(states) or not np.isfinite(states).all():
            left_out.append(prompt)
            continue
        steps = {name: getattr(output, name) for name in _NAMES}
        if not _has_steps(output):
            steps = dict(reader.steps_of[number])
            n_replayed += 1
        if any(np.isnan(each).any() for each in steps.values()):
            steps = dict.fromkeys(_NAMES)
        category = outputs.categories[prompt]
        paths.append(RecordedPath(prompt, category, states, output.cut, **steps))
    if not paths:
        raise InputError("No output of an unedited prompt has a generated token with finite states.")
    found = trajectory_of(paths, settings)
    return Measured(found, _per_prompt(found), tuple(_notes(found, left_out, n_replayed)))


def _notes(found: TrajectoryFinding, left_out: Sequence[str], n_replayed: int) -> list[Note]:
    notes = []
    if left_out:
        what = f"{', '.join(left_out)}: no generated token, or a state that is not finite."
        notes.append(Note("left_out", what, tuple(left_out)))
    if n_replayed:
        notes.append(
            Note(
                "remark",
                f"The run recorded no entropies or margins of {n_replayed} outputs; they are the replay's.",
            )
        )
    lengths = {each.n_states for each in found.prompts}
    if len(lengths) > 1:
        words = (
            f"Outputs have {min(lengths)} to {max(lengths)} states, and the ratio grows with their number."
        )
        notes.append(Note("caution", words))
    return notes


def _per_prompt(found: TrajectoryFinding) -> tuple[PerPrompt, ...]:
    def one(measure: str, words: str, values: dict[str, float]) -> PerPrompt:
        numbers = {prompt: None if np.isnan(value) else value for prompt, value in values.items()}
        return PerPrompt(measure, words, numbers)

    prompts: dict[str, PromptTrajectory] = {each.prompt_id: each for each in found.prompts}
    return (
        one(
            "ct_ratio_mad",
            "largest over mean length-times-turn of the final states, CLIPPED_MAD; no unit, grows with length",
            {name: each.clipped_mad.observed.ratio for name, each in prompts.items()},
        ),
        one(
            "ct_mean_mad",
            "mean length-times-turn of the final states, CLIPPED_MAD, 0 to 4; no unit",
            {name: each.clipped_mad.observed.mean for name, each in prompts.items()},
        ),
        one(
            "reopened_share",
            "share of runs of certainty after which rivalry came back, of those of which it is known; 0 to 1",
            {name: each.reopened_share for name, each in prompts.items()},
        ),
    )
