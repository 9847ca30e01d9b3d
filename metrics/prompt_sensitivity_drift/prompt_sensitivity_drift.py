"""How far a system's outputs drifted from a reference's, as a metric of `evaluate`: README.md beside this file."""

import datasets
import evaluate

from lm_eval_sensitivity import __version__
from lm_eval_sensitivity.embedder.answers import compare_answers, numbers_and_reasons
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.statements.drift_distance import Drift
from lm_eval_sensitivity.stats import mean_interval
from lm_eval_sensitivity.text.format import to_json

_DESCRIPTION = """\
How far the outputs of a system, for example a quantized model, are from those of a reference to the same prompts: mean
over prompts of the mean cosine distance of the outputs to a prompt and its harmless variants, with a 95 % interval over
prompts. What cannot be compared is missing with a reason, never 0.
"""

_INPUTS = """
Args:
    predictions: list of the system's outputs.
    references: list of the reference's outputs to the same texts, in the same order.
    prompt_ids: list of the names of the prompts that these are of; a prompt and its variants share one. Without it,
        every text is a prompt of its own.
    embedder: a sentence-transformers model, by its name on the Hub or its folder; without one, all-MiniLM-L6-v2.
Returns:
    prompt_sensitivity_drift: mean over prompts with a number, from 0 (same) to 2; None without one.
    lower, upper: bounds of the 95 % interval; None below five prompts.
    reason: why there are no bounds, or None.
    n_prompts: how many prompts have a number.
    by_prompt: the number of each prompt; None where it has none.
    distances: of each text; None where it has none.
    missing: why it has none, or None.
"""


class PromptSensitivityDrift(evaluate.Metric):
    """Distances of two systems' outputs, averaged within prompts, then over them."""

    def _info(self):
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=f"The lm-eval-sensitivity authors: lm-eval-sensitivity {__version__}.",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions, references, prompt_ids=None, embedder=None):
        names = [str(index) for index in range(len(predictions))] if prompt_ids is None else prompt_ids
        if len(names) != len(predictions):
            raise InputError(
                f"`prompt_ids` names {len(names)} prompts for {len(predictions)} outputs. Give each output one name."
            )
        found = compare_answers(predictions, references, embedder=embedder)
        texts = {
            (str(name), str(place)): each for place, (name, each) in enumerate(zip(names, found, strict=True))
        }
        drift = Drift("system", texts, "outputs of both systems")
        interval = mean_interval(list(drift.by_prompt.values()), largest=drift.largest)
        distances, missing = numbers_and_reasons(found)
        return to_json(
            {
                "prompt_sensitivity_drift": drift.mean,
                "lower": interval.lower,
                "upper": interval.upper,
                "reason": interval.reason,
                "n_prompts": drift.counts.n_prompts,
                "by_prompt": drift.by_prompt,
                "distances": distances,
                "missing": missing,
            }
        )
