"""Is a distance more than noise? Edits beside the identical rung, prompt by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from lm_eval_sensitivity.analysis.every_system import on_the_same_prompts, partition_of_all
from lm_eval_sensitivity.analysis.selection import Selection
from lm_eval_sensitivity.stats import RESAMPLES, AxisContrast, Constants
from lm_eval_sensitivity.stats.verdicts import axis_contrast

NOISE_RUNG = "identical"


def above_the_floor(
    table: pa.Table,
    selection: Selection,
    systems: Sequence[str],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, AxisContrast]:
    """d - f of each system, over the prompts that have both: reliably above its noise floor where it is `+`.

    d is the mean distance under the selected edits, f that of the identical rung, in the same metric and
    filter. Anything but `+` is within the floor, and no sensitivity may be read out of it. Paired by
    prompt, because a mean over other prompts than those of the floor could lie above it by their choice.

    Args:
        table: from `load_pairs`.
        selection: which numbers; not of the identical rung itself.
        systems: display names.
        resamples: of each bound.
        seed: of the resamples.
    """
    edited = partition_of_all(table, selection, systems)
    floor = partition_of_all(table, replace(selection, rung_set=NOISE_RUNG), systems)
    found = {}
    for name in systems:
        d, f = on_the_same_prompts(edited, floor, name)
        found[name] = axis_contrast(
            "noise", "d - f", d - f, level=Constants().level, resamples=resamples, seed=seed
        )
    return found
