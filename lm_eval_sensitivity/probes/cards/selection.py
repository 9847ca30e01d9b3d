"""Which branches become cards: by a rule that does not look at what happens inside the model. Pure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from lm_eval_sensitivity.types import RUNGS

TIMES = ("0", "1-7", "8-")
"""When the outputs part, in steps."""


@dataclass(frozen=True)
class Candidate:
    """A pair whose outputs part."""

    pair_id: str
    prompt_id: str
    rung: str
    step: int
    """t*, the first different token, 0-based."""

    @property
    def stratum(self) -> tuple[int, int]:
        """(rung, time) as places in `RUNGS` and `TIMES`."""
        return RUNGS.index(self.rung), 0 if self.step == 0 else 1 if self.step < 8 else 2


@dataclass(frozen=True)
class Selection:
    """What was drawn, and by which rule."""

    pair_ids: tuple[str, ...]
    n_candidates: int
    n_strata: int
    rule: str
    """A whole sentence."""


def select(candidates: Iterable[Candidate], *, top: int, per_stratum: int, seed: int) -> Selection:
    """Draw branches, one of each stratum in turn. No effect is looked at.

    A stratum is a rung and a time: step 0, steps 1 to 7, step 8 and later. Within one, every prompt has a branch before
    any has a second; else the order is that of a hash of seed and pair, which does not change when other prompts come
    or go, nor with the order of the candidates.

    Args:
        candidates: in any order.
        top: cards at most; 0 is no limit.
        per_stratum: cards of one stratum at most; 0 is no limit.
        seed: of the draw.

    Returns:
        Pair ids by stratum, and in the order of the draw within one.

    Example:
        >>> steps = {"a": 0, "b": 0, "c": 9}
        >>> three = [Candidate(f"{name}/x", name, "noop", step) for name, step in steps.items()]
        >>> found = select(three, top=2, per_stratum=0, seed=0)
        >>> found.pair_ids
        ('b/x', 'c/x')
        >>> found.rule
        '2 of 3 branches, drawn by seed 0 in turn from 2 strata of rung and step (0, 1-7, 8 and later), at most 2.'
    """
    drawn = sorted(candidates, key=lambda each: (each.stratum, _lot(each, seed)))
    strata = [_prompts_in_turn(list(each)) for _, each in groupby(drawn, lambda each: each.stratum)]
    # (turn, stratum): the first of each stratum before the second of any.
    turns = sorted((turn, at) for at, members in enumerate(strata) for turn in range(len(members)))
    kept = [(turn, at) for turn, at in turns if not per_stratum or turn < per_stratum]
    kept = sorted(kept[: top or None], key=lambda each: (each[1], each[0]))
    n_candidates = sum(map(len, strata))
    return Selection(
        tuple(strata[at][turn].pair_id for turn, at in kept),
        n_candidates,
        len(strata),
        _rule(len(kept), n_candidates, len(strata), top, per_stratum, seed),
    )


def _prompts_in_turn(members: Sequence[Candidate]) -> list[Candidate]:
    """The first branch of each prompt, then the second, in the order given."""
    seen: Counter[str] = Counter()
    turns = []
    for each in members:
        turns.append(seen[each.prompt_id])
        seen[each.prompt_id] += 1
    return [members[at] for at in sorted(range(len(members)), key=lambda at: turns[at])]


def _lot(candidate: Candidate, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{candidate.pair_id}".encode("utf-8", "surrogatepass")).hexdigest()


def _rule(n_kept: int, n_all: int, n_strata: int, top: int, per_stratum: int, seed: int) -> str:
    if not n_all:
        return "There is no branch."
    if n_kept == n_all:
        return f"All {n_all} branches."
    limits: Sequence[str] = [
        f"at most {number}{words}" for number, words in ((per_stratum, " of a stratum"), (top, "")) if number
    ]
    return (
        f"{n_kept} of {n_all} branches, drawn by seed {seed} in turn from {n_strata} strata of rung and step "
        f"(0, 1-7, 8 and later), {', '.join(limits)}."
    )
