"""Which variants stand beside their base, and the profile of an edit over depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair
from lm_eval_sensitivity.probes.stretch.finding import EditProfile

Floats = NDArray[np.float64]


def variants_by_prompt(outputs: RunOutputs, edits: Sequence[str]) -> dict[str, list[RunPair]]:
    """Prompt id -> its live pairs with one of these edits."""
    found: dict[str, list[RunPair]] = {}
    for pair in outputs.live_pairs(edits) if edits else ():
        found.setdefault(pair.pair.prompt_id, []).append(pair)
    return found


def edit_profiles(sizes: Mapping[str, Sequence[tuple[Floats, float]]]) -> tuple[EditProfile, ...]:
    """The profile of each edit: medians, since one prompt whose edit goes far would be the mean of a few.

    Args:
        sizes: edit -> of each prompt: [layer 0 to L] relative sizes, and the one behind the final norm.

    Returns:
        One record per edit.

    Example:
        >>> one = (np.array([0.0, 0.1]), 0.1), (np.array([0.0, 0.3]), 0.2)
        >>> edit_profiles({"mid_newline": one})[0].sizes
        (0.0, 0.2)
    """
    return tuple(
        EditProfile(
            edit,
            len(found),
            tuple(np.median([layers for layers, _ in found], axis=0).tolist()),
            float(np.median([behind for _, behind in found])),
        )
        for edit, found in sizes.items()
        if found
    )
