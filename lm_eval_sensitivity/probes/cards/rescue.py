"""What is worked out from contrasts: rescue, the earliest layer that restores the token, signature, verdict. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from lm_eval_sensitivity.probes.cards.card import (
    MOST_RANDOM,
    SMALLEST_CONTRAST,
    SMALLEST_MARGIN,
    At,
    Branch,
    Closeness,
    Controls,
    Earliest,
    Patches,
    Signature,
    Stated,
    Verdict,
)
from lm_eval_sensitivity.probes.cards.positions import SINGLE, Alignment

TOO_CLOSE = f"the contrasts of both runs are less than {SMALLEST_CONTRAST} nats apart"
NO_PLACE = "no single state restores the token"
NOT_EVERYWHERE = "not every layer and position was patched"


def rescue_of(contrast: float, base: float, variant: float) -> float | None:
    """How far a change moves the edited run towards the unedited one.

    Formula: (c - c_B)/(c_A - c_B). Range: any; 0 = no change, 1 = the unedited run's contrast, above 1 = more.

    Args:
        contrast: z_i - z_j after the change, c; nats.
        base: c_A.
        variant: c_B.

    Returns:
        None where |c_A - c_B| < 0.2 nats: the fraction then says how small its denominator is.

    Example:
        >>> rescue_of(0.0, 1.0, -1.0), rescue_of(-1.0, 1.0, -1.0), rescue_of(3.0, 0.01, -0.01)
        (0.5, 0.0, None)
    """
    whole = base - variant
    return None if abs(whole) < SMALLEST_CONTRAST else (contrast - variant) / whole


def rescues(patches: Patches, branch: Branch) -> Stated[tuple[tuple[float, ...], ...]]:
    """[place, layer] `rescue_of` each copy, against the undisturbed row of its own batch."""
    base, variant = branch.contrast_base, branch.contrast_variant
    if rescue_of(0, base, variant) is None:
        return Stated.not_run(TOO_CLOSE)
    return Stated.derived(
        tuple(
            tuple(
                (contrast - undisturbed) / (base - variant)
                for contrast, undisturbed in zip(row, patches.undisturbed, strict=True)
            )
            for row in patches.contrasts
        )
    )


def earliest(
    patches: Patches,
    rescue: Stated[tuple[tuple[float, ...], ...]],
    layers: Sequence[int],
    n_layers: int,
) -> tuple[Earliest, ...]:
    """By class, the first layer at which a copy restores the token; of several positions, the earliest of them.

    Args:
        patches: what was tried.
        rescue: of them.
        layers: [layer] numbers of the layers tried.
        n_layers: L.
    """
    found = []
    for kind, members in groupby(range(len(patches.places)), lambda at: patches.places[at].kind):
        tried = [
            (layer, at, column)
            for at in members
            for column, layer in enumerate(layers)
            if patches.replays[at][column]
        ]
        layer, at, column = min(tried, default=(None, 0, 0))
        found.append(
            Earliest(
                kind,
                layer,
                None if layer is None else layer / n_layers,
                None if layer is None or rescue.value is None else rescue.value[at][column],
                layer == n_layers - 1 and kind in ("final_context", "all_after_edit"),
            )
        )
    return tuple(found)


def place_of_controls(patches: Patches, layers: Sequence[int], n_layers: int) -> At | None:
    """The first class of which one state restores the token, and its earliest layer.

    The last position at the last block does not count: copying it is copying the answer.

    Args:
        patches: what was tried.
        layers: [layer] numbers of the layers tried.
        n_layers: L.

    Returns:
        None where no single state does.
    """
    tried = [
        (SINGLE.index(place.kind), layer, at)
        for at, place in enumerate(patches.places)
        if place.kind in SINGLE
        for column, layer in enumerate(layers)
        if patches.replays[at][column] and not (place.kind == "final_context" and layer == n_layers - 1)
    ]
    if not tried:
        return None
    kind, layer, at = min(tried)
    return At(SINGLE[kind], at, layer)


def signature(patches: Patches, how: Closeness, alignment: Alignment, n_layers: int) -> Stated[Signature]:
    """Where along the way the branch can be undone, as published branch cards classify it.

    The first that holds: a copy at the first edited token restores the token: `boundary`; the edit is the very first
    token: `tokenization_shift`; a copy at a token of the shared output does: `generated_prefix`; else `late_only`.

    Args:
        patches: what was tried.
        how: layers and positions that were tried.
        alignment: of both prompts.
        n_layers: L.

    Returns:
        Not run where the first does not hold and not everything was tried.
    """
    restored = {place.kind for place, row in zip(patches.places, patches.replays, strict=True) if any(row)}
    if "edit_first" in restored:
        return Stated.derived("boundary")
    if not how.every_position or len(how.layers) < n_layers:
        return Stated.not_run(NOT_EVERYWHERE)
    if alignment.prefix == 0:
        return Stated.derived("tokenization_shift")
    return Stated.derived("generated_prefix" if "generated" in restored else "late_only")


def verdict(branch: Branch, controls: Controls, *, replayed: bool) -> Stated[Verdict]:
    """Whether the card is specific: one state restores the token, and what should not do so does not.

    Args:
        branch: with the variant's margin.
        controls: of the card.
        replayed: both runs came out again.

    Returns:
        Derived; not run where the wrong donor is missing and all else holds.
    """
    margin = branch.margins_variant[-1]
    unmet = []
    if not replayed:
        unmet.append("the outputs do not come out again one at a time")
    if controls.at.value is None:
        unmet.append(controls.at.reason)
    random = controls.random.value or ()
    n_random = sum(each.replay for each in random)
    if n_random > MOST_RANDOM * len(random):
        unmet.append(f"{n_random} of {len(random)} random changes of the same size restore it, too")
    if controls.wrong_donor.value is not None and controls.wrong_donor.value.replay:
        unmet.append("another prompt's state restores it, too")
    if margin < SMALLEST_MARGIN:
        unmet.append(f"the edited run's margin is {margin:.3f} nats, below {SMALLEST_MARGIN}")
    if not unmet and controls.wrong_donor.value is None:
        return Stated.not_run(controls.wrong_donor.reason)
    return Stated.derived(Verdict(not unmet, tuple(unmet)))
