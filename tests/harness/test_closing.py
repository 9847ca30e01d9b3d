"""The words at the end of a run: they say what the table cannot, and never more than was measured."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.harness.close.finished_run import PairCells
from lm_eval_sensitivity.harness.close.last_screen import Kept, OwnSystem, closing_lines, pairs_once, say_last
from lm_eval_sensitivity.harness.close.run_log import RunLog
from lm_eval_sensitivity.records.run_metadata import LadderIdentity
from lm_eval_sensitivity.report.wording.summary import lines
from lm_eval_sensitivity.report.wording.summary_cautions import cautions
from lm_eval_sensitivity.text.format import percent
from tests.harness.conftest import Lmeval
from tests.harness.made_pairs import LEVELS, answer, missing, pairs, raw, reference, run, with_tokens


class Task:
    """Stands for one of lm_eval's."""


OWN = OwnSystem(
    name="m",
    identity={"dtype": "float32"},
    notes={},
    ladder=LadderIdentity("l", "mini", "1.0.0", "0" * 64),
    decoding={"max_gen_toks": 96},
    n_expected=0,
)
KEPT = Kept(Path("my runs/$x"), Path("my runs/$x/m"), samples=True)
NOTHING_KEPT = Kept(None, None, samples=False)


def screen(of: list[PairCells], kept: Kept = NOTHING_KEPT, **settings: Any) -> list[str]:
    return closing_lines(run(of, **settings), OWN, kept)


def said(of: list[PairCells], **settings: Any) -> str:
    """The screen as one line, as sentences break where a terminal ends."""
    return " ".join(" ".join(screen(of, **settings)).split())


def test_nothing_measured_says_nothing() -> None:
    assert screen([], KEPT) == []


def test_a_clean_run_says_what_was_measured_and_has_no_caution() -> None:
    assert screen([with_tokens(pair, 0, 20) for pair in pairs(LEVELS, 24)], KEPT) == [
        "Prompt sensitivity of m (fp32, greedy, at most 96 tokens), ladder mini 1.0.0",
        "  Harmless edits move an answer by    0.100  95 %: 0.094 to 0.186; 0 is no change",
        "  The same prompt again moves it by   0.000  noise floor: 24 prompts, one repetition each",
        "  Another request moves it by         0.800  95 %: 0.724 to 0.814",
        "  Verdict: alive. Harmless edits move it 12 % as far as another request does.",
        "  By rung: noop 0.100, punctuation 0.100, synonym 0.100, paraphrase 0.100, semantic_change 0.300.",
        "  Worst edit: noop_edit 0.100 (24 prompts). Worst pair: p0/noop_edit 0.100.",
        "  Trust: 168 of 168 pairs of 24 prompts scored, 0 erased, 0 cut at the limit, 0 loops, no scaffold dominates.",
        "  Files: my runs/$x/m",
        "  Next: lm-eval-sensitivity report 'my runs/$x' -o report",
    ]


def test_few_prompts_leave_noise_open_and_say_how_many_would_not() -> None:
    assert (
        "Caution: What harmless edits move may be noise (0.1000): 9 prompts with one repetition each that agreed "
        "cannot exclude noise of up to 0.1965; about 12 more prompts would."
    ) in said(pairs(LEVELS))


def test_a_screen_has_at_most_15_lines_and_counts_what_has_no_room() -> None:
    """Everything that can be wrong at once."""
    of = [missing(pair, "erased", status="erased") for pair in pairs(LEVELS)[9:18]]
    of += [
        with_tokens(
            raw(pair, variant_loop=True, variant_cut=True, variant_scaffold="shared_preamble"), 70, 90
        )
        for pair in [*pairs(LEVELS)[:9], *pairs({**LEVELS, "positive_control": 0.0})[18:]]
    ]
    lines = screen(of, KEPT)
    assert len(lines) <= 15
    assert any("And 4 more cautions: `lm-eval-sensitivity show RUN`." in line for line in lines), lines
    assert lines[-1].startswith("  Next:")


def test_what_an_engine_does_not_show_is_not_known_and_no_count_of_0() -> None:
    shy = {"audit_status": "unknown", "variant_finish_reason": None}
    words = said([answer(raw(pair, **shy), **shy) for pair in pairs(LEVELS)])
    assert (
        "63 of 63 pairs of 9 prompts scored, erased not known, cuts not known, 0 loops, scaffold not known."
        in words
    )
    assert "Which edits were erased is not known" in words


def test_a_part_of_a_run_is_no_whole_one() -> None:
    part = replace(OWN, n_expected=196)
    words = " ".join(closing_lines(run(pairs(LEVELS)), part, KEPT))
    assert "Caution: The run is partial: 63 of the 196 pairs of its rungs." in words


def test_a_narrow_terminal_loses_no_caution() -> None:
    found = run([raw(pair, variant_cut=True) for pair in pairs(LEVELS)]).summary("answer")
    wide, narrow = (" ".join(" ".join(lines(found, OWN, ["Next: x"], width)).split()) for width in (110, 60))
    assert wide == narrow and "were cut" in wide


def test_the_harmless_rungs_that_a_mean_is_without_are_named() -> None:
    few = [pair for pair in pairs(LEVELS) if pair.raw["rung"] not in ("synonym", "paraphrase")]
    assert "0 is no change; without synonym, paraphrase" in said(few)


def test_too_few_prompts_are_a_reason_and_no_rung_is_a_dash_without_one() -> None:
    words = said(pairs(LEVELS, 2))
    assert words.count("2 prompts have a number, at least 5 are needed.") == 3
    assert "Verdict: none, 2 prompts, at least 5 are needed." in words and "By rung" not in words
    alone = said([pair for pair in pairs(LEVELS) if pair.raw["rung"] == "identical"])
    assert "By rung" not in alone and "told apart" not in alone


@pytest.mark.parametrize(
    ("kept", "last"),
    [
        (NOTHING_KEPT, "Nothing of this is kept. Next: add --output_path FOLDER --log_samples."),
        (
            Kept(Path("r"), Path("r/m"), samples=False),
            "Next: add --log_samples, without which nothing can be",
        ),
    ],
)
def test_what_is_not_kept_is_said(kept: Kept, last: str) -> None:
    assert last in screen(pairs(LEVELS), kept)[-1]


def test_erased_and_unscored_pairs_are_counted_and_their_distance_is_not_zero() -> None:
    gone = [
        missing(pair, "erased", status="erased") if pair.raw["rung"] == "noop" else pair
        for pair in pairs(LEVELS)
    ]
    gone[0] = missing(gone[0], "no_answer")
    words = said(gone)
    assert "53 of 63 pairs of 9 prompts scored, 9 erased, 1 no answer" in words
    assert "Erased edits never reached the model and say nothing about it: noop_edit 9 of 9." in words
    assert "Harmless edits move an answer by 0.100" in words


def test_a_rung_that_was_not_run_has_no_number() -> None:
    words = said(
        [pair for pair in pairs(LEVELS) if pair.raw["rung"] not in ("identical", "positive_control")]
    )
    assert "The same prompt again moves it by - identical rung not run" in words
    assert "Another request moves it by - positive control not run" in words
    assert "Verdict: none, no positive control in this run." in words


def test_a_number_that_is_not_zero_never_reads_as_zero() -> None:
    assert "The same prompt again moves it by <0.001" in said(pairs({**LEVELS, "identical": 1e-9}))


@pytest.mark.parametrize(("n_silent", "said"), [(2, False), (9, True)])
def test_a_system_that_gives_nothing_is_not_passed_over(n_silent: int, said: bool) -> None:
    """Of 27 pairs that reached the model at least a fifth is too much; erased ones are no silence."""
    of = pairs(LEVELS)[9:45]
    erased = [missing(pair, "erased") for pair in of[:9]]
    silent = [missing(pair, "empty") for pair in of[9 : 9 + n_silent]]
    words = " ".join(cautions(run([*erased, *silent, *of[9 + n_silent :]]).summary("answer"), OWN))
    assert (f"in {percent(n_silent / 27)} of the pairs that reached it" in words) == said


@pytest.mark.parametrize("n_unreadable", [9, 63])
def test_what_the_embedder_cannot_read_is_counted_with_the_way_out_and_is_no_finding_about_the_system(
    n_unreadable: int,
) -> None:
    of = pairs(LEVELS)
    unreadable = [missing(missing(pair, "unreadable"), "unreadable", raw) for pair in of[-n_unreadable:]]
    found = run([*of[:-n_unreadable], *unreadable])  # the last nine are those of the positive control
    words = said([*of[:-n_unreadable], *unreadable])
    assert (
        f"{63 - n_unreadable} of 63 pairs of 9 prompts scored, 0 erased, {n_unreadable} unreadable," in words
    )
    assert (
        f"cannot read {n_unreadable} of 63 pairs, equal ones included: they have no cosine distance." in words
    )
    assert """`--metadata '{"embedder": "sentence-transformers/paraphrase-multilingual-""" in words
    assert "collapsed" not in words and "gave nothing" not in words and "No stability" not in words
    assert ("Harmless edits move an answer by 0.100" in words) == (n_unreadable == 9)
    assert found.judged("answer") == (None, "no prompt has both numbers")


def test_noise_is_named() -> None:
    assert "The same prompt again moves it by 0.050 noise floor: 9 prompts, one repetition each" in said(
        pairs({**LEVELS, "identical": 0.05})
    )


@pytest.mark.parametrize("control", [0.0, 0.05, 0.1])
def test_a_control_no_larger_than_harmless_edits_is_collapsed_or_indiscriminate(control: float) -> None:
    assert "collapsed or indiscriminate" in said(pairs({**LEVELS, "positive_control": control}))
    assert "collapsed" not in said(pairs(LEVELS))


def test_flags_are_named_from_a_tenth_of_the_outputs_on() -> None:
    looping = [raw(pair, variant_loop=True) for pair in pairs(LEVELS)[:6]] + pairs(LEVELS)[6:]
    assert "caught in a repetition" not in said(looping)
    looping[6] = raw(looping[6], variant_loop=True, variant_cut=True)
    assert "7 of 63 outputs are caught in a repetition." in said(looping)
    assert "were cut at the token limit" not in said(looping)


def scaffolded(n_before: int, n_tokens: int, n: int = 63) -> list[PairCells]:
    """Of all 63 pairs the first n have this scaffold in both outputs, the others none."""
    return [
        with_tokens(pair, n_before if index < n else 0, n_tokens) for index, pair in enumerate(pairs(LEVELS))
    ]


def test_windows_that_show_a_scaffold_are_named() -> None:
    words = said(scaffolded(70, 200))
    assert (
        "Reasoning, not answer, fills most of these windows under the filter raw: 64 tokens, 128 tokens."
        in words
    )
    assert "loops, scaffold dominates." in words
    assert "whole output" in said(scaffolded(101, 200))
    assert "windows" not in said(scaffolded(32, 200))  # half is not more than half
    assert "windows" in said(scaffolded(33, 200, n=32))
    assert "windows" not in said(scaffolded(33, 200, n=31))
    # A window as long as the longest output is the whole output, and stands there once.
    assert "filter raw: 64 tokens, whole output." in said(scaffolded(90, 128))
    # An erased pair has outputs that nobody compares.
    erased = [missing(pair, "erased", raw) for pair in scaffolded(70, 200, n=63)]
    assert "windows" not in said(erased)


def parting(n: int, **cells: Any) -> list[PairCells]:
    """The first n edited pairs part at steps 4, 5, 6, ... with a margin of 0.5, unless said otherwise."""
    made = pairs(LEVELS)
    for index in range(9, 9 + n):
        changes = {"js_divergence": 1e-9, "first_divergence": index - 5, "margin_at_divergence": 0.5, **cells}
        made[index] = raw(made[index], **changes)
    return made


def test_outputs_that_part_after_prompts_that_end_alike_are_counted() -> None:
    assert (
        "7 of 7 pairs whose prompts end in the same distribution part later: metrics of the prompt end do not see this."
    ) in said(parting(7))


@pytest.mark.parametrize(
    "of",
    [
        parting(5),  # fewer than a tenth
        parting(54, js_divergence=1e-5),
        parting(54, js_divergence=None),  # an engine without distributions
        parting(54, first_divergence=None),
        parting(54, first_divergence=0),  # the prompt end itself
        [raw(pair, js_divergence=0.0, first_divergence=3) for pair in pairs(LEVELS)[:9]],  # nothing edited
    ],
)
def test_nothing_is_said_of_outputs_that_do_not_part_or_parted_at_once(of: list[PairCells]) -> None:
    assert "prompt end" not in said(of)


def test_harmless_edits_within_the_noise_floor_are_no_sensitivity() -> None:
    assert "What harmless edits move is within the noise floor 0.1000" in said(
        pairs({**LEVELS, "identical": 0.1})
    )
    assert "is within the noise floor" not in said(pairs({**LEVELS, "identical": 0.09}))
    assert "is within the noise floor" not in said(
        [pair for pair in pairs(LEVELS) if pair.raw["rung"] != "identical"]
    )
    assert "is within the noise floor" not in said(pairs({**LEVELS, "identical": 0.1}, n_prompts=4))


@pytest.mark.parametrize(
    ("levels", "verdict"),
    [
        ({**LEVELS, "drift": 0.05}, "alive, as the reference, near: STABLE, "),
        ({**LEVELS, "drift": 0.5}, "alive, as the reference, far: DRIFTED, "),
        ({**LEVELS, "positive_control": 0.1, "drift": 0.5}, "collapsed, as the reference, far: COLLAPSED, "),
        (LEVELS, "alive, as the reference, drift unclear: no label."),  # no drift was measured
    ],
)
def test_beside_a_reference_the_full_verdict_is_given_once(levels: dict[str, float], verdict: str) -> None:
    words = said(pairs(levels), **reference(LEVELS))
    assert f"Verdict: {verdict}" in words
    assert words.count("Verdict") == 1 and "collapsed or indiscriminate" not in words
    assert ("no stability" in words) == ("COLLAPSED" in verdict)
    drift = levels.get("drift")
    behind = (
        f"Drift from the reference: {drift:.3f} over 45 texts, 9 of 9 answers differ"
        if drift
        else "Drift from"
    )
    assert (behind in words) == (drift is not None)


def test_a_reference_in_another_embedder_gives_the_reduced_verdict_and_the_reason() -> None:
    words = said(pairs({**LEVELS, "positive_control": 0.1}), **reference(LEVELS, embedder="other"))
    assert "collapsed or indiscriminate (reference in another embedder)" in words and "Drift" not in words


def test_a_pair_of_two_subsets_counts_once() -> None:
    assert "63 of 63 pairs of 9 prompts scored," in said(pairs_once(pairs(LEVELS) * 2))


def test_shared_preamble_is_named() -> None:
    shared = [raw(pairs(LEVELS)[0], variant_scaffold="shared_preamble"), *pairs(LEVELS)[1:]]
    assert "1 of 63 outputs open with a preamble that unrelated prompts share" in said(shared)


def test_a_run_is_over_with_its_last_task_and_the_next_one_starts_empty() -> None:
    log: RunLog[PairCells] = RunLog()
    first, second = Task(), Task()
    note = pairs(LEVELS)[0]
    for _ in range(2):
        log.started(first)
        log.started(second)
        assert log.finished(second, [note]) is None
        assert log.finished(first, [note]) == [note, note]
    assert log.finished(first, [note]) is None  # not entered again


def test_each_ladder_of_a_run_is_over_with_its_own_last_task() -> None:
    log: RunLog[PairCells] = RunLog()
    mini, core, more = Task(), Task(), Task()
    for task, group in ((mini, "mini"), (core, "core"), (more, "core")):
        log.started(task, group)
    note, other = pairs(LEVELS)[:2]
    assert log.n_groups == 2
    assert log.finished(mini, [note]) == [note]
    assert log.finished(core, [other]) is None
    assert log.finished(more, [other]) == [other, other]


def test_a_run_that_failed_does_not_silence_the_next() -> None:
    log: RunLog[PairCells] = RunLog()
    note = pairs(LEVELS)[0]
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


def test_notes_of_a_run_are_there_before_its_first_task_is_over() -> None:
    log: RunLog[PairCells] = RunLog()
    tasks, lists = [Task(), Task(), Task()], [[], [], []]
    for task, own, subset in zip(tasks, lists, ("mini", "mini", "core"), strict=True):
        log.started(task, subset, own)
    for own in lists:
        own.append(pairs(LEVELS)[0])
    assert log.of_run(tasks[0], len) == log.of_run(tasks[1], len) == 2
    assert log.of_run(tasks[2], len) == 1
    assert log.of_run(Task(), len) is None  # as in each of several processes
    # A run that failed after it had collected is not mixed with the next, though its tasks still live.
    again: list[PairCells] = [pairs(LEVELS)[1]]
    log.started(tasks[0], "mini", again)
    assert log.of_run(tasks[0], len) == 1
    assert log.finished(tasks[0], again) == again


def test_a_dead_system_is_named_with_the_share() -> None:
    words = said(pairs({**LEVELS, "positive_control": 0.1}))
    assert "moves the answers not 25 % further than a harmless edit does" in words


def test_the_command_line_prints_it_below_the_table_and_keeps_it(lm_eval: Lmeval, model: Path) -> None:
    done = lm_eval(
        model,
        tasks="prompt_sensitivity_mini_identical,prompt_sensitivity_mini_synonym",
        limit=3,
        gen_kwargs="max_gen_toks=4",
    )
    table, _, summary = done.output.partition("\nPrompt sensitivity of ")
    assert "cosine_distance" in table and "6 of 6 pairs of 3 prompts scored" in summary
    assert summary.rstrip().endswith(f"Next: lm-eval-sensitivity report {done.folder} -o report")
    (kept,) = done.folder.glob("**/summary.txt")
    assert kept.read_text() == f"Prompt sensitivity of {summary.rstrip()}\n"
    said = [config["metadata"]["sensitivity"].get("summary") for config in done.results["configs"].values()]
    assert [*filter(None, said)] == [kept.read_text().splitlines()], "one task of the run has it"


def test_python_gets_it_as_a_log(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, logger="lm_eval_sensitivity.harness.close.last_screen"):
        say_last(["Prompt sensitivity of m", "  more"], NOTHING_KEPT, None)
    assert [record.message for record in caplog.records] == ["Prompt sensitivity of m", "  more"]
    assert capsys.readouterr().out == ""
