"""Which variants a probe looks at: those that were named, or by a rule that never asks what they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lm_eval_sensitivity.errors import unknown_name
from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair

ALL, NONE = "all", "none"
ONE_PER_RUNG = "one_per_rung"
"""Of every rung the edit that reached most prompts; of several the first of the ladder."""
FIRST_PER_RUNG = "first_per_rung"
"""Of every prompt and rung the first edit in the order of letters."""
RULES = (ALL, NONE, ONE_PER_RUNG, FIRST_PER_RUNG)


def chosen_pairs(
    outputs: RunOutputs, edits: Sequence[str], probe: str, rungs: Sequence[str] = ()
) -> list[RunPair]:
    """Live pairs whose variant is looked at.

    Args:
        outputs: of the run.
        edits: names, or one of `RULES`.
        probe: that was asked, for the message.
        rungs: that a rule chooses from; empty takes all but `identical`.

    Returns:
        By prompt, then rung.

    Raises:
        InputError: an edit that the run does not have.

    Example:
        >>> chosen_pairs(RunOutputs((), ()), ("all",), "radius")
        []
    """
    rule = edits[0] if len(edits) == 1 and edits[0] in RULES else None
    if rule is None:
        there = sorted({each.pair.edit for each in outputs.pairs})
        for name in edits:
            if name not in there:
                raise unknown_name(f"`edits` of the probe {probe}", name, [*there, *RULES])
        return outputs.live_pairs(edits) if edits else []
    pairs = [each for each in outputs.live_pairs(rungs=rungs) if rungs or each.pair.rung != "identical"]
    if rule == ONE_PER_RUNG:
        kept = one_per_rung(pairs)
        return [each for each in pairs if each.pair.edit in kept]
    if rule == FIRST_PER_RUNG:
        by_letters = sorted(pairs, key=lambda each: each.pair.edit, reverse=True)
        first = {(each.pair.prompt_id, each.pair.rung): each for each in by_letters}
        return [each for each in pairs if first[each.pair.prompt_id, each.pair.rung] is each]
    return [] if rule == NONE else pairs


def one_per_rung(pairs: Sequence[RunPair]) -> set[str]:
    """The edits that `ONE_PER_RUNG` takes of some pairs."""
    counts: dict[str, Counter[str]] = {}
    for each in pairs:
        counts.setdefault(each.pair.rung, Counter())[each.pair.edit] += 1
    return {of_rung.most_common(1)[0][0] for of_rung in counts.values()}
