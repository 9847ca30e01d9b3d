"""What must be held against a copy that restores a token: changes that should not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import torch

from lm_eval_sensitivity.probes.cards.card import At, Closeness, Controls, Donor, Outcome, Stated
from lm_eval_sensitivity.probes.cards.patching import Change, Patching, Run, watch
from lm_eval_sensitivity.probes.cards.positions import Place
from lm_eval_sensitivity.probes.cards.rescue import rescue_of
from lm_eval_sensitivity.probes.replay import Replay

DonorOf = Callable[[At, Place], Donor | None]
"""Another prompt's state for a place; None where no other prompt has one."""


@dataclass(frozen=True, eq=False)
class Disturbed:
    """Both runs of a card, and where its controls are made."""

    base: Run
    variant: Run
    tokens: tuple[int, int]
    """(i, j)"""
    contrasts: tuple[float, float]
    """(c_A, c_B) in nats."""
    at: At
    place: Place

    @property
    def base_state(self) -> torch.Tensor:
        """[1, width] of the unedited run."""
        return self.base.outputs[self.at.layer][list(self.place.base)]

    @property
    def variant_state(self) -> torch.Tensor:
        """[1, width] of the edited run."""
        return self.variant.outputs[self.at.layer][list(self.place.variant)]


def random_states(here: Disturbed, seed: str, n: int) -> torch.Tensor:
    """[n, 1, width] the edited run's state plus a random vector as long as what the copy adds.

    Formula: x_B + v |x_A - x_B| / |v|, v ~ N(0, I) in float32 on the host: the same on every device.

    Args:
        here: with the place.
        seed: any text; the draw is a function of it.
        n: vectors.
    """
    state = here.variant_state.float()
    drawn = torch.stack([torch.randn(state.shape, generator=_generator(f"{seed}/{at}")) for at in range(n)])
    length = torch.linalg.vector_norm(here.base_state.float() - state)
    scaled: torch.Tensor = drawn * (length / torch.linalg.vector_norm(drawn, dim=-1, keepdim=True))
    return (state + scaled).to(here.variant_state.dtype)


def _generator(seed: str) -> torch.Generator:
    """One for each vector: how many are drawn changes none of them."""
    number = int.from_bytes(hashlib.sha256(seed.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    return torch.Generator().manual_seed(number % 2**63)


def control(
    replay: Replay,
    patching: Patching,
    here: Disturbed,
    donor_of: DonorOf,
    how: Closeness,
    pair_id: str,
    correctness: tuple[Stated[float], Stated[float]],
) -> Controls:
    """All controls of a card.

    Args:
        replay: of the model.
        patching: of the same.
        here: both runs and the place.
        donor_of: finds the wrong donor.
        how: seed and number of the random vectors.
        pair_id: of the card; every card has its own vectors.
        correctness: self patch and before_edit, over all layers.
    """
    donor = donor_of(here.at, here.place)
    changes = [
        Change(here.place.variant, state) for state in random_states(here, f"{how.seed}/{pair_id}", how.draws)
    ]
    if donor is not None:
        other = watch(replay, (*donor.prompt_ids, *donor.output_ids), [here.at.layer])
        changes.append(
            Change(here.place.variant, other.outputs[here.at.layer][donor.position : donor.position + 1])
        )
    said = patching.said(here.variant, here.at.layer, changes, here.tokens)
    outcomes = [
        Outcome(top == here.tokens[0], contrast, rescue_of(contrast, *here.contrasts))
        for top, contrast in zip(said.tops, said.contrasts, strict=True)
    ]
    missing = "no other prompt of the run has a state at a corresponding position"
    return Controls(
        Stated.derived(here.at),
        *correctness,
        Stated.observed(tuple(outcomes[: how.draws])),
        Stated.observed(outcomes[how.draws]) if donor else Stated.not_run(missing),
        Stated.derived(donor) if donor else Stated.not_run(missing),
        Stated.observed(_reverse(patching, here)),
    )


def without_place(reason: str, correctness: tuple[Stated[float], Stated[float]]) -> Controls:
    """The controls where no single state restores the token, so that there is nothing to hold against it."""
    return Controls(
        Stated.not_run(reason),
        *correctness,
        random=Stated.not_run(reason),
        wrong_donor=Stated.not_run(reason),
        donor=Stated.not_run(reason),
        reverse=Stated.not_run(reason),
    )


def _reverse(patching: Patching, here: Disturbed) -> Outcome:
    """The edited run's state in the unedited run: aimed at is the edited run's token."""
    change = Change(here.place.base, here.variant_state)
    said = patching.said(here.base, here.at.layer, [change], here.tokens)
    backwards = here.contrasts[1], here.contrasts[0]
    contrast = said.contrasts[0]
    return Outcome(said.tops[0] == here.tokens[1], contrast, rescue_of(contrast, *backwards))
