"""What the published card says in numbers and examples, straight from rows and measurements."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from lm_eval_sensitivity.ladder.authoring.audit_grid import OWN_TEMPLATE
from lm_eval_sensitivity.ladder.authoring.distances import group
from lm_eval_sensitivity.ladder.authoring.measured import Audit, Measured
from lm_eval_sensitivity.ladder.cost import generations
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.load import Ladder
from lm_eval_sensitivity.ladder.meanings import CONTROL_MEANINGS, RUNG_MEANINGS, edit_meaning
from lm_eval_sensitivity.text.markdown import visible
from lm_eval_sensitivity.types import CATEGORIES, Pair

N_SAMPLES = 10
SAMPLE_SEED = 0
_CONTEXT = 28
"""Characters shown on either side of a change."""

GROUP_MEANINGS = CONTROL_MEANINGS | {str(rung): words for rung, words in RUNG_MEANINGS.items()}
"""By rung, and by edit for the two kinds of control."""


def sections(ladders: Sequence[Ladder], measured: Measured) -> dict[str, Any]:
    """The values of the published card's template that follow from rows and measurements.

    Args:
        ladders: every subset, largest first.
        measured: on the largest of them.

    Returns:
        Template variable to value.
    """
    full = ladders[0]
    authored = [pair for pair in full.pairs if pair.origin == "authored"]
    prompts_by_category = [
        Counter({pair.prompt_id: pair.category for pair in ladder.pairs}.values()) for ladder in ladders
    ]
    # One median over both kinds of control would lie where neither does, so they have rows of their own.
    first_of_group = {group(pair): pair for pair in reversed(full.pairs)}
    return {
        "measured": measured,
        "categories": CATEGORIES,
        "n_by_category": prompts_by_category,
        "n_by_group": counts(ladders, group),
        "group_meanings": GROUP_MEANINGS,
        "groups": {name: first_of_group[name] for name in measured.distances.rungs},
        "edits": [_edit(edit, ladders) for edit in full.edits],
        "median_of_edit": {each.edit: each.median for each in measured.distances.edits},
        "n_rule_edits": sum(edit in EDITS for edit in full.edits),
        "n_authored_rows": len(authored),
        "generations": generations,
        "per_category": set(prompts_by_category[0].values()),
        "sample_seed": SAMPLE_SEED,
        "samples": random.Random(SAMPLE_SEED).sample(authored, min(N_SAMPLES, len(authored))),  # noqa: S311  # no secret
        "n_samples": N_SAMPLES,
        **_audit(measured.audit),
    }


def counts(ladders: Sequence[Ladder], key: Callable[[Pair], str]) -> list[Counter[str]]:
    """Count pairs by whatever a key takes of them.

    Returns:
        [ladder] number of pairs by key.
    """
    return [Counter(map(key, ladder.pairs)) for ladder in ladders]


def _audit(audit: Audit | None) -> dict[str, Any]:
    if audit is None:
        return {"audit": None}
    templated = [each for each in audit.systems if each.system.template is not None]
    held_back = [
        edit for edit, n in audit.n_pairs.items() if any(each.n_reached[edit] < n for each in templated)
    ]
    return {
        "audit": audit,
        "own_template": OWN_TEMPLATE,
        "bare": [each for each in audit.systems if each.system.template is None],
        "templated": templated,
        "held_back": held_back,
        "through": [edit for edit in audit.n_pairs if edit not in held_back],
        "has_stand_ins": any(each.system.stand_in for each in audit.systems),
    }


def _edit(edit: str, ladders: Sequence[Ladder]) -> dict[str, str]:
    """An edit with what it does and an example before and after."""
    pair = example_of(edit, ladders)
    before, after = excerpts(pair)
    return {"rung": pair.rung, "name": edit, "meaning": edit_meaning(edit), "before": before, "after": after}


def example_of(edit: str, ladders: Sequence[Ladder]) -> Pair:
    """The shortest pair of an edit, from the smallest subset that has one; every reader finds it there.

    Args:
        edit: one that some subset has.
        ladders: every subset, largest first.

    Returns:
        The pair with the fewest characters of base and variant, the first of equals.
    """
    pairs = next(
        found for each in reversed(ladders) if (found := [pair for pair in each.pairs if pair.edit == edit])
    )
    return min(pairs, key=lambda pair: len(pair.base) + len(pair.variant))


def excerpts(pair: Pair) -> tuple[str, str]:
    """The changed place before and after, with some context and white space made visible.

    Returns:
        Excerpt of the base and of the variant; the whole base where nothing is replaced.

    Example:
        >>> from lm_eval_sensitivity.ladder.build import build_pairs
        >>> from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, Source
        >>> prompt = AuthoredPrompt("greeting", "creative_writing", "Write a greeting.", {})
        >>> excerpts(build_pairs(Source("1", (prompt,)))[1])
        ('Write a greeting.', '·Write a greeting.')
    """
    first = pair.replacements[0].start if pair.replacements else 0
    position = first
    before = after = _context(pair.base[:first], at_end=True)
    for each in pair.replacements:
        kept = visible(pair.base[position : each.start])
        before += kept + _changed(pair.base[each.start : each.end])
        after += kept + _changed(each.replacement)
        position = each.end
    rest = _context(pair.base[position:], at_end=False) if pair.replacements else visible(pair.base)
    return before + rest, after + rest


def _changed(text: str) -> str:
    """White space that was changed is shown; between the words of a rewritten passage it would only disturb."""
    return visible(text, spaces=not text.strip())


def _context(text: str, *, at_end: bool) -> str:
    """The whole words of a text that are nearest to a change."""
    if len(text) <= _CONTEXT:
        return visible(text)
    if at_end:
        return "…" + visible(text[-_CONTEXT:].partition(" ")[2])
    return visible(text[:_CONTEXT].rpartition(" ")[0]) + "…"
