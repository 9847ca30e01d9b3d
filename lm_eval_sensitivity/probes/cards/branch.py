"""What both runs see where they part: tokens, probabilities, margins, and what the edit moved."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.boundary.attribution import ForcedSteps, split_at
from lm_eval_sensitivity.probes.boundary.forcing import BaseSide, forced_numbers
from lm_eval_sensitivity.probes.cards.card import Branch, Case, Shift, Stated, Token
from lm_eval_sensitivity.probes.cards.patching import Run
from lm_eval_sensitivity.probes.replay import STEPS_PER_CHUNK, Replay

TOP = 5
"""Most probable tokens that are shown."""
_OF_VARIANT = "margin of the variant"


@dataclass(frozen=True, eq=False)
class Seen:
    """A branch as it is fed again."""

    branch: Branch
    shift: Shift
    replayed: bool
    """Both outputs come out again up to the branch, and its two tokens."""
    parts: bool
    """Both tokens come out at the branch itself."""


def see(replay: Replay, case: Case, base: Run, variant: Run) -> Seen:
    """Read both runs of a case at every step up to the branch.

    Args:
        replay: of the model.
        case: the branch.
        base: the unedited prompt and the shared output, fed alone.
        variant: the edited prompt and the shared output.
    """
    n_steps = case.step + 1
    numbers, chosen = _by_step(replay, base.final[-n_steps:], variant.final[-n_steps:])
    branch = Branch(
        _token(replay, case.base_id, base, variant),
        _token(replay, case.variant_id, base, variant),
        _top(replay, base, base, variant),
        _top(replay, variant, base, variant),
        tuple(map(float, numbers["margin"])),
        tuple(map(float, numbers[_OF_VARIANT])),
    )
    wanted = (*case.shared_ids, case.base_id), (*case.shared_ids, case.variant_id)
    return Seen(
        branch,
        _shift(numbers, case.step),
        replayed=chosen == wanted,
        parts=(chosen[0][-1], chosen[1][-1]) == (case.base_id, case.variant_id),
    )


def _by_step(
    replay: Replay, base: torch.Tensor, variant: torch.Tensor
) -> tuple[dict[str, NDArray[np.float64]], tuple[tuple[int, ...], tuple[int, ...]]]:
    """Name -> [step] numbers of `ForcedSteps` and the variant's margins; and [step] the token of each run."""
    rows, tokens = [], []
    for first in range(0, len(base), STEPS_PER_CHUNK):
        some = slice(first, first + STEPS_PER_CHUNK)
        one, other = (
            BaseSide.of(replay.logits(states[some].to(replay.device))) for states in (base, variant)
        )
        rows.append(torch.cat([forced_numbers(one, other.logits), other.margin[:, None]], dim=-1).cpu())
        tokens.append(torch.stack([one.first_id, other.first_id]).cpu())
    columns = torch.cat(rows).double().numpy().T
    names = [*(each.name for each in fields(ForcedSteps)), _OF_VARIANT]
    of_base, of_variant = torch.cat(tokens, dim=-1).tolist()
    return dict(zip(names, columns, strict=True)), (tuple(of_base), tuple(of_variant))


def _token(replay: Replay, token_id: int, base: Run, variant: Run) -> Token:
    probabilities = [float(run.logits.double().softmax(-1)[token_id]) for run in (base, variant)]
    logits = [float(run.logits[token_id]) for run in (base, variant)]
    return Token(token_id, replay.token(token_id), *probabilities, *logits)


def _top(replay: Replay, of: Run, base: Run, variant: Run) -> tuple[Token, ...]:
    best = torch.topk(of.logits, min(TOP, len(of.logits))).indices
    return tuple(_token(replay, int(each), base, variant) for each in best)


def _shift(numbers: dict[str, NDArray[np.float64]], step: int) -> Shift:
    rho, kl, floor = (float(numbers[name][-1]) for name in ("rho", "kl", "floor"))
    split = split_at(numbers["shift"], numbers["gap"], step)
    if split.reference is None:
        lacking = Stated[float].not_run("fewer than four steps before the branch")
        return Shift(rho, kl, floor, lacking, lacking, lacking)
    share = (
        Stated.derived(split.share) if math.isfinite(split.share) else Stated[float].not_run("parts cancel")
    )
    return Shift(rho, kl, floor, Stated.derived(split.boundary), Stated.derived(split.bulk), share)
