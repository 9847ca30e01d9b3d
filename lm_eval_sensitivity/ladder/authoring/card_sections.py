"""The generated parts of the published card: tables and examples, straight from rows and measurements."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from lm_eval_sensitivity.ladder.authoring.audit_grid import OWN_TEMPLATE, SystemAudit
from lm_eval_sensitivity.ladder.authoring.distances import group
from lm_eval_sensitivity.ladder.authoring.markdown import code, plain, table, visible
from lm_eval_sensitivity.ladder.authoring.measured import Audit, Measured
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.load import Ladder
from lm_eval_sensitivity.types import CATEGORIES, Pair

N_SAMPLES = 10
SAMPLE_SEED = 0
_CONTEXT = 28
"""Characters shown on either side of a change."""

GROUP_MEANINGS = {
    "identical": "nothing; its pairs measure the noise of the system itself",
    "noop": "white space or Unicode spelling that a reader does not see",
    "punctuation": "a visible mark, or the layout of the text",
    "synonym": "one word, replaced by one word",
    "paraphrase": "wording and structure",
    "semantic_change": "the request, slightly: a number, a scope, an audience, a constraint",
    "control_reversal": "the request, entirely: negated or turned round",
    "control_topic": "the request, entirely: another topic",
}
"""By rung, and by edit for the two kinds of control."""
AUTHORED_MEANINGS = {
    "identical": "No edit. The same prompt is generated a second time.",
    "synonym_1": "One word is replaced by one word, and the same answer is expected.",
    "synonym_2": "As `synonym_1`, at another word.",
    "paraphrase_1": "Reworded and restructured; request, numbers and names stay.",
    "paraphrase_2": "As `paraphrase_1`, in another way.",
    "semantic_1": "A small but real change of the request.",
    "control_reversal": "The request is negated or turned round.",
    "control_topic": "Another topic, in a prompt of similar length.",
}
"""The edits that no rule makes; a rule says in its docstring what it does."""


def subsets_table(ladders: Sequence[Ladder]) -> str:
    """Size and content hash of every subset."""
    rows = [
        (code(each.subset), code(each.content_hash), len(each.prompts), len(each.pairs)) for each in ladders
    ]
    return table(["subset", "content hash (SHA-256)", "prompts", "pairs"], rows, numbers_from=2)


def rungs_table(ladders: Sequence[Ladder], measured: Measured) -> str:
    """What each rung means, its pairs in every subset, and its median prompt distance; the controls apart.

    One median over both kinds of control would lie where neither does.
    """
    counts = [Counter(group(pair) for pair in ladder.pairs) for ladder in ladders]
    first = {group(pair): pair for pair in reversed(ladders[0].pairs)}
    first = {name: first[name] for name in measured.distances.rungs}
    rows = [
        (
            code(pair.rung) if name == pair.rung else f"{code(pair.rung)}: {code(name)}",
            GROUP_MEANINGS[name],
            "yes" if pair.meaning_preserving else "no",
            *(count[name] for count in counts),
            _distance(measured.distances.rungs[name]),
        )
        for name, pair in first.items()
    ]
    headings = ["rung", "what differs", "same answer expected", *_pairs_in(ladders), "median distance"]
    return table(headings, rows, numbers_from=3)


def edits_table(ladders: Sequence[Ladder], measured: Measured) -> str:
    """Every edit with what it does and an example before and after."""
    distances = {each.edit: _distance(each.median) for each in measured.distances.edits}
    rows = []
    for edit in ladders[0].edits:
        pair = example_of(edit, ladders)
        before, after = excerpts(pair)
        example = (code(before), code(after))
        rows.append((code(pair.rung), code(edit), _meaning(edit), *example, distances[edit]))
    headings = ["rung", "edit", "what it does", "before", "after", "median distance"]
    return table(headings, rows, numbers_from=5)


def edit_counts_table(ladders: Sequence[Ladder]) -> str:
    """Pairs of every edit in every subset."""
    counts = [Counter(pair.edit for pair in ladder.pairs) for ladder in ladders]
    rows = [(code(edit), *(count[edit] for count in counts)) for edit in ladders[0].edits]
    return table(["edit", *_pairs_in(ladders)], rows, numbers_from=1)


def categories_table(ladders: Sequence[Ladder]) -> str:
    """Base prompts of every category in every subset."""
    counts = [
        Counter({pair.prompt_id: pair.category for pair in ladder.pairs}.values()) for ladder in ladders
    ]
    rows = [(code(category), *(count[category] for count in counts)) for category in CATEGORIES]
    return table(["category", *(f"prompts in {code(each.subset)}" for each in ladders)], rows, numbers_from=1)


def samples(ladder: Ladder) -> str:
    """Authored rows drawn at random, with all that was written for them."""
    authored = [pair for pair in ladder.pairs if pair.origin == "authored"]
    drawn = random.Random(SAMPLE_SEED).sample(authored, min(N_SAMPLES, len(authored)))  # noqa: S311  # no secret
    return "\n\n".join(
        f"**{code(pair.pair_id)}**, rung {code(pair.rung)}, category {code(pair.category)}\n"
        f"- base: {code(visible(pair.base))}\n"
        f"- variant: {code(visible(pair.variant))}\n"
        f"- reason: {plain(pair.reason)}"
        for pair in drawn
    )


def audit_section(audit: Audit | None) -> str:
    """The grid of edits and systems in two tables, and which edits need no table."""
    if audit is None:
        return "No tokenizer was audited for this version."
    bare = [each for each in audit.systems if each.system.template is None]
    templated = [each for each in audit.systems if each.system.template is not None]
    parts = [_bare_table(audit, bare)]
    if templated:
        parts += [_reach_everything(audit, templated), _template_table(audit, templated)]
    return "\n\n".join(parts)


def _bare_table(audit: Audit, systems: Sequence[SystemAudit]) -> str:
    rows = [
        (code(edit), n_pairs, *(_share(each.n_reached[edit], n_pairs) for each in systems))
        for edit, n_pairs in audit.n_pairs.items()
    ]
    names = [code(each.system.tokenizer) for each in systems]
    return table(["edit", "pairs", *names], rows, numbers_from=1)


def _reach_everything(audit: Audit, systems: Sequence[SystemAudit]) -> str:
    held_back = _held_back(audit, systems)
    through = [edit for edit in audit.n_pairs if edit not in held_back]
    names = ", ".join(map(code, through))
    return (
        f"With a chat template around the prompt, {len(through)} of {len(audit.n_pairs)} edits reach all "
        f"{len(systems)} systems in every pair: {names or 'none'}. The others:"
    )


def _template_table(audit: Audit, systems: Sequence[SystemAudit]) -> str:
    edits = _held_back(audit, systems)
    rows = [
        (
            _template_name(each),
            code(each.system.tokenizer) + (" (stand-in)" if each.system.stand_in else ""),
            *(_share(each.n_reached[edit], audit.n_pairs[edit]) for edit in edits),
        )
        for each in systems
    ]
    headings = ["chat template", "tokenizer", *(f"{code(edit)} of {audit.n_pairs[edit]}" for edit in edits)]
    return table(headings, rows, numbers_from=2)


def _held_back(audit: Audit, systems: Iterable[SystemAudit]) -> list[str]:
    """The edits that some system does not receive in every pair."""
    systems = list(systems)
    return [
        edit
        for edit, n_pairs in audit.n_pairs.items()
        if any(each.n_reached[edit] < n_pairs for each in systems)
    ]


def _template_name(audited: SystemAudit) -> str:
    template = audited.system.template
    return "the tokenizer's own" if template == OWN_TEMPLATE else code(str(template))


def _distance(median: float | None) -> str:
    return "none" if median is None else f"{median:.3f}"


def _share(n_reached: int, n_pairs: int) -> str:
    return "all" if n_reached == n_pairs else f"**{n_reached}**"


def _pairs_in(ladders: Sequence[Ladder]) -> list[str]:
    return [f"pairs in {code(ladder.subset)}" for ladder in ladders]


def _meaning(edit: str) -> str:
    if edit in EDITS:
        return str(EDITS[edit].function.__doc__).strip().split("\n")[0]
    return AUTHORED_MEANINGS[edit]


# ---- examples


def example_of(edit: str, ladders: Sequence[Ladder]) -> Pair:
    """The shortest pair of an edit, from the smallest subset that has one; every reader finds it there."""
    pairs = next(
        found for each in reversed(ladders) if (found := [pair for pair in each.pairs if pair.edit == edit])
    )
    return min(pairs, key=lambda pair: len(pair.base) + len(pair.variant))


def excerpts(pair: Pair) -> tuple[str, str]:
    """The changed place before and after, with some context and white space made visible.

    Example:
        >>> from lm_eval_sensitivity.ladder.build import build_pairs
        >>> from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, Source
        >>> prompt = AuthoredPrompt("greeting", "creative_writing", "Write a greeting.", {})
        >>> excerpts(build_pairs(Source("1", (prompt,)))[1])
        ('Write a greeting.', '·Write a greeting.')
    """
    first = pair.replacements[0].start if pair.replacements else 0
    last = pair.replacements[-1].end if pair.replacements else len(pair.base)
    left = _left_context(pair.base[:first])
    right = _right_context(pair.base[last:])
    before, after, position = "", "", first
    for each in pair.replacements:
        kept = visible(pair.base[position : each.start])
        before += kept + _changed(pair.base[each.start : each.end])
        after += kept + _changed(each.replacement)
        position = each.end
    if not pair.replacements:
        before = after = visible(pair.base)
    return left + before + right, left + after + right


def _changed(text: str) -> str:
    """White space that was changed is shown; between the words of a rewritten passage it would only disturb."""
    return visible(text, spaces=not text.strip())


def _left_context(text: str) -> str:
    if len(text) <= _CONTEXT:
        return visible(text)
    _, _, words = text[-_CONTEXT:].partition(" ")
    return "…" + visible(words)


def _right_context(text: str) -> str:
    if len(text) <= _CONTEXT:
        return visible(text)
    words, _, _ = text[:_CONTEXT].rpartition(" ")
    return visible(words) + "…"


def sizes(ladders: Sequence[Ladder]) -> Mapping[str, str]:
    """Numbers that the prose of the card names."""
    full = ladders[0]
    per_category = Counter({pair.prompt_id: pair.category for pair in full.pairs}.values())
    equal = set(per_category.values())
    smaller = [f"{code(each.subset)} holds {len(each.prompts)} of them" for each in ladders[1:]]
    return {
        "n_prompts": str(len(full.prompts)),
        "n_samples": str(N_SAMPLES),
        "n_pairs": f"{len(full.pairs):,}",
        "n_edits": str(len(full.edits)),
        "n_rule_edits": str(sum(edit in EDITS for edit in full.edits)),
        "n_authored_rows": f"{sum(pair.origin == 'authored' for pair in full.pairs):,}",
        "per_category": (
            f"{equal.pop()} in each of {len(per_category)} categories"
            if len(equal) == 1
            else f"in {len(per_category)} categories"
        ),
        "smaller_subsets": "; ".join(smaller) if smaller else "there is no smaller subset",
    }
