"""How far two outputs are apart in meaning, as a metric of `evaluate`: README.md beside this file."""

import datasets
import evaluate

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.embedder.answers import compare_answers, numbers_and_reasons

_DESCRIPTION = """\
Cosine distance of the sentence vectors of two outputs, for example before and after an edit of the prompt. Reasoning
scaffolds are left out, and texts longer than the embedder's window are read to their end. What cannot be compared is
missing with a reason, never 0.
"""

_INPUTS = """
Args:
    predictions: list of outputs.
    references: list of the outputs that they are compared with, in the same order.
    embedder: a sentence-transformers model, by its name on the Hub or its folder; without one, all-MiniLM-L6-v2.
Returns:
    answer_cosine_distance: mean over pairs with a number, from 0 (same) to 2; None without one.
    n_scored: how many these are.
    distances: of each pair; None where it has none.
    missing: why it has none, or None.
"""


class AnswerCosineDistance(evaluate.Metric):
    """Distances of outputs, pair by pair, and their mean."""

    def _info(self):
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=f"The lm-eval-sensitivity authors: lm-eval-sensitivity {__version__}.",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions, references, embedder=None):
        distances, missing = numbers_and_reasons(compare_answers(predictions, references, embedder=embedder))
        there = [distance for distance in distances if distance is not None]
        return {
            "answer_cosine_distance": sum(there) / len(there) if there else None,
            "n_scored": len(there),
            "distances": distances,
            "missing": missing,
        }
