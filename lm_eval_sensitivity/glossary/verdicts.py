"""The words and labels of verdicts. What a label means is said where its rule is, with its constants."""

from __future__ import annotations

from lm_eval_sensitivity.glossary.terms import Term, by_name
from lm_eval_sensitivity.stats.rules import INVALID_PROBE, MEANINGS, UNDETERMINED, Constants

_SUBJECTS = {UNDETERMINED: "Of the three words,", INVALID_PROBE: "No verdict:"}

VERDICTS = by_name(
    (
        Term("alive", "Another request moves the output reliably further than harmless edits do."),
        Term("collapsed", "The output has lost much of the reference's response to another request."),
        Term("indiscriminate", "Harmless edits move the output about as far as another request does."),
        Term("collapsed or indiscriminate", "One of the two; which, only a reference can say."),
        Term("as the reference", "Harmless edits do not move it much further than they move the reference."),
        Term("more", "Harmless edits move it much further than they move the reference."),
        Term("near", "Nearer to the reference's outputs than what harmless edits explain."),
        Term("far", "Further from the reference's outputs than what harmless edits explain."),
        Term("unclear", "The data do not decide. More prompts may."),
        Term(
            "not distinguishable",
            "The data do not tell two systems apart. That does not say that they are equal.",
        ),
        Term("may be noise", "So few repetitions cannot exclude that the system's own noise is as large."),
    )
)
LABELS = by_name(
    Term(label, f"{_SUBJECTS.get(label, 'The system')} {Constants().in_words(said)}.")
    for label, said in MEANINGS.items()
)
"""At most one per system, from its three words."""
