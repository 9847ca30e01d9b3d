"""What every number means, what it was computed from, how to get it, and what not to conclude."""

from __future__ import annotations

from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.report.page import NOT_TO_CONCLUDE
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.citation import bibtex
from lm_eval_sensitivity.space.downloads import MEDIA_TYPES, TABLES
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.stats.verdicts import MEANINGS, RULES, Constants
from lm_eval_sensitivity.types import RUNGS, Rung

RUNG_WORDS: dict[Rung, str] = {
    "identical": "Nothing. The same prompt is run again: what moves here is noise of the system, the noise floor.",
    "noop": "Characters that no reader notices, such as a space at the end. The request is the same.",
    "punctuation": "Marks and capitals, such as a missing question mark. The request is the same.",
    "synonym": "One word by another of the same meaning. The request is the same.",
    "paraphrase": "The whole wording. The request is the same.",
    "semantic_change": "A detail of what is asked for. A good answer changes with it.",
    "positive_control": "The request itself. The output must move; a system that does not is not alive.",
}
"""What is changed on each rung."""


def show(results: Results, query: Query) -> View:
    """The view."""
    constants = Constants()
    return View(
        "Method and downloads",
        "method.html",
        {
            "manifest": results.manifest,
            "metrics": tuple(METRICS.values()),
            "rungs": [(rung, RUNG_WORDS[rung], edits_of_rung(rung)) for rung in RUNGS],
            "rules": [(label, signs, constants.in_words(MEANINGS[label])) for signs, label in RULES],
            "other_labels": [
                (label, constants.in_words(words))
                for label, words in MEANINGS.items()
                if label not in {label for _, label in RULES}
            ],
            "formulas": constants.formulas,
            "constants": constants,
            "tables": tuple(TABLES),
            "endings": tuple(MEDIA_TYPES),
            "not_to_conclude": NOT_TO_CONCLUDE,
            "citation": bibtex(results.manifest.package_version, results.manifest.signature),
        },
    )
