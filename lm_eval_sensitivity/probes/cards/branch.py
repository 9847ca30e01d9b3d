"""What both runs see where they part: tokens, probabilities, margins, and what the edit moved."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from lm_eval_sensitivity.probes.boundary.attribution import Split, split_at
from lm_eval_sensitivity.probes.boundary.forcing import forced_steps, own_steps
from lm_eval_sensitivity.probes.cards.card import Branch, Case, Shift, Stated, Token
from lm_eval_sensitivity.probes.cards.patching import Run
from lm_eval_sensitivity.probes.replay import Replay

TOP = 5
"""Most probable tokens that are shown."""


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
    states = base.final[-n_steps:], variant.final[-n_steps:]
    base_own, variant_own = (own_steps(replay, each) for each in states)
    forced = forced_steps(replay, *states)
    branch = Branch(
        _token(replay, case.base_id, base, variant),
        _token(replay, case.variant_id, base, variant),
        _top(replay, base, base, variant),
        _top(replay, variant, base, variant),
        tuple(map(float, base_own.margins)),
        tuple(map(float, variant_own.margins)),
    )
    chosen = tuple(_chosen(replay, each) for each in states)
    wanted = (*case.shared_ids, case.base_id), (*case.shared_ids, case.variant_id)
    return Seen(
        branch,
        _shift(
            float(forced.rho[-1]),
            float(forced.kl[-1]),
            float(forced.floor[-1]),
            split_at(forced.shift, forced.gap, case.step),
        ),
        replayed=chosen == wanted,
        parts=(chosen[0][-1], chosen[1][-1]) == (case.base_id, case.variant_id),
    )


def _chosen(replay: Replay, states: torch.Tensor) -> tuple[int, ...]:
    """[step] most probable tokens."""
    return tuple(int(replay.logits(each[None].to(replay.device)).argmax()) for each in states)


def _token(replay: Replay, token_id: int, base: Run, variant: Run) -> Token:
    probabilities = [float(run.logits.double().softmax(-1)[token_id]) for run in (base, variant)]
    logits = [float(run.logits[token_id]) for run in (base, variant)]
    return Token(token_id, replay.token(token_id), *probabilities, *logits)


def _top(replay: Replay, of: Run, base: Run, variant: Run) -> tuple[Token, ...]:
    best = torch.topk(of.logits, min(TOP, len(of.logits))).indices
    return tuple(_token(replay, int(each), base, variant) for each in best)


def _shift(rho: float, kl: float, floor: float, split: Split) -> Shift:
    if split.reference is None:
        lacking: Stated[float] = Stated.not_run("fewer than four steps before the branch")
        return Shift(rho, kl, floor, lacking, lacking, lacking)
    share = (
        Stated.derived(split.share) if math.isfinite(split.share) else Stated[float].not_run("parts cancel")
    )
    return Shift(rho, kl, floor, Stated.derived(split.boundary), Stated.derived(split.bulk), share)
