"""Counts, columns of tables, and the letters of formulas."""

from __future__ import annotations

from lm_eval_sensitivity.glossary.terms import Term, by_name

COUNTS = by_name(
    (
        Term(
            "prompts", "Base prompts behind a number. The prompt is the unit: its pairs are not independent."
        ),
        Term("pairs", "Pairs with a distance: scored."),
        Term("scored", "A pair that has a distance."),
        Term(
            "erased",
            "Pairs whose edit never reached the model: chat template or tokenizer removed it. They have no distance, "
            "and are not edits that the model withstood.",
        ),
        Term("unscored", "Pairs without a distance for another reason, which is named. Never counted as 0."),
        Term("zeros", "Prompts whose number is exactly 0."),
        Term(
            "pairs lost",
            "Pairs that one of two systems has no number for; the difference is over the others.",
        ),
        Term("empty", "Outputs without text."),
        Term("loop", "Outputs that end in a repetition."),
        Term("cut", "Outputs that reached the token limit: what would have followed was not compared."),
        Term("unclosed", "Outputs whose reasoning never ends; they have no answer."),
    )
)
COLUMNS = by_name(
    (
        Term("mean", "Over prompts; every rung has the same weight, and within it every edit."),
        Term("lower, upper", "Ends of the 95 % interval of the mean, over prompts."),
        Term("noise floor", "Mean distance of the identical rung: the same prompt, generated again."),
        Term("noise prompts", "Prompts behind the noise floor."),
        Term(
            "alive", "Whether the positive control moves the output reliably further than harmless edits do."
        ),
        Term("clusters", "Letters of the clusters that a system belongs to."),
        Term("common mean", "Mean over the pairs that are scored in all systems of the table."),
        Term("detectable", "The smallest difference that would be found with 80 % power."),
        Term("p adjusted", "p of a difference, adjusted for all pairs of systems in the table."),
        Term("p order", "p of a test of means: which of the two is lower."),
        Term("attainable p", "The smallest p that so few prompts can give."),
        Term(
            "part of the mean difference",
            "What a prompt or an edit adds to the difference of the means. It may have another sign than the edit's "
            "own difference, which gives every prompt the same weight; in the mean, an edit of a prompt with few "
            "edits weighs more.",
        ),
        Term("reached", "Whether an edit changed the token ids that the model was fed."),
        Term(
            "parts at",
            "Where two outputs first differ, counted from 0. never: they are equal. not yet: equal up to the token "
            "limit.",
        ),
        Term("harmless mean, control mean, drift mean", "The numbers p, c and b of formulas, of one system."),
        Term(
            "harmless / control",
            "How far harmless edits move a system, as a share of what another request does.",
        ),
        Term("survival", "Share of prompts in which an edit changes the token ids."),
    )
)
LETTERS = by_name(
    (
        Term("p", "Mean distance under meaning-preserving edits."),
        Term("c", "Mean distance under the positive control."),
        Term("b", "Drift: mean distance from the reference's outputs on the identical prompts."),
        Term("f", "Mean distance of the identical rung, the noise floor."),
        Term("p_ref, c_ref", "The same of the reference."),
        Term("kC, kR, kP, lambda", "Constants of the rules, declared before the numbers are seen."),
    )
)
"""Letters stand in formulas only."""
