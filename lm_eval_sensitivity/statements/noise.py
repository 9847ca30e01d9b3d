"""Is a distance more than noise? Edits beside the identical rung, prompt by prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.selection import NOISE_RUNG, Selection
from lm_eval_sensitivity.stats import Constants, Partition, RepetitionTest, repetition_test
from lm_eval_sensitivity.text.format import in_print

NOISE_ALPHA = 1 - Constants().level


def beside_noise(partition: TablePartition, selection: Selection, system: str) -> RepetitionTest:
    """A system's distances under the selected edits beside those of the identical rung, in the same metric.

    Nothing but `above` may be called sensitivity. Compared within prompts, because a mean over other
    prompts than those of the floor could lie above it by their choice.

    Args:
        partition: of a pairs table.
        selection: which numbers; not of the identical rung itself.
        system: display name.

    Returns:
        Both means over the prompts that have both, and a one-sided p; a reason instead of it below 5 prompts.
    """
    floor = replace(selection, rung_set=NOISE_RUNG)
    return partition.once(
        ("noise", selection, system),
        lambda: _test(partition.pairs(selection), partition.pairs(floor), system, partition.seed),
    )


def _test(edited: Partition, floor: Partition, system: str, seed: int) -> RepetitionTest:
    repeated = dict(zip(floor.prompts, floor.system(system).tolist(), strict=True))
    floors = np.array([repeated.get(prompt, np.nan) for prompt in edited.prompts])
    return repetition_test(edited.values[:, :, edited.systems.index(system)], floors, seed=seed)


def may_be_noise(found: RepetitionTest) -> bool:
    """Whether a distance was held against its noise floor and is not reliably above it."""
    return found.standing(NOISE_ALPHA) not in ("above", "not judged")


def not_above_in_words(found: RepetitionTest) -> str:
    """How a distance that is not reliably above its noise floor stands to it, after 'is'.

    Example:
        >>> not_above_in_words(repetition_test([[0.1]] * 5, [0.2] * 5))
        'within the noise floor 0.2000: 0.1000 over the 5 prompts that have both'
        >>> not_above_in_words(repetition_test([[0.1, 0, 0]] * 5, [0.0] * 5))
        'not reliably above the noise floor 0.0000: 0.0333 over the 5 prompts that have both, p 0.2352'
    """
    distance, floor = in_print(found.distance), in_print(found.floor)
    prompts = f"over the {found.n} prompts that have both"
    if found.standing(NOISE_ALPHA) == "within":
        return f"within the noise floor {floor}: {distance} {prompts}"
    return f"not reliably above the noise floor {floor}: {distance} {prompts}, p {in_print(found.p_value)}"
