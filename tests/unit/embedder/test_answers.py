"""Answers of two outputs, compared without a run."""

from __future__ import annotations

import pytest

from lm_eval_sensitivity.embedder import Embedder, TextDistances
from lm_eval_sensitivity.embedder.answers import OF_TEXTS, compare_answers, numbers_and_reasons
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.types import Missing


def test_the_metrics_of_two_texts_are_those_of_the_catalogue() -> None:
    assert OF_TEXTS == ("cosine_distance", "text_edit_distance")


def test_a_distance_is_that_of_the_answers_behind_their_scaffolds(
    embedder: Embedder, model_folder: object
) -> None:
    answers = ["It is Paris.", "Rome lies in Italy."]
    (found,) = compare_answers(
        [f"<think>Rome? No.</think> {answers[0]}"], [answers[1]], embedder=str(model_folder)
    )
    assert found == TextDistances(lambda: embedder).distance(*answers)
    assert isinstance(found, float) and 0.2 < found < 1.5
    assert compare_answers([answers[0]], [answers[0]], embedder=str(model_folder)) == [0.0]


@pytest.mark.parametrize("metric", OF_TEXTS)
@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("", "empty"),
        (" \n", "empty"),
        (None, "empty"),
        ("<think>2 and", "unclosed"),
        ("<think>2 and 2</think> ", "empty answer"),
    ],
)
def test_what_has_no_answer_is_missing_on_either_side_and_never_0(
    metric: str, output: str | None, kind: str, model_folder: object
) -> None:
    found = compare_answers([output, "4", output], ["4", output, output], metric, embedder=str(model_folder))
    assert [value.kind if isinstance(value, Missing) else value for value in found] == [kind] * 3
    numbers, reasons = numbers_and_reasons(found)
    assert numbers == [None] * 3 and all(reasons)


def test_texts_that_the_embedder_cannot_read_have_no_distance(model_folder: object) -> None:
    (found,) = compare_answers(["แมว"], ["สุนัข"], embedder=str(model_folder))
    assert isinstance(found, Missing) and found.kind == "unreadable"


def test_lists_of_two_lengths_and_other_metrics_are_refused() -> None:
    with pytest.raises(InputError, match="There are 1 texts and 2 to compare them with"):
        compare_answers(["a"], ["a", "b"])
    with pytest.raises(InputError, match="accepted: cosine_distance, text_edit_distance"):
        compare_answers(["a"], ["a"], "token_edit_distance")
