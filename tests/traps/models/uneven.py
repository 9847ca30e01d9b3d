"""Two systems of the same mean distance: one moves rarely and far, the other often and little.

No model: the distances themselves are written down, as the pairs table of two runs.
"""

from __future__ import annotations

import pyarrow as pa

from lm_eval_sensitivity.types import MEANING_PRESERVING_RUNGS
from tests.unit.statements.made_table import made_table

N_PROMPTS, N_FEW = 96, 24
EVERY = 6
"""The rare system moves on one prompt of so many."""
FAR, LITTLE = 0.6, 0.1
"""`FAR` is `EVERY` times `LITTLE`, so that the means are equal."""
AROUND = (0.6, 0.8, 1.0, 1.2, 1.4, 1.0)
"""The little moves differ from prompt to prompt; their mean is `LITTLE`."""
RARE, OFTEN = "rare_and_far", "often_and_little"


def by_prompt(n: int = N_PROMPTS) -> dict[str, list[float]]:
    """System -> [prompt] distance, the same under every edit.

    Args:
        n: prompts. Fewer than all are an unlucky choice of them: among 24 there is one on which the rare system moves,
            where four were to be expected.
    """
    rare = [FAR if index % EVERY == EVERY - 1 else 0.0 for index in range(N_PROMPTS)]
    often = [LITTLE * AROUND[index % len(AROUND)] for index in range(N_PROMPTS)]
    if n == N_PROMPTS:
        return {RARE: rare, OFTEN: often}
    chosen = [EVERY - 1, *(index for index in range(N_PROMPTS) if not rare[index])][:n]
    return {RARE: [rare[index] for index in chosen], OFTEN: [often[index] for index in chosen]}


def pairs(n: int = N_PROMPTS) -> pa.Table:
    """The pairs table of both systems; one edit of every harmless rung, which moves as its prompt does."""
    return made_table(
        (system, f"q{index:02}", rung, f"{rung}_1", value)
        for system, values in by_prompt(n).items()
        for index, value in enumerate(values)
        for rung in MEANING_PRESERVING_RUNGS
    )
