"""Sampled outputs in numbers and words: which are scored, when two clouds separate, and what a run then says."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.embedder import Reading, TextDistances
from lm_eval_sensitivity.harness.close.sampled_rows import (
    SampledNote,
    response_in_words,
    sampled_closing_words,
    sampled_pairs_in_words,
)
from lm_eval_sensitivity.harness.generate.generation import Answer, FilteredText, Generation, View
from lm_eval_sensitivity.harness.measure.pair import output_spreads
from lm_eval_sensitivity.harness.measure.sampled_pair import (
    measure_sampled_pair,
    sampled_pair_record,
    unreadable_samples,
)
from lm_eval_sensitivity.types import AnswerSpan, Missing


class Letters:
    """An embedder whose vectors are known: one direction per first letter."""

    identity: Any = None

    def encode(self, texts: Any) -> Any:
        return np.eye(26, dtype=np.float32)[[ord(text[0]) - ord("a") for text in texts]]


def samples(*texts: str | None) -> list[FilteredText]:
    """Answers; None is an output whose scaffold never closes."""
    made = []
    for text in texts:
        span = AnswerSpan("unclosed" if text is None else "none", None, 0, 0)
        view = None if text is None else View(text, None, {})
        raw = View("<think>", None, {})
        made.append(
            FilteredText(Generation("<think>", raw=raw, answer=Answer(span, view, None, None)), "answer")
        )
    return made


def measured(base: list[FilteredText], variant: list[FilteredText]) -> Any:
    return measure_sampled_pair(base, variant, TextDistances(Letters), seed=0)


def test_unclosed_samples_are_left_out_until_they_are_more_than_half() -> None:
    full = samples("a", "a", "b", "b")
    half = measured(full, samples("c", None, "c", None))
    # Base: of six pairs four differ by 1. Variant: no difference. Between: all differ.
    assert half.metrics["within_distance"] == pytest.approx((4 / 6 + 0) / 2)
    assert (half.metrics["between_distance"], half.test.n_b, half.missing) == (1.0, 2, None)
    fewer = measured(full, samples("c", None, None, None))
    assert fewer.missing == "unclosed: of 4 samples of the variant 3 unclosed, more than half"
    assert all(math.isnan(value) for value in fewer.metrics.values())
    assert fewer.test_record == {"p_value": None, "reason": fewer.missing}
    assert measured(samples("a", None), full).missing.startswith("too few: 1 and 4 samples")
    assert measured(samples(" ", " ", "a"), full).missing.startswith(
        "empty: of 3 samples of the base 2 empty"
    )
    record = sampled_pair_record(full, samples("c", None, "c", None))
    assert record["variant"] == {"n_samples": 4, "unscored": {"1": "unclosed", "3": "unclosed"}}
    words = sampled_pairs_in_words([{**record, "missing": {}, "scores": {}}])
    assert words == "1 of 1 pairs scored, 2 of 8 samples of scored pairs left out"


class Latin(Letters):
    """Cannot read what begins with another letter than a to z; does not see what follows a cross."""

    def encode(self, texts: Any) -> Any:
        return super().encode([text if text < "{" else "z" for text in texts])

    def readings(self, texts: Any) -> list[Reading]:
        return [Reading(text.partition("+")[0].encode(), float(text > "{")) for text in texts]


def test_samples_that_the_embedder_cannot_read_are_left_out_and_counted() -> None:
    distances = TextDistances(Latin)
    full, half = samples("a", "a", "b", "b"), samples("c", "\u0e01", "c", "\u0e02")
    found = measure_sampled_pair(full, half, distances, seed=0)
    assert found.test is not None
    assert (found.metrics["between_distance"], found.test.n_b, found.missing) == (1.0, 2, None)
    record = sampled_pair_record(full, half, unreadable_samples(full, half, distances))
    assert record["variant"]["unscored"] == {"1": "unreadable", "3": "unreadable"}
    thai = measure_sampled_pair(samples(*"\u0e01\u0e01\u0e02"), full, distances, seed=0)
    assert thai.missing == "unreadable: of 3 samples of the base 3 unreadable, more than half"
    alike = measure_sampled_pair(samples("a+1", "b", "b"), samples("a+2", "c", "c"), distances, seed=0)
    assert alike.test is not None
    assert (alike.test.n_a, alike.test.n_b) == (2, 2), "`a+1` and `a+2` are not told from each other"


def test_bases_that_the_embedder_cannot_read_have_no_spread_and_none_counts_them() -> None:
    texts = {"p1": "a", "p2": "b", "p3": "\u0e01", "p4": "c+1", "p5": "c+2"}
    bases = {prompt: samples(text)[0] for prompt, text in texts.items()}
    spreads = output_spreads(bases, TextDistances(Latin))
    assert spreads["p1"] == spreads["p2"] == 1.0
    lost = [spreads[prompt] for prompt in ("p3", "p4", "p5")]
    assert all(isinstance(each, Missing) and each.kind == "unreadable" for each in lost)


def test_texts_that_an_embedder_reads_alike_do_not_separate() -> None:
    """Two spellings with one meaning, whose vectors differ as single precision does in another batch."""

    class Nearly(Letters):
        def encode(self, texts: Any) -> Any:
            rows = np.full((len(texts), 4), 0.5, np.float32)
            rows[[text.startswith("b") for text in texts], 0] += np.float32(1e-6)
            return rows

    distances = TextDistances(Nearly)
    assert distances.pairwise(["a", "b"])[0, 1] > 0
    found = measure_sampled_pair(samples(*"a" * 5), samples(*"b" * 5), distances, seed=0)
    assert found.test is not None
    assert (found.test.p_value, found.metrics["excess_distance"]) == (1.0, 0.0)


def test_pairwise_distances_are_those_of_each_pair() -> None:
    class Random(Letters):
        def encode(self, texts: Any) -> Any:
            rows = np.array([np.random.default_rng(len(text)).normal(size=5) for text in texts], np.float32)
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    distances = TextDistances(Random)
    texts = ["a", "bb", "a", "ccc"]
    expected = [[distances.distance(one, other) for other in texts] for one in texts]
    assert distances.pairwise(texts) == pytest.approx(np.array(expected), abs=1e-12)
    assert distances.pairwise(texts)[0, 2] == 0.0
    with pytest.raises(ValueError, match="nothing to embed"):
        distances.pairwise(["a", " "])


def notes_of(rung: str, *p_values: float | None, attainable_p: float = 1e-4, missing: str = "erased") -> Any:
    """Pairs of a rung with these p-values; None is a pair that was lost."""
    return [
        SampledNote(
            rung, "answer", {"p_value": p, "attainable_p": attainable_p}, missing if p is None else None
        )
        for p in p_values
    ]


def test_closing_words_say_when_nothing_could_separate() -> None:
    words = sampled_closing_words(notes_of("synonym", *[0.1] * 9, attainable_p=0.1))
    assert words[0] == "Sampled outputs: 9 of 9 pairs scored."
    assert words[1].startswith("No sampled pair could separate: the smallest p of a pair is 0.1")
    words = sampled_closing_words(notes_of("identical", 0.04, *[0.5] * 8))
    assert words[1].startswith(
        "Of 9 pairs of identical prompts 0 do, and 1 have an unadjusted p of at most 0.05"
    )


def test_coverage_is_said_even_where_nothing_is_scored() -> None:
    assert sampled_closing_words([]) == []
    assert sampled_closing_words(notes_of("noop", None, None, None)) == [
        "Sampled outputs: 0 of 3 pairs scored; 3 of 3 pairs erased."
    ]
    coverage, silence = sampled_closing_words(notes_of("noop", None, None, missing="empty"))
    assert coverage == "Sampled outputs: 0 of 2 pairs scored; 2 empty."
    assert silence.startswith("It gave nothing that could be scored in 100 % ")


@pytest.mark.parametrize(("n_silent", "said"), [(2, False), (3, True)])
def test_silence_is_said_above_a_fifth_of_the_pairs_that_reached_the_system(
    n_silent: int, said: bool
) -> None:
    notes = [
        *notes_of("synonym", *[1e-4] * (10 - n_silent), *[None] * n_silent, missing="unclosed"),
        *notes_of("noop", *[None] * 10),
    ]
    assert any("nothing that could be scored" in line for line in sampled_closing_words(notes)) == said


LIFELESS_WORDS = (
    "another request moves the sampled answers no further than chance: collapsed or indiscriminate"
)


@pytest.mark.parametrize(
    ("p_values", "words"),
    [
        ([1.0] * 18, LIFELESS_WORDS),
        ([1e-4] + [1.0] * 17, LIFELESS_WORDS),
        ([1e-4] * 2 + [1.0] * 16, "2 of 18 pairs of the positive control separate"),
        ([1.0] * 5, LIFELESS_WORDS),
        ([1e-4] + [1.0] * 4, "1 of 5 pairs of the positive control separate"),
        ([1.0] * 4, "not judged: 4 pairs of the positive control tested"),
        ([None] * 18, "not judged: 0 pairs of the positive control tested"),
        ([], "not judged: no positive control in this run"),
    ],
)
def test_another_request_must_separate_more_than_one_pair_in_ten(p_values: list[Any], words: str) -> None:
    """Whatever a harmless rung or the other filter may do."""
    moved = notes_of("synonym", *[1e-4] * 18)
    raw = [replace(note, filter_name="raw") for note in notes_of("positive_control", *[1e-4] * 18)]
    notes = [*moved, *raw, *notes_of("positive_control", *p_values)]
    assert response_in_words(notes, "answer") == words
    closing = " ".join(sampled_closing_words(notes))
    assert ("A low distance is no stability here." in closing) == ("indiscriminate" in words)
    assert ("collapsed or indiscriminate" in closing) == ("indiscriminate" in words)


def test_samples_that_could_not_separate_are_no_verdict() -> None:
    notes = [*notes_of("positive_control", *[0.1] * 9, attainable_p=0.1), *notes_of("synonym", 1e-4)]
    assert response_in_words(notes, "answer") == "not judged: too few samples for 9 pairs"
    assert response_in_words(None, "answer") == "not judged: several processes"
    assert "collapsed" not in " ".join(sampled_closing_words(notes))
