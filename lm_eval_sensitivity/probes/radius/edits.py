"""Which variants give a direction: by rule, never by what they do."""

from __future__ import annotations

from collections.abc import Sequence

from lm_eval_sensitivity.probes.outputs import RunOutputs, RunPair


def chosen_pairs(outputs: RunOutputs, edits: Sequence[str]) -> list[RunPair]:
    """Live pairs whose variant is looked at.

    Args:
        outputs: of the run.
        edits: these; empty takes of each prompt and rung the first edit in the order of letters, `identical` left out.

    Returns:
        By prompt, then rung, then edit.

    Raises:
        InputError: an edit that the run does not have.

    Example:
        >>> chosen_pairs(RunOutputs((), ()), ())
        []
    """
    pairs = [each for each in outputs.pairs_of(edits, "radius") if each.pair.rung != "identical"]
    pairs.sort(key=lambda each: (each.pair.prompt_id, each.pair.rung_index, each.pair.edit))
    if edits:
        return pairs
    first = {(each.pair.prompt_id, each.pair.rung): each for each in reversed(pairs)}
    return [each for each in pairs if first[each.pair.prompt_id, each.pair.rung] is each]
