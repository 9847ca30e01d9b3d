"""Confident and yet unstable: outputs that part although their prompts end alike."""

from __future__ import annotations

import math
from collections.abc import Iterable

from lm_eval_sensitivity.statements.partition import TablePartition
from lm_eval_sensitivity.statements.windows import rows_of

SAME_PROMPT_END_NATS = 1e-6
"""js_divergence below which two next-token distributions agree. In single precision the same prompt in another
batch stays below it; a real difference of any weight lies far above."""

ENDS_AGREE = f"js_divergence below {SAME_PROMPT_END_NATS:g} nats"

PROMPT_END_METRICS = (
    "js_divergence",
    "kl_forward",
    "kl_backward",
    "top1_probability",
    "prompt_end_hidden_distance",
)
"""Metrics that look at the end of the prompt, and at nothing that is generated."""


def same_prompt_end(js_divergence: float | None) -> bool:
    """Whether two prompt-end distributions agree; an unknown distance is no agreement.

    Example:
        >>> same_prompt_end(1e-9), same_prompt_end(0.01), same_prompt_end(float("nan"))
        (True, False, False)
    """
    return (
        js_divergence is not None and not math.isnan(js_divergence) and js_divergence < SAME_PROMPT_END_NATS
    )


def parts_later(js_divergence: float | None, step: float | None) -> bool:
    """Whether outputs part although the prompt ends agree.

    Step 0 is the prompt end itself: there a tie was broken, and nothing parted later.

    Args:
        js_divergence: of the prompt-end distributions, in nats.
        step: 0-based, at which the outputs part; None where they do not.
    """
    return same_prompt_end(js_divergence) and step is not None and step > 0


def parted_of_agreeing(pairs: Iterable[tuple[float | None, float | None]]) -> tuple[int, int]:
    """How many pairs part after their prompt ends agree, and how many agree.

    Args:
        pairs: js_divergence and 0-based step at which the outputs part, None where they do not.

    Example:
        >>> parted_of_agreeing([(0.0, 7), (0.0, None), (0.0, 0), (0.2, 3)])
        (1, 3)
    """
    agreeing = [each for each in pairs if same_prompt_end(each[0])]
    return sum(parts_later(*each) for each in agreeing), len(agreeing)


def parted_in(partition: TablePartition, rungs: Iterable[str], system: str) -> tuple[int, int]:
    """The same counts for one system of a pairs table.

    Args:
        partition: of the table.
        rungs: which pairs.
        system: display name.
    """
    rows = rows_of(partition, rungs, system)
    columns = (rows[name].to_pylist() for name in ("js_divergence", "first_divergence"))
    return parted_of_agreeing(zip(*columns, strict=True))
