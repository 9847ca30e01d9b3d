"""Two axes from hand-made tables: every label, and what must never be called alive."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lm_eval_sensitivity.cli.analysis_options import add_statistics_options
from lm_eval_sensitivity.report.documents.drift import contrast_table, systems_tables
from lm_eval_sensitivity.report.wording.drift import symbols_in_words, verdicts_in_words
from lm_eval_sensitivity.statements import Selection, Signature
from lm_eval_sensitivity.statements.drift import drift_statement
from lm_eval_sensitivity.statements.drift_distance import (
    BASE,
    Drift,
)
from lm_eval_sensitivity.statements.means import zeros_caution
from lm_eval_sensitivity.statements.records import DriftStatement, SystemDrift
from lm_eval_sensitivity.stats import mean_interval
from lm_eval_sensitivity.stats.rules import MEANINGS
from lm_eval_sensitivity.types import Missing
from tests.unit.statements.made_table import partition_of, row

N = 24
HARMLESS_EDITS = (("noop", "nbsp"), ("noop", "tab"), ("synonym", "synonym_1"))
CONTROL_EDITS = (("positive_control", "reversal"), ("positive_control", "topic"))


@dataclass(frozen=True)
class Levels:
    """Mean distances of a made system; None is an output that cannot be scored."""

    p: float | None = 0.1
    c: float | None = 0.8
    b: float = 0.02
    f: float = 0.0
    silent: float = 0.0
    """Share of the pairs that have no number."""


REFERENCE = Levels()
LABELS = {
    "STABLE": Levels(p=0.08),
    "DRIFTED": Levels(p=0.1, b=0.5),
    "RESPONSIVE": Levels(p=0.2, b=0.3),
    "INDISCRIMINATE": Levels(p=0.75, c=0.8, b=0.8),
    "COLLAPSED": Levels(p=0.02, c=0.05, b=0.01),
    "UNDETERMINED": Levels(p=0.08, b=0.2),
}


def system(name: str, levels: Levels, n: int = N, seed: int = 0) -> list[dict[str, Any]]:
    random = np.random.default_rng([seed, *name.encode()])
    made = []
    for prompt in (f"q{i:02d}" for i in range(n)):
        for edits, level in ((HARMLESS_EDITS, levels.p), (CONTROL_EDITS, levels.c)):
            for rung, edit in edits:
                silent = level is None or random.uniform() < levels.silent
                value = None if silent else (level or 0.0) * float(random.uniform(0.8, 1.2))
                made.append(row(name, rung, prompt, edit, value))
        made.append(row(name, "identical", prompt, "identical", levels.f))
    return made


def drift(name: str, levels: Levels, n: int = N, seed: int = 1) -> Drift:
    random = np.random.default_rng([seed, *name.encode()])
    return by_hand(name, {f"q{i:02d}": levels.b * float(random.uniform(0.5, 1.5)) for i in range(n)})


def by_hand(name: str, values: Mapping[str, float | Missing]) -> Drift:
    """Of base prompts alone."""
    return Drift(name, {(prompt, BASE): value for prompt, value in values.items()}, "by hand")


def stated(
    rows: list[dict[str, Any]], systems: list[str], drifts: dict[str, Drift] | None = None
) -> DriftStatement:
    """Beside `ref` where there are drifts, else alone."""
    reference = None if drifts is None else "ref"
    return drift_statement(partition_of(rows), systems, Selection(), reference=reference, drifts=drifts)


def words_on(found: DriftStatement) -> list[str]:
    return [each.text for each in verdicts_in_words(found)]


def placed(
    candidates: dict[str, Levels], reference: Levels = REFERENCE, n: int = N, seed: int = 0
) -> tuple[DriftStatement, dict[str, SystemDrift]]:
    rows = system("ref", reference, n, seed)
    for name, levels in candidates.items():
        rows += system(name, levels, n, seed)
    drifts = {name: drift(name, levels, n, seed) for name, levels in candidates.items()}
    found = stated(rows, list(candidates), drifts)
    return found, {each.system: each for each in found.systems}


def test_every_label_and_the_order_given() -> None:
    found, by_name = placed({f"a {label}": levels for label, levels in reversed(LABELS.items())})
    assert {name.removeprefix("a "): each.label for name, each in by_name.items() if name != "ref"} == {
        label: label for label in LABELS
    }
    # The reference first, the others as they were given: neither by name nor by number.
    assert [each.system for each in found.systems] == ["ref", *(f"a {label}" for label in reversed(LABELS))]
    assert by_name["ref"].label == "reference" and by_name["ref"].drift is None
    words = {text.partition(": ")[0]: text for text in words_on(found)}
    for name, each in by_name.items():
        if each.verdict is not None and each.label != "UNDETERMINED":
            said = f"{each.verdict.in_words}: {each.label}, {found.constants.in_words(MEANINGS[each.label])}."
            assert words[name].startswith(f"{name}: {said}")
            assert each.in_words == each.label
    assert "a STABLE: alive, as the reference, near: STABLE" in words["a STABLE"]
    open_one = by_name["a UNDETERMINED"]
    assert open_one.in_words == "alive, as the reference, drift unclear"
    assert words["a UNDETERMINED"].startswith(f"a UNDETERMINED: {open_one.in_words}: no label. 24 prompts")
    table = systems_tables(found)[1]
    columns = [column.name for column in table.columns]
    places = [columns.index(name) for name in ("response", "harmless edits", "drift")]
    assert {line[0]: tuple(line[at] for at in places) for line in table.rows} == {
        name: (None,) * 3 if each.verdict is None else tuple(each.verdict.words.values())
        for name, each in by_name.items()
    }


def test_the_numbers_are_means_over_prompts() -> None:
    rows = system("ref", REFERENCE) + system("m", LABELS["STABLE"])
    _, by_name = placed({"m": LABELS["STABLE"]})
    for name in ("ref", "m"):
        for rungs, axis in (
            (("noop", "synonym"), by_name[name].preserving),
            (("positive_control",), by_name[name].control),
        ):
            of_rungs = [
                [r["cosine_distance"] for r in rows if r["name"] == name and r["rung"] == rung]
                for rung in rungs
            ]
            assert axis.mean.estimate == pytest.approx(np.mean([np.mean(values) for values in of_rungs]))
            assert axis.counts.n_pairs == sum(map(len, of_rungs)) and axis.mean.n == N
    own = by_name["m"].drift
    assert own is not None and own.mean.estimate == pytest.approx(
        np.mean(list(drift("m", LABELS["STABLE"], seed=0).by_prompt.values()))
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "levels",
    [
        Levels(p=0.0, c=0.0, b=0.0),
        Levels(p=0.0, c=0.0, b=0.9),
        Levels(p=0.001, c=0.01, b=0.01),
        Levels(p=0.05, c=0.5, b=0.01),
        Levels(p=None, c=None),
        Levels(p=0.05, c=None),
        Levels(p=0.05, silent=0.5),
        Levels(p=0.9, c=0.9, b=0.9),
    ],
)
def test_a_collapsed_system_is_never_called_alive(levels: Levels, seed: int) -> None:
    _, by_name = placed({"m": levels}, seed=seed)
    assert by_name["m"].label in {"COLLAPSED", "INDISCRIMINATE", "UNDETERMINED"}
    verdict = by_name["m"].verdict
    assert verdict is not None
    assert verdict.response in {"collapsed", "indiscriminate", "unclear"}
    if levels.c == 0.0:
        assert verdict.label == "COLLAPSED"


def test_silence_on_many_prompts_is_said() -> None:
    found, by_name = placed({"m": Levels(p=0.05, silent=0.5), "n": Levels(p=0.05, silent=0.05)})
    assert 0.3 < by_name["m"].silent_share < 0.7
    verdict = by_name["m"].verdict
    assert verdict is not None and verdict.label == "UNDETERMINED"
    assert "gave nothing that could be scored" in verdict.reasons[0]
    assert verdict.in_words == "response unclear, as the reference, near"
    assert by_name["n"].label == "STABLE"
    assert any("gave nothing" in words for words in words_on(found))


def test_too_few_prompts_are_undetermined_with_reasons() -> None:
    found, by_name = placed({"m": Levels()}, n=4)
    verdict = by_name["m"].verdict
    assert (
        verdict is not None and verdict.label == "UNDETERMINED" and set(verdict.words.values()) == {"unclear"}
    )
    assert "L_C: 4 prompts have a number, at least 5 are needed." in verdict.reasons
    assert math.isnan(by_name["m"].preserving.mean.estimate)
    assert any("4 prompts have a number" in words for words in words_on(found))


def test_a_rung_that_was_not_run_leaves_it_open() -> None:
    rows = [r for r in system("ref", REFERENCE) + system("m", Levels()) if r["rung"] != "positive_control"]
    found = stated(rows, ["m"], {"m": drift("m", Levels())})
    assert found.systems[1].label == "UNDETERMINED"
    rows += [r for r in system("ref", REFERENCE) if r["rung"] == "positive_control"]
    found = stated(rows, ["m"], {"m": drift("m", Levels())})
    assert found.systems[1].label == "UNDETERMINED" and found.systems[1].control.mean.n == 0


def test_unknown_drift_leaves_stable_and_drifted_open() -> None:
    rows = system("ref", REFERENCE) + system("m", LABELS["STABLE"])
    texts = {(f"q{i:02d}", BASE): Missing("not measured") for i in range(N)}
    unknown = Drift("m", texts, "not measured", "no embedder.")
    found = stated(rows, ["m"], {"m": unknown})
    verdict = found.systems[1].verdict
    assert verdict is not None and verdict.in_words == "alive, as the reference, drift unclear"
    words = " ".join(words_on(found))
    assert "Texts without drift: 24 not measured." in words and "no embedder." in words


def test_without_a_reference_only_life_is_said() -> None:
    rows = (
        system("dead", Levels(p=0.0, c=0.0)) + system("m", LABELS["DRIFTED"]) + system("x", Levels(0.8, 0.8))
    )
    found = stated(rows, ["x", "m", "dead"])
    assert [(each.system, each.label) for each in found.systems] == [
        ("x", "collapsed or indiscriminate"),
        ("m", "alive"),
        ("dead", "collapsed or indiscriminate"),
    ]
    assert "That is all that can be said without a reference" in " ".join(words_on(found))
    # Nothing speaks of a reference, or of a drift from it.
    for shown in systems_tables(found):
        assert not any(column.name.startswith("drift") for column in shown.columns)
    assert all(len(line) == len(shown.columns) for line in shown.rows)
    assert (
        "reference" not in shown.note
        and "both" not in shown.note
        and " b:" not in symbols_in_words(found).text
    )
    short, beside = systems_tables(placed({"m": Levels()})[0])
    assert len(short.columns) < len(beside.columns) and short.note == beside.note
    assert "the reference first" in beside.note and "drift zeros" in [
        column.name for column in beside.columns
    ]
    assert all(len(line) == len(beside.columns) for line in beside.rows)


def test_without_a_reference_silence_is_guarded_and_shown() -> None:
    rows = system("half", Levels(silent=0.5)) + system("few", Levels(silent=0.05)) + system("m", Levels())
    found = stated(rows, ["half", "few", "m"])
    assert [each.label for each in found.systems] == ["UNDETERMINED", "alive", "alive"]
    half, few, none = words_on(found)[:3]
    assert "It gave nothing that could be scored" in half and "Silent share: " in half
    assert "Silent share: " in few and "Silent share" not in none
    # Erased pairs never reached the system: they are no silence.
    erased = [
        {**each, "cosine_distance": None, "audit_status": "erased"} if each["edit"] == "tab" else each
        for each in system("m", Levels())
    ]
    found = stated(erased, ["m"])
    assert found.systems[0].silent_share == 0 and found.systems[0].label == "alive"


def test_a_collapse_beside_a_lively_reference_is_told_from_silence() -> None:
    found, by_name = placed(
        {"half": Levels(p=0.05, c=0.4), "dead": Levels(p=0.0, c=0.0), "hush": Levels(0.05, 0.4, silent=0.5)}
    )
    assert by_name["half"].label == "COLLAPSED"
    half, dead, hush = words_on(found)
    assert "By the rule" not in dead
    assert "COLLAPSED, has lost more than 20 % of the reference's response to meaning." in half
    assert "Over the pairs scored in both: c 0.4" in half
    assert "By the rule that needs no reference it is alive" in half
    assert by_name["hush"].label == "COLLAPSED" and "it is alive" not in hush
    assert by_name["dead"].label == "COLLAPSED"


def test_the_changed_answers_stand_beside_the_word() -> None:
    rows = system("ref", REFERENCE) + system("m", LABELS["STABLE"])
    texts: dict[tuple[str, str], float | Missing] = {}
    for i in range(N):
        texts |= {(f"q{i:02d}", BASE): 0.0 if i == 3 else 0.04, (f"q{i:02d}", "tab"): 0.0}
    texts["q05", "tab"] = Missing("no answer")
    found = stated(rows, ["m"], {"m": Drift("m", texts, "by hand")})
    (words,) = words_on(found)
    own = found.systems[1]
    assert own.answers == (23, 24) and own.drift is not None and own.verdict is not None
    # Each text counts the same: q05 has one.
    assert own.drift.mean.estimate == pytest.approx((22 * 0.02 + 0.04) / 24)
    assert (own.drift.counts.n_pairs, own.drift.counts.n_unscored, own.drift.n_zero) == (47, 1, 1)
    p_ref = found.systems[0].preserving.mean.estimate
    assert (
        "Near: 23 of 24 answers differ from the reference's, by less than a harmless edit moves it "
        f"(b 0.02, p_ref {p_ref:.3g})."
    ) in words
    assert "Drift: by hand, over 47 texts of 24 prompts." in words
    assert "Texts without drift: 1 no answer." in words
    far = drift("m", LABELS["DRIFTED"])
    (words,) = words_on(stated(rows, ["m"], {"m": far}))
    assert (
        "Far: 24 of 24 answers differ from the reference's, by more than 2 times what a harmless edit"
        in words
    )
    between = by_hand("m", {f"q{i:02d}": 0.15 for i in range(N)})
    (words,) = words_on(stated(rows, ["m"], {"m": between}))
    assert (
        "Near: 24 of 24 answers differ from the reference's, by less than 2 times what a harmless edit"
        in words
    )


@pytest.mark.parametrize(("n", "share"), [(9, "28 %"), (24, "12 %")])
def test_no_changed_answer_is_no_proof(n: int, share: str) -> None:
    rows = system("ref", REFERENCE, n) + system("m", LABELS["STABLE"], n)
    nothing = by_hand("m", {f"q{i:02d}": 0.0 for i in range(n)})
    (words,) = words_on(stated(rows, ["m"], {"m": nothing}))
    assert (
        f"None of {n} answers differs from the reference's: with {n} prompts, drift in up to {share} of such prompts "
        "is not excluded."
    ) in words


@pytest.mark.parametrize(
    ("n", "b", "words"),
    [
        (9, 0.23, "9 prompts: run prompt_sensitivity_full (the published ladder's 96 prompts); about "),
        (9, 0.2, "9 prompts: about "),
        (24, 0.23, "24 prompts: run prompt_sensitivity_full"),
    ],
)
def test_what_would_settle_an_open_verdict(n: int, b: float, words: str) -> None:
    rows = system("ref", REFERENCE, n) + system("m", LABELS["STABLE"], n)
    # Of a mean that is not exactly at the boundary, and a spread that leaves it open.
    ref = stated(rows, ["m"], {"m": by_hand("m", {})}).systems[0].preserving.mean.estimate
    values = {f"q{i:02d}": b / 0.1 * ref * (1 + 0.6 * (-1) ** i) for i in range(n)}
    found = stated(rows, ["m"], {"m": by_hand("m", values)})
    (said,) = words_on(found)
    assert f"drift unclear: no label. {words}" in said, said
    assert "would settle it if the numbers stay as they are" in said


def test_zeros_of_drift_are_counted_and_bounded() -> None:
    rows = system("ref", REFERENCE) + system("m", LABELS["STABLE"])
    values = {f"q{i:02d}": 0.0 if i < 20 else 0.03 * i for i in range(N)}
    found = stated(rows, ["m"], {"m": by_hand("m", values)})
    own = found.systems[1].drift
    assert own is not None and own.n_zero == 20 and own.mean.method == "half-point"
    assert 0 <= own.mean.lower <= own.mean.upper <= 1
    table = systems_tables(found)[1]
    place = [column.name for column in table.columns].index("drift zeros")
    assert [line[place] for line in table.rows] == [None, 20]


def test_zeros_caution_is_from_a_half_on() -> None:
    def said(values: list[float], largest: float | None = None) -> str:
        return str(zeros_caution("m", values, mean_interval(values, largest=largest)) or "")

    assert said([0.0] * 4 + [0.1, 0.2, 0.3, 0.4])
    assert not said([0.0] * 4 + [0.1, 0.2, 0.3, 0.4, 0.5])
    assert said([0.0] * 3 + [math.nan] * 9 + [0.1, 0.2, 0.3])  # of those that have one
    assert not said([0.0, 0.0, 0.0, 0.1])  # too few for an interval
    assert not said([0.0] * 9)  # no interval either
    assert not said([0.0] * 4 + [0.1, 0.2, 0.3, 0.4], largest=1)  # half points know of zeros
    assert "4 of 6 prompts have the same number, 0.25" in said([0.25] * 4 + [0.1, 0.2])


def test_words_without_a_test_of_signs() -> None:
    made = Signature("1", "1", "0" * 64, "full", {"max_gen_toks": 8}, {}, {}, 0, 999, 0)
    assert "sign draws" not in made.in_words() and "999 resamples, seed 0" in made.in_words()
    assert "999 resamples, 77 sign draws, seed 0" in replace(made, draws=77).in_words()
    parser = argparse.ArgumentParser()
    add_statistics_options(parser, with_draws=False)
    assert "sign" not in parser.format_help()


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ("+", "moves it more than 25 % further"),
        ("-", "moves it not 25 % further"),
        ("unclear", "unclear whether"),
    ],
)
def test_words_of_a_contrast_without_a_reference_carry_the_share(sign: Any, words: str) -> None:
    levels = {"+": Levels(), "-": Levels(0.8, 0.8), "unclear": Levels(0.4, 0.5)}[sign]
    found = stated(system("m", levels), ["m"])
    reduced = found.systems[0].reduced
    assert reduced is not None
    contrasts = (replace(reduced.contrasts[0], sign=sign),)
    assert words in str(contrast_table("x", "x", contrasts, found).rows[0][7])
    if sign != "unclear":
        assert reduced.contrasts[0].sign == sign


def test_order_of_rows_and_of_systems_changes_no_number() -> None:
    rows = system("ref", REFERENCE)
    for label, levels in LABELS.items():
        rows += system(label, levels)
    drifts = {label: drift(label, levels) for label, levels in LABELS.items()}

    def lines(made: list[dict[str, Any]], order: list[str]) -> set[str]:
        found = stated(made, order, drifts)
        return {str(each) for each in found.systems}

    assert lines(rows, list(LABELS)) == lines(rows[::-1], list(LABELS)[::-1])


def test_contrasts_are_shown_with_formula_bounds_sign_and_words() -> None:
    found, by_name = placed({"m": LABELS["COLLAPSED"]})
    verdict = by_name["m"].verdict
    assert verdict is not None
    table = contrast_table("contrasts", "Contrasts", verdict.contrasts, found)
    assert [each[0] for each in table.rows] == ["L_C", "L_R", "L_P", "L_D"]
    first = table.rows[0]
    assert first[1] == "c - 0.8 c_ref" and first[5:7] == (N, "below 0")
    assert first[7] == "has lost more than 20 % of the reference's response to meaning"
    assert isinstance(first[4], float) and first[4] < 0


def test_noise_is_not_called_more_sensitive_than_the_reference() -> None:
    """Its harmless edits move it more than they move the reference, and so does repeating the prompt."""
    noisy = replace(LABELS["RESPONSIVE"], f=LABELS["RESPONSIVE"].p)
    _, by_name = placed({"noisy": noisy, "well": LABELS["RESPONSIVE"]})
    assert by_name["well"].label == "RESPONSIVE"
    verdict = by_name["noisy"].verdict
    assert verdict is not None and verdict.label == "UNDETERMINED"
    assert verdict.in_words == "alive, edits unclear, far", "its drift is no noise"
    assert "noise" in verdict.reasons[0]


def test_a_control_that_moves_no_more_than_repetition_is_no_sign_of_life() -> None:
    rows = [
        row("m", rung, f"q{i:02d}", edit, value * (1 + i % 3))
        for i in range(N)
        for rung, edit, value in (
            ("noop", "nbsp", 0.0),
            ("identical", "identical", 0.01),
            *((*edit, 0.01) for edit in CONTROL_EDITS),
        )
    ]
    (alone,) = stated(rows, ["m"]).systems
    assert alone.reduced is not None and alone.reduced.label == "UNDETERMINED"
    assert alone.reduced.reasons[0].startswith("What the positive control moves is within the noise floor")
    quiet = [each for each in rows if each["rung"] != "identical"]
    (alone,) = stated(quiet, ["m"]).systems
    assert alone.label == "alive", "without an identical rung there is no noise to be seen"


@pytest.mark.parametrize(("spread", "label"), [(0.6, "alive"), (0.01, "collapsed or indiscriminate")])
def test_one_answer_to_every_prompt_is_no_life(spread: float, label: str) -> None:
    """Where the run measured how far the outputs to its prompts are apart, that must be more than an edit moves."""
    table = partition_of(system("m", Levels())).table
    for values, expected in (([spread] * table.num_rows, label), ([None] * table.num_rows, "alive")):
        beside = table.drop_columns([name for name in table.column_names if name == "output_spread"])
        beside = beside.append_column("output_spread", pa.array(values, pa.float64()))
        (alone,) = drift_statement(partition_of(beside), ["m"], Selection()).systems
        assert alone.label == expected
        assert len(alone.contrasts) == (1 if values[0] is None else 2)
