"""The words at the end of a run: they say what the table cannot, and never more than was measured."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from pathlib import Path

import pytest

from lm_eval_sensitivity.harness.closing import PairNote, RunLog, closing_words
from lm_eval_sensitivity.types import RUNGS
from tests.harness import tiny_models
from tests.harness.conftest import Lmeval

LEVELS = {"identical": 0.0, "semantic_change": 0.3, "positive_control": 0.8}


class Task:
    """Stands for one of lm_eval's."""


def notes(levels: dict[str, float], n_prompts: int = 9) -> list[PairNote]:
    """One pair per prompt and rung; a harmless edit moves the output by 0.1."""
    return [
        PairNote(f"p{n}", f"{rung}_edit", rung, levels.get(rung, 0.1), None, (), False)
        for rung in RUNGS
        for n in range(n_prompts)
    ]


def said(of: list[PairNote]) -> str:
    return " ".join(closing_words(of, None))


def test_nothing_measured_says_nothing() -> None:
    assert closing_words([], Path("runs")) == []


def test_a_clean_run_has_numbers_and_no_warning() -> None:
    words = closing_words(notes(LEVELS), Path("runs/x"))
    assert words[0] == "63 of 63 pairs of 9 prompts scored."
    assert (
        "harmless edits 0.1000, identical prompts (noise floor) 0.0000, the positive control 0.8000"
        in words[1]
    )
    assert words[2].startswith("Next: `lm-eval-sensitivity clusters runs/x`")
    assert len(words) == 3


def test_erased_and_unscored_pairs_are_counted_and_their_distance_is_not_zero() -> None:
    gone = [
        replace(note, distance=math.nan, missing="erased") if note.rung == "noop" else note
        for note in notes(LEVELS)
    ]
    gone[0] = replace(gone[0], distance=math.nan, missing="no_answer")
    words = said(gone)
    assert "53 of 63 pairs of 9 prompts scored; 9 erased, 1 no answer" in words
    assert "Erased edits (noop_edit) never reached the model" in words
    assert "harmless edits 0.1000" in words


def test_a_rung_that_was_not_run_has_no_number() -> None:
    words = said([note for note in notes(LEVELS) if note.rung not in ("identical", "positive_control")])
    assert "noise floor" not in words
    assert "positive control" not in words


def test_a_number_that_is_not_zero_never_reads_as_zero() -> None:
    words = said(notes({**LEVELS, "identical": 1e-9}))
    assert "(noise floor) <0.0001" in words
    assert "differ by <0.0001" in words


def test_noise_is_named() -> None:
    assert "Identical prompts already differ by 0.0500" in said(notes({**LEVELS, "identical": 0.05}))


@pytest.mark.parametrize("control", [0.0, 0.05, 0.1])
def test_a_control_no_larger_than_harmless_edits_is_collapsed_or_indiscriminate(control: float) -> None:
    assert "collapsed or indiscriminate" in said(notes({**LEVELS, "positive_control": control}))
    assert "collapsed" not in said(notes(LEVELS))


def test_flags_are_named_from_a_tenth_of_the_outputs_on() -> None:
    looping = [replace(note, flags=("loop",)) for note in notes(LEVELS)[:6]] + notes(LEVELS)[6:]
    assert "repetition" not in said(looping)
    looping[6] = replace(looping[6], flags=("loop", "cut"))
    assert "7 of 63 outputs are caught in a repetition." in said(looping)
    assert "token limit" not in said(looping)


def test_shared_preamble_is_named() -> None:
    shared = [replace(notes(LEVELS)[0], shared_preamble=True), *notes(LEVELS)[1:]]
    assert "1 of 63 outputs open with a preamble that unrelated prompts share" in said(shared)


def test_a_run_is_over_with_its_last_task_and_the_next_one_starts_empty() -> None:
    log, first, second = RunLog(), Task(), Task()
    note = notes(LEVELS)[0]
    for _ in range(2):
        log.started(first)
        log.started(second)
        assert log.finished(second, [note]) is None
        assert log.finished(first, [note]) == [note, note]
    assert log.finished(first, [note]) is None  # not entered again


def test_a_run_that_failed_does_not_silence_the_next() -> None:
    log, note = RunLog(), notes(LEVELS)[0]
    failed, rest = Task(), Task()
    log.started(failed)
    log.started(rest)
    assert log.finished(rest, [note]) is None
    after = Task()
    log.started(after)  # tasks start before any finishes: this is another run
    assert log.finished(after, [note]) == [note]
    log.started(failed)
    log.started(after)
    del failed  # gone without having finished, even after the other has started
    assert log.finished(after, [note]) == [note]
    # A task that finished and is gone keeps its notes until its run is over.
    log.started(rest)
    log.started(after)
    assert log.finished(rest, [note]) is None
    del rest
    assert log.finished(after, [note]) == [note, note]


def test_words_name_the_share_and_a_path_that_can_be_pasted() -> None:
    words = closing_words(notes({**LEVELS, "positive_control": 0.1}), Path("my runs/$x"))
    assert any("moves the answers not 25 % further than a harmless edit does" in line for line in words)
    assert "clusters 'my runs/$x'`" in words[-1]


def test_words_are_logged_once_for_all_tasks_of_a_run(
    lm_eval: Lmeval, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tiny_models.build(tmp_path / "llama", "llama")
    with caplog.at_level(logging.INFO, logger="lm_eval_sensitivity.harness.task"):
        run = lm_eval(
            model,
            tasks="prompt_sensitivity_mini_identical,prompt_sensitivity_mini_synonym",
            limit=3,
            gen_kwargs="max_gen_toks=4",
        )
    lines = [record.message for record in caplog.records if record.name == "lm_eval_sensitivity.harness.task"]
    assert lines[0].startswith("6 of 6 pairs of 3 prompts scored.")
    assert sum("pairs of" in line for line in lines) == 1
    assert lines[-1] == (
        f"Next: `lm-eval-sensitivity clusters {run.folder}` gives intervals; `compare` and `drift` set it beside other "
        "runs (with --log_samples)."
    )
