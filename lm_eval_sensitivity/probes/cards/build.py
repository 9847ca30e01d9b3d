"""One card: both runs fed again, states copied from one into the other, controls, the forced token."""

from __future__ import annotations

from collections.abc import Sequence

from lm_eval_sensitivity.probes.cards.branch import Seen, see
from lm_eval_sensitivity.probes.cards.card import BranchCard, Case, Closeness, Patches, Stated
from lm_eval_sensitivity.probes.cards.controls import Disturbed, DonorOf, control, without_place
from lm_eval_sensitivity.probes.cards.forced import force
from lm_eval_sensitivity.probes.cards.patching import Change, Patching, Run, watch
from lm_eval_sensitivity.probes.cards.positions import Alignment, Place, align, before_edit, places
from lm_eval_sensitivity.probes.cards.rescue import (
    NO_PLACE,
    earliest,
    place_of_controls,
    rescues,
    signature,
    verdict,
)
from lm_eval_sensitivity.probes.replay import Replay

NOT_AGAIN = "the two tokens do not come out again one at a time"


def build(replay: Replay, case: Case, how: Closeness, donor_of: DonorOf) -> BranchCard:
    """Make the card of a branch.

    Args:
        replay: of the model.
        case: the branch.
        how: layers and positions to patch.
        donor_of: finds another prompt's state for the wrong-donor control.

    Example:
        See `tests/probes/test_cards.py`; a card takes a model.
    """
    alignment = align(case.base_ids, case.variant_ids)
    base, variant = (
        watch(replay, (*ids, *case.shared_ids), how.layers) for ids in (case.base_ids, case.variant_ids)
    )
    seen = see(replay, case, base, variant)
    if not seen.parts:
        return _not_again(case, how, alignment, seen)
    patching = Patching(replay, variant)
    patches, correctness = _patch(replay, patching, case, how, alignment, base, variant)
    rescue = rescues(patches, seen.branch)
    n_layers = replay.architecture.n_layers
    at = place_of_controls(patches, how.layers, n_layers)
    contrasts = seen.branch.contrast_base, seen.branch.contrast_variant
    controls = without_place(NO_PLACE, correctness)
    if at is not None:
        tokens = case.base_id, case.variant_id
        here = Disturbed(base, variant, tokens, contrasts, at, patches.places[at.place])
        controls = control(replay, patching, here, donor_of, how, case.pair_id, correctness)
    return BranchCard(
        case,
        how,
        alignment,
        Stated.observed(seen.replayed),
        Stated.observed(seen.branch),
        Stated.derived(seen.shift),
        Stated.observed(patches),
        rescue,
        Stated.derived(earliest(patches, rescue, how.layers, n_layers)),
        signature(patches, how, alignment, n_layers),
        controls,
        force(replay, case),
        verdict(seen.branch, controls, replayed=seen.replayed),
    )


def _not_again(case: Case, how: Closeness, alignment: Alignment, seen: Seen) -> BranchCard:
    """A card without patches: there is no branch to undo in this arithmetic."""
    nothing = Stated[float].not_run(NOT_AGAIN)
    controls = without_place(NOT_AGAIN, (nothing, nothing))
    return BranchCard(
        case,
        how,
        alignment,
        Stated.observed(seen.replayed),
        Stated.observed(seen.branch),
        Stated.derived(seen.shift),
        patches=Stated.not_run(NOT_AGAIN),
        rescue=Stated.not_run(NOT_AGAIN),
        earliest=Stated.not_run(NOT_AGAIN),
        signature=Stated.not_run(NOT_AGAIN),
        controls=controls,
        forced=Stated.not_run(NOT_AGAIN),
        verdict=verdict(seen.branch, controls, replayed=False),
    )


def _patch(
    replay: Replay,
    patching: Patching,
    case: Case,
    how: Closeness,
    alignment: Alignment,
    base: Run,
    variant: Run,
) -> tuple[Patches, tuple[Stated[float], Stated[float]]]:
    """All copies, a layer at a time, and the two checks that must come out as nothing."""
    where = places(alignment, case.step, every_position=how.every_position)
    earlier = before_edit(alignment)
    tokens = case.base_id, case.variant_id
    said = []
    for layer in how.layers:
        changes = [_copy(base, layer, each) for each in (*where, *([earlier] if earlier else []))]
        said.append(patching.said(variant, layer, changes, tokens))
    ids = (*case.variant_ids, *case.shared_ids)
    patches = Patches(
        where,
        tuple(replay.token(ids[each.variant[0]]) if each.is_single else "" for each in where),
        tuple(tuple(each.contrasts[at] for each in said) for at in range(len(where))),
        tuple(tuple(each.tops[at] == case.base_id for each in said) for at in range(len(where))),
        tuple(each.undisturbed for each in said),
    )
    before = (
        Stated.observed(max(abs(each.contrasts[-1] - each.undisturbed) for each in said))
        if earlier
        else Stated[float].not_run("the edit is at the first token")
    )
    return patches, (Stated.observed(_self_patch(patching, variant, how.layers, where[0])), before)


def _copy(base: Run, layer: int, place: Place) -> Change:
    return Change(place.variant, base.outputs[layer][list(place.base)])


def _self_patch(patching: Patching, variant: Run, layers: Sequence[int], place: Place) -> float:
    """Largest change of a logit when a run's own state is copied into it, one pass each, as the run was fed."""
    changes = [
        patching.alone(variant, layer, Change(place.variant, variant.outputs[layer][list(place.variant)]))
        for layer in layers
    ]
    return max(float((each - variant.logits).abs().max()) for each in changes)
