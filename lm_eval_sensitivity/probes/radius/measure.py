"""States of a replay -> radii along the top, random and edit directions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.edits import FIRST_PER_RUNG, chosen_pairs
from lm_eval_sensitivity.probes.numbers import mean
from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair
from lm_eval_sensitivity.probes.radius.at_state import AtState, Move, look_at
from lm_eval_sensitivity.probes.radius.calibration import relative_errors
from lm_eval_sensitivity.probes.radius.finding import Curve, RadiusFinding
from lm_eval_sensitivity.probes.radius.head import Head, check_head
from lm_eval_sensitivity.probes.radius.local import Local, Side
from lm_eval_sensitivity.probes.radius.rows import NEARLY_CERTAIN, radius_rows, shift_rows, state_rows
from lm_eval_sensitivity.probes.radius.settings import RadiusSettings
from lm_eval_sensitivity.probes.radius.states import StatesAtSteps, states_of
from lm_eval_sensitivity.probes.replay import Path, Replay
from lm_eval_sensitivity.probes.result import Measured, PerPrompt
from lm_eval_sensitivity.progress import progress
from lm_eval_sensitivity.types import Note

Floats = NDArray[np.float64]

READ_TAU = 0.01
"""Whose radius along the top direction stands for a prompt."""
ROUNDING, ROUNDING_16 = 1e-4, 3e-2
"""Relative difference of logits that is rounding, of arithmetic in 32 and in 16 bits."""


def measure(replay: Replay, outputs: RunOutputs, settings: RadiusSettings) -> Measured[RadiusFinding]:
    """Radii at the ends of the base prompts and at some generated steps.

    Args:
        replay: the loaded model.
        outputs: of one system.
        settings: what is asked for.

    Raises:
        InputError: an edit is not in the run, no output has one of the steps, or the model's head has no closed form.

    Example:
        See `tests/probes/test_radius_measure.py`; a replay takes a model.
    """
    side: Side = "pre" if settings.side == "pre" else "post"
    parts = replay.architecture
    head = Head(parts.norm, parts.head, parts.scale, parts.soft_cap)
    # Variants are looked at where they end.
    pairs = (
        chosen_pairs(outputs, settings.edits or (FIRST_PER_RUNG,), "radius") if 0 in settings.steps else []
    )
    bases = outputs.bases
    longest = max((len(each.output_ids) for each in bases.values()), default=0)
    if min(settings.steps) >= longest:
        raise InputError(
            f"`steps` of the probe radius is {settings.steps}; the longest output of the run has {longest} steps, "
            f"counted from 0. Give a step below {longest}."
        )
    states = states_of(
        replay, [Path.of(each) for each in bases.values()], settings.steps, "Replaying outputs"
    )
    ends = [Path(each.variant.prompt_ids, each.variant.output_ids[:1]) for each in pairs]
    moved = states_of(replay, ends, (0,), "Replaying variants")
    difference = _checked(replay, head, states)
    names = list(bases)
    found = []
    with progress("Measuring radii", len(states.found), "state") as bar:
        for (number, step), state in sorted(states.found.items()):
            local = Local(head, state, side)
            moves = _moves(local, names[number], pairs, moved) if step == 0 else []
            found.append(
                look_at(
                    local,
                    (names[number], step),
                    moves,
                    settings.taus,
                    settings.lanczos_steps,
                    settings.seed,
                )
            )
            bar.update()
    finding = _finding(found, head, side, settings.taus, difference)
    return Measured(finding, _per_prompt(finding, names), _notes(finding, settings))


def _checked(replay: Replay, head: Head, states: StatesAtSteps) -> float:
    """The head against the model's own modules, at the first state of every output."""
    arithmetic_of_32 = replay.conditions.upcast or replay.conditions.dtype in ("float32", "float64")
    tolerance = ROUNDING if arithmetic_of_32 else ROUNDING_16
    largest = 0.0
    first: dict[int, int] = {}
    for number, step in sorted(states.found):
        first.setdefault(number, step)
    for key in first.items():
        state = states.found[key]
        residual = torch.tensor(state, dtype=states.dtype, device=replay.device)
        theirs = replay.logits(replay.normalized(residual[None, None]))[0, 0].cpu().double().numpy()
        ours = Local(head, state, "pre").still.here
        name = type(replay.architecture.head).__name__
        largest = max(largest, check_head(ours, theirs, tolerance, name))
    return largest


def _moves(local: Local, prompt: str, pairs: Sequence[RunPair], moved: StatesAtSteps) -> list[Move]:
    found = []
    for number, each in enumerate(pairs):
        if each.pair.prompt_id == prompt:
            vector = local.to(moved.found[number, 0])
            if vector.any():  # another prompt may end in the very same state, of a model that forgets
                found.append(
                    Move(each.pair.edit, "edit" if each.pair.meaning_preserving else "control", vector)
                )
    return found


def _finding(
    found: Sequence[AtState], head: Head, side: Side, taus: tuple[float, ...], difference: float
) -> RadiusFinding:
    states = tuple(each.state for each in found)
    lines = tuple(line for each in found for line in each.lines)
    edits = tuple(edit for each in found for edit in each.edits)
    return RadiusFinding(
        side,
        taus,
        head.norm.kind,
        head.soft_cap,
        difference,
        radius_rows(lines, taus),
        shift_rows(edits),
        state_rows(states),
        _typical(found),
        states,
        lines,
        edits,
    )


def _typical(found: Sequence[AtState]) -> Curve | None:
    """The curve of the state whose error along its top direction, at the largest tau, is the median one."""
    known = [
        (float(relative_errors(at.lines[0].predicted[-1], at.lines[0].measured[-1])), at) for at in found
    ]
    known = sorted(((error, at) for error, at in known if not math.isnan(error)), key=lambda each: each[0])
    return known[len(known) // 2][1].curve if known else None


def _per_prompt(finding: RadiusFinding, names: Sequence[str]) -> tuple[PerPrompt, ...]:
    after = {name: [s.argmax_radius for s in finding.states if s.prompt_id == name] for name in names}
    rows = [
        PerPrompt(
            "argmax_radius",
            "distance to where another token is the most probable one, over the length of the state; mean over steps",
            _means(after),
        )
    ]
    if READ_TAU in finding.taus:
        at = finding.taus.index(READ_TAU)
        top = [line for line in finding.lines if line.direction == "top"]
        own = {name: [line.measured[at] for line in top if line.prompt_id == name] for name in names}
        rows.append(
            PerPrompt(
                "radius_top",
                f"radius at tau = {READ_TAU} along the top direction, over the length of the state; mean over steps",
                _means(own),
            )
        )
    return tuple(rows)


def _means(values: Mapping[str, Sequence[float]]) -> dict[str, float | None]:
    found = {name: mean(each) for name, each in values.items()}
    return {name: None if math.isnan(each) else each for name, each in found.items()}


def _notes(finding: RadiusFinding, settings: RadiusSettings) -> tuple[Note, ...]:
    certain = sum(state.top_probability > NEARLY_CERTAIN for state in finding.states)
    reached = {step: sum(state.step == step for state in finding.states) for step in settings.steps}
    notes = [
        Note(
            "method",
            f"States {'before' if finding.side == 'pre' else 'after'} the final norm ({finding.norm}), at step "
            f"{', '.join(f'{step} of {n} outputs' for step, n in reached.items())}. "
            f"Our logits are within {finding.head_difference:.1g} of the model's, relative.",
        )
    ]
    if certain:
        notes.append(
            Note(
                "caution",
                f"{certain} of {len(finding.states)} states give one token more than {NEARLY_CERTAIN}: second order "
                "says least there. Read their argmax radius.",
            )
        )
    if all(math.isnan(row.calibrated_error) for row in finding.rows) and any(
        row.n_lines for row in finding.rows
    ):
        notes.append(
            Note(
                "left_out",
                "Nothing is calibrated: that takes scikit-learn (`pip install scikit-learn`) and 2 prompts.",
            )
        )
    return tuple(notes)
