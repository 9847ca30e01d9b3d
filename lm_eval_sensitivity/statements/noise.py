"""Is a distance more than noise? Edits beside the identical rung, prompt by prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from lm_eval_sensitivity.statements.every_system import partition_of_all
from lm_eval_sensitivity.statements.selection import Selection
from lm_eval_sensitivity.stats import Constants, Partition, RepetitionTest, repetition_test
from lm_eval_sensitivity.text.format import in_print

NOISE_RUNG = "identical"
NOISE_ALPHA = 1 - Constants().level


def noise_tests(
    table: pa.Table, selection: Selection, systems: Sequence[str], *, seed: int = 0
) -> dict[str, RepetitionTest]:
    """Each system's distances under the selected edits beside those of the identical rung, in the same metric.

    Nothing but `above` may be called sensitivity. Compared within prompts, because a mean over other
    prompts than those of the floor could lie above it by their choice.

    Args:
        table: from `load_pairs`.
        selection: which numbers; not of the identical rung itself.
        systems: display names.
        seed: of the draws.
    """
    edited = partition_of_all(table, selection, systems)
    floor = partition_of_all(table, replace(selection, rung_set=NOISE_RUNG), systems)
    return {name: noise_test(edited, floor, name, seed=seed) for name in systems}


def noise_test(edited: Partition, floor: Partition, name: str, *, seed: int = 0) -> RepetitionTest:
    """The same of one system, from its pairs on the edited rungs and on the identical one.

    Args:
        edited: pairs of the edits.
        floor: pairs of the identical rung.
        name: the system, which both tables have.
        seed: of the draws.
    """
    repeated = dict(zip(floor.prompts, floor.system(name).tolist(), strict=True))
    floors = np.array([repeated.get(prompt, np.nan) for prompt in edited.prompts])
    return repetition_test(edited.values[:, :, edited.systems.index(name)], floors, seed=seed)


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
