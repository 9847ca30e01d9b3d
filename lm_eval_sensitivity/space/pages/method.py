"""What every number means, what it was computed from, how to get it, and what not to conclude."""

from __future__ import annotations

from lm_eval_sensitivity.glossary import title_of
from lm_eval_sensitivity.ladder.build import edits_of_rung
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.metrics.catalogue import OF_ANSWERS
from lm_eval_sensitivity.report.wording import NOT_TO_CONCLUDE
from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.space.citation import bibtex
from lm_eval_sensitivity.space.downloads import MEDIA_TYPES, documents
from lm_eval_sensitivity.space.query import Query
from lm_eval_sensitivity.space.rungs import RUNG_WORDS
from lm_eval_sensitivity.space.texts import LONGEST, LONGEST_NAME
from lm_eval_sensitivity.space.view import View
from lm_eval_sensitivity.stats.rules import AXES, MEANINGS, RULES, Constants
from lm_eval_sensitivity.types import RUNGS


def show(results: Results, query: Query) -> View:
    """The view of method and downloads.

    Args:
        results: from `open_results`.
        query: not looked at.

    Returns:
        Metrics, rungs, rules and files, with what the manifest says of these results.
    """
    constants, signed = Constants(), results.manifest.signature
    return View(
        title_of("method"),
        "method.html",
        {
            "manifest": results.manifest,
            "origin": results.origin,
            "metrics": (*(OF_ANSWERS if results.manifest.is_of_answers else METRICS).values(),),
            "rungs": [(rung, *RUNG_WORDS[rung], edits_of_rung(rung)) for rung in RUNGS],
            "axes": [(axis, word, signs) for axis, rules in AXES.items() for signs, word in rules],
            "rules": [(label, words, constants.in_words(MEANINGS[label])) for words, label in RULES],
            "other_labels": [
                (label, constants.in_words(words))
                for label, words in MEANINGS.items()
                if label not in {label for _, label in RULES}
            ],
            "formulas": constants.formulas,
            "constants": constants,
            "tables": tuple(documents(results)),
            "endings": tuple(MEDIA_TYPES),
            "not_to_conclude": NOT_TO_CONCLUDE,
            "citation": bibtex(
                signed.package_version[:LONGEST_NAME],
                signed.in_words()[:LONGEST],
                address_on_the_hub(results),
            ),
        },
    )


def address_on_the_hub(results: Results) -> str:
    """Where the results are published, at the commit that is shown; empty for a folder of this machine."""
    origin = results.origin
    return f"https://huggingface.co/datasets/{origin.dataset}/tree/{origin.commit}" if origin else ""
