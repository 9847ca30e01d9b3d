"""The checks by themselves: what each finds, what it must leave alone, and what a report says."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rapidfuzz import fuzz, utils

from lm_eval_sensitivity.ladder import Ladder, build_pairs, load_ladder
from lm_eval_sensitivity.ladder.authoring.checks import (
    Violation,
    balance,
    check_ladder,
    edits,
    kept,
    near,
    order,
    report,
    synonyms,
    texts,
)
from lm_eval_sensitivity.ladder.authoring.checks.violation import rows_by_prompt
from lm_eval_sensitivity.ladder.authoring.user_prompts import read_own_file
from lm_eval_sensitivity.ladder.edits import EDITS
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.sources import AUTHORED_EDITS, AuthoredPrompt, Source
from lm_eval_sensitivity.types import Rung
from tests.unit.hub.stand_in import Repository, StandInHub, oid
from tests.unit.ladder.corruptions import corruptions
from tests.unit.ladder.small_ladder import (
    VERSION,
    clean_pairs,
    packaged,
    pair,
    prompt,
    small_folder,
    write_own,
)

PACKAGED = packaged().pairs


def problems(found: Any) -> list[str]:
    return [violation.problem for violation in found]


def one_hot(words: Sequence[str]) -> Callable[[Sequence[str]], NDArray[np.floating]]:
    """An embedder that counts a few words, and reads nothing of texts without them."""

    def encode(wanted: Sequence[str]) -> NDArray[np.floating]:
        rows = np.array([[text.split().count(word) for word in words] for text in wanted], dtype=float)
        return np.where(rows.any(axis=1, keepdims=True), rows, np.nan)

    return encode


# --- one prompt ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "variant", "expected"),
    [
        ("Name a big city.", "Name a large city.", None),
        ("Name a (big) city.", "Name a (large) city.", None),
        ("Is it well-known?", "Is it famous?", None),
        ("Name a big city.", "Name a large\ncity.", "white space"),
        ("Name a big city.", "Name a  large city.", "white space"),
        ("Name a big, old city.", "Name a large old city.", "punctuation"),
        ("Say 'a big city' now.", "Say 'a large city' now.", "quotation"),
        ("Read a.example.org now.", "Read b.example.org now.", "link"),
        ("Add + to it.", "Add - to it.", "punctuation"),
    ],
)
def test_synonym(base: str, variant: str, expected: str | None) -> None:
    found = problems(synonyms.synonyms_replace_one_word([pair(base, variant, "synonym_1")]))
    assert (expected is None and not found) or (expected is not None and expected in found[0])


def test_two_synonyms_of_one_word_are_named_in_the_second_row() -> None:
    rows = [pair("a big city", "a large city", "synonym_1"), pair("a big city", "a huge city", "synonym_2")]
    (found,) = synonyms.synonyms_replace_one_word(rows)
    assert (found.row, found.column) == ("p/synonym_2", "variant")
    assert "'p/synonym_1'" in found.problem
    assert not list(synonyms.synonyms_replace_one_word(rows[::2]))


def test_synonym_of_a_random_word_is_accepted_unless_it_is_protected() -> None:
    """Every word of every packaged base, exchanged: the check says so exactly where an edit could not go."""
    generator = random.Random(0)
    n_refused = 0
    for base in generator.sample(sorted({each.base for each in PACKAGED}), 20):
        for word in {word for word in base.split() if word.isalpha() and base.split().count(word) == 1}:
            start = f" {base} ".find(f" {word} ")
            if start < 0:
                continue
            row = pair(base, base[:start] + "zebra" + base[start + len(word) :], "synonym_1")
            found = problems(synonyms.synonyms_replace_one_word([row]))
            lost = any(
                not (span.end <= start or span.start >= start + len(word))
                for span in kept.protected_spans(base)
            )
            assert bool(found) == lost
            n_refused += lost
    assert n_refused


@pytest.mark.parametrize(
    ("base", "variant"),
    [
        ("A 90-minute walk in 2 days.", "In 2 days, a walk of 90 minutes."),
        ("What is 2 or 3 days?", "2 days or 3, what is it?"),
        ('Say "it is over," she wrote.', 'She wrote: "it is over".'),
        ("Run `f(x)` and then `g(x)`.", "Run `g(x)`, after `f(x)`."),
        ("It costs $40 now.", "It costs 40 dollars now."),
        ("At −5 °C it melts.", "It melts at -5 degrees C."),
        ("Say 'yes' twice.", 'Twice say "yes".'),
        ("It doesn't work, it's broken.", "It is broken; it does not work."),
        ("Write to me@example.org.", "To me@example.org I write."),
    ],
)
def test_what_is_kept_may_move(base: str, variant: str) -> None:
    assert problems(kept.protected_spans_are_kept([pair(base, variant)])) == []


@pytest.mark.parametrize(
    ("base", "variant", "expected"),
    [
        ("Name 3 cities.", "Name 4 cities.", "loses number '3'; it adds number '4'"),
        ("At -3 degrees.", "At 3 degrees.", "number '-3'"),
        ("Walk 3 km.", "Walk 3 miles.", "number 3"),
        ("Use cell B2.", "Use cell C2.", "number 2"),
        ("1,000 and 5", "1.000 and 5", "number '1,000'"),
        ("Add 2 and 2.", "Add 2.", "number '2'"),
        ("See example.org.", "See it.", "link 'example.org'"),
    ],
)
def test_what_is_not_kept_is_named(base: str, variant: str, expected: str) -> None:
    (found,) = problems(kept.protected_spans_are_kept([pair(base, variant)]))
    assert expected in found


def test_other_rungs_may_change_protected_spans() -> None:
    row = pair("Name 3 cities.", "Name 4 cities.", "semantic_1")
    assert not list(kept.protected_spans_are_kept([row]))


@pytest.mark.parametrize("rung", texts.LENGTH_RATIOS)
def test_length_ratios_are_exact(rung: Rung) -> None:
    lowest, highest = texts.LENGTH_RATIOS[rung]
    edit = next(edit for edit, of in AUTHORED_EDITS.items() if of == rung)
    base = "x" * 1000
    for length, accepted in {
        round(lowest * 1000): True,
        round(highest * 1000): True,
        round(lowest * 1000) - 1: False,
        round(highest * 1000) + 1: False,
    }.items():
        assert (list(texts.lengths_are_similar([pair(base, "y" * length, edit)])) == []) is accepted


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("One two.\n\n- a\n  - b", True),
        ("Run:\n```\na  = 1 \n```", True),
        ("Run `a  b` now.", True),
        ("One  two.", False),
        ("One\t\ttwo.", False),
        ("One \ntwo.", False),
        (" One.", False),
        ("One.\n", False),
    ],
)
def test_white_space(text: str, clean: bool) -> None:
    of_base = list(texts.white_space_is_clean([pair(text, "other")]))
    of_variant = list(texts.white_space_is_clean([pair("other", text)]))
    assert [found.column for found in of_base] == [] if clean else ["base"]
    assert [found.column for found in of_variant] == [] if clean else ["variant"]
    assert not list(texts.white_space_is_clean([pair("other", text, origin="rule")]))


def test_rule_rows_against_the_rules() -> None:
    """A row of every edit is dropped, altered and added in turn: each is named, and nothing else."""
    rows = rows_by_prompt(PACKAGED)["sky-colours"]
    assert not [*edits.rule_rows_are_rebuilt(rows), *edits.has_every_rule_edit(rows)]
    for name, edit in EDITS.items():
        row = f"sky-colours/{name}"
        without = [each for each in rows if each.edit != name]
        if edit(rows[0].base) is not None:
            (found,) = edits.has_every_rule_edit(without)
            assert found.row == row
        changed = [*without, pair(rows[0].base, "x", name, prompt_id="sky-colours")]
        assert [found.row for found in edits.rule_rows_are_rebuilt(changed)] == [row]


def test_packaged_prompts_have_more_rule_edits_than_the_least() -> None:
    """The bound is met by all and not far below what the poorest prompt has."""
    for rung, least in edits.LEAST_RULE_PAIRS.items():
        counts = [sum(each.rung == rung for each in rows) for rows in rows_by_prompt(PACKAGED).values()]
        assert least <= min(counts) <= least + 1


# --- whole tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subsets", "pairs"),
    [
        (["full", "core", "mini"], [("full", "core"), ("core", "mini")]),
        (["mini", "full"], [("full", "mini")]),
        (["full", "spread", "core"], [("full", "spread"), ("full", "core")]),
        (["spread", "core"], []),
        (["mini", "own"], []),
    ],
)
def test_which_subsets_are_compared(subsets: list[str], pairs: list[tuple[str, str]]) -> None:
    found = balance.larger_ones([Ladder("x", subset, "1", "", ()) for subset in subsets])
    assert [(larger.subset, smaller.subset) for larger, smaller in found] == pairs


def test_near_duplicates_against_every_pair_by_hand() -> None:
    bases = list(packaged(subset="core").prompts.values())
    bases += [bases[0] + " please", bases[1].upper(), " ".join(reversed(bases[2].split()))]
    bases.append(bases[0] + " now please")  # near two others, nearer to the one with `please`
    rows = [pair(base, "v", prompt_id=f"p{number:02}") for number, base in enumerate(bases)]
    expected = set()
    for second in range(1, len(bases)):
        similarity, first = max(
            (fuzz.token_sort_ratio(bases[first], bases[second], processor=utils.default_process), -first)
            for first in range(second)
        )
        if similarity > 70:
            expected.add((f"p{second:02}", f"p{-first:02}"))
    found = {
        (violation.row.split("/")[0], f"p{other:02}")
        for violation in near.prompts_differ_in_words(rows)
        for other in range(len(bases))
        if f"'p{other:02}/paraphrase_1'" in violation.problem
    }
    assert found == expected
    assert len(found) >= 4
    assert (f"p{len(bases) - 1:02}", f"p{len(bases) - 4:02}") in found


def test_short_prompt_is_no_copy_of_a_long_one_with_its_words() -> None:
    rows = [
        pair("Tell me a joke.", "v", prompt_id="a"),
        pair(
            "Tell me, in a letter to a child, why a joke that a clown told was no good.", "v", prompt_id="b"
        ),
    ]
    assert not list(near.prompts_differ_in_words(rows))


def test_meaning_by_vectors() -> None:
    rows = [
        pair("one", "v", "control_topic", prompt_id="a"),
        pair("two", "one", "control_topic", prompt_id="b"),
        pair("none", "none", "control_topic", prompt_id="c"),
    ]
    east, north = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    vectors = {"one": east, "two": north, "v": north * 3, "none": np.array([np.nan, np.nan])}
    found = [(each.row, each.column) for each in near.prompts_differ_in_meaning(rows, vectors)]
    assert found == [("a/control_topic", "variant"), ("b/control_topic", "variant")]
    vectors["two"] = east + 0.1 * north
    found = [(each.row, each.column) for each in near.prompts_differ_in_meaning(rows, vectors)]
    assert found[0] == ("b/control_topic", "base")


def test_the_closest_vector_is_named() -> None:
    """Against every pair by hand: bases with those before them, topics with the bases of all other prompts."""
    generator = np.random.default_rng(0)
    rows = [pair(f"base {n}", f"topic {n}", "control_topic", prompt_id=f"p{n}") for n in range(40)]
    vectors = {text: generator.normal(size=3) for row in rows for text in (row.base, row.variant)}
    vectors["base 7"] = vectors["topic 9"] = np.full(3, np.nan)

    def distance(a: str, b: str) -> float:
        x, y = vectors[a], vectors[b]
        return float(1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y))

    expected = {}
    for n, row in enumerate(rows):
        for column, text, others in (("base", row.base, range(n)), ("variant", row.variant, range(40))):
            near_ones = {m: distance(text, f"base {m}") for m in others if m != n}
            near_ones = {m: value for m, value in near_ones.items() if value < near.MIN_DISTANCE}
            if near_ones:
                expected[row.pair_id, column] = (
                    f"'p{min(near_ones, key=near_ones.__getitem__)}/control_topic'"
                )
    found = {
        (each.row, each.column): each.problem.split()[8]
        for each in near.prompts_differ_in_meaning(rows, vectors)
    }
    assert found == expected
    assert 20 < len(found) < 80


MEDIANS = {
    "noop": 0.0,
    "punctuation": 0.01,
    "synonym": 0.02,
    "paraphrase": 0.1,
    "control_reversal": 0.2,
    "control_topic": 0.9,
}


@pytest.mark.parametrize(
    ("medians", "named"),
    [
        ({}, []),
        ({"semantic_change": 1.5}, []),
        ({"noop": 0.1}, ["noop"]),
        ({"noop": 0.11}, ["noop"]),
        ({"punctuation": 0.15}, ["punctuation"]),
        ({"synonym": 0.15}, ["synonym"]),
        ({"control_reversal": 0.05}, ["control_reversal"]),
        ({"control_topic": 0.69}, ["control_topic"]),
        ({"paraphrase": 0.95}, ["control_reversal", "control_topic"]),
    ],
)
def test_order_of_medians(medians: dict[str, float], named: list[str]) -> None:
    edit_of = {
        "noop": "nbsp",
        "punctuation": "curly_quotes",
        "synonym": "synonym_1",
        "paraphrase": "paraphrase_1",
    }
    rows, distances = [], {}
    for number in range(order.LEAST_PROMPTS):
        for name, median in {**MEDIANS, **medians}.items():
            rung: Any = "positive_control" if name.startswith("control") else name
            row = pair("a", "b", edit_of.get(name, name), prompt_id=f"p{number}", rung=rung)
            rows.append(row)
            distances[row.pair_id] = median
    found = problems(order.distances_grow(rows, distances))
    assert len(found) == len(named)
    assert all(name in problem for name, problem in zip(named, found, strict=True))
    few = [row for row in rows if row.prompt_id != "p0"]
    assert not list(order.distances_grow(few, distances))


def test_topic_of_one_row() -> None:
    rows = [
        pair("a", "b", "control_topic", prompt_id="near"),
        pair("a", "b", "control_topic", prompt_id="far"),
    ]
    found = list(order.topics_are_far(rows, {"near/control_topic": 0.49, "far/control_topic": 0.5}))
    assert [each.row for each in found] == ["near/control_topic"]


# --- reports ---------------------------------------------------------------------------------------------------------


def test_own_ladder_has_no_rules_of_the_published_form(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_own(folder / "test.parquet", prompt("tea", "Which tea is best?"), prompt("hi", "hi"))
    found = check_ladder(folder)
    assert found.passed
    assert any("published form" in sentence for sentence in found.left_out)
    assert any("sentence embeddings" in sentence for sentence in found.left_out)
    assert (found.subsets[0].n_prompts, found.subsets[0].median_distances) == (2, {})


def test_own_ladder_may_have_variants_without_reasons_and_edits_of_its_own(tmp_path: Path) -> None:
    rows = build_pairs(Source("1", (prompt("tea", "Which tea is best?", synonym_1="Which tea is finest?"),)))
    rows = [replace(row, reason="") for row in rows]
    own = pair(
        "Which tea is best?", "Which tee is best?", "typo", prompt_id="tea", rung="synonym", rung_index=3
    )
    own = replace(own, category="uncategorized")
    write_parquet([row for row in rows if row.rung_index <= 3] + [own], tmp_path / "mine.parquet")
    assert check_ladder(tmp_path / "mine.parquet").passed


def test_own_ladder_is_still_checked(tmp_path: Path) -> None:
    path = write_own(tmp_path / "mine.parquet", prompt("tea", "Tea ?"), prompt("again", "tea"))
    rows = load_ladder(path).pairs
    write_parquet([row for row in rows if row.pair_id != "tea/leading_space"], path)
    found = check_ladder(path)
    assert [(each.check, each.file, each.row) for each in found.violations] == [
        ("rules", str(path), "tea/leading_space")
    ]
    assert [(each.check, each.file, each.row) for each in found.remarks] == [
        ("near_duplicates", str(path), "again/identical")
    ]
    assert not found.passed


ODD_BASES = (
    *(" Which tea is best?", "Which  coffee is the worst?\n", "\tGreet \nthe visitor", "...", "!!!"),
    *("\U0001f600", "\U0001f60e \U0001f60e", "日本の首都はどこですか。"),
)


def test_what_build_accepts_check_does_not_fail(tmp_path: Path) -> None:
    """White space at edges and twice, texts without a word, prompts from one template: remarks at most."""
    bases = [*ODD_BASES, *(f"Reply to the complaint of customer {n} politely." for n in range(30))]
    lines = [json.dumps({"prompt": base}, ensure_ascii=False) for base in bases]
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    own = read_own_file(tmp_path / "prompts.jsonl").source
    write_parquet(build_pairs(own), tmp_path / "test.parquet")
    found = check_ladder(tmp_path / "test.parquet", one_hot(["customer", "tea"]))
    assert (found.violations, found.passed) == ((), True)
    remarked = Counter(each.check for each in found.remarks)
    # The first prompt of a template is near nothing before it, and every other one is named once.
    assert remarked == {"white_space": 3, "near_duplicates": 29}


def test_the_same_findings_are_violations_in_the_published_form(tmp_path: Path) -> None:
    first, *_ = clean_pairs("full")
    again = AuthoredPrompt("again", first.category, f"{first.base} ", {})
    write_parquet(
        [*clean_pairs("full"), *build_pairs(Source(VERSION, (again,)))], tmp_path / "full" / "test.parquet"
    )
    found = check_ladder(tmp_path)
    assert found.remarks == ()
    assert {"near_duplicates", "white_space"} <= {each.check for each in found.violations}


def test_a_template_gives_one_finding_per_prompt() -> None:
    """Five hundred prompts that are all near each other, not 124,750 pairs of them; meaning by any vectors."""
    rows = [pair(f"Reply to the order number {n}.", "v", prompt_id=f"p{n:03}") for n in range(500)]
    east = np.array([1.0, 0.0])
    for found in (
        list(near.prompts_differ_in_words(rows)),
        list(near.prompts_differ_in_meaning(rows, {row.base: east for row in rows} | {"v": east})),
    ):
        assert len(found) == 499
        assert len({each.row for each in found}) == 499


def test_a_text_is_found_near_another_once(tmp_path: Path) -> None:
    """By its letters, its words and its meaning; of the three the first is named."""
    path = write_own(
        tmp_path / "mine.parquet", prompt("tea", "Is the tea hot?"), prompt("hot", "is the TEA hot")
    )
    (found,) = check_ladder(path, one_hot(["the"])).remarks
    assert "but for case" in found.problem


@pytest.mark.parametrize("texts_without_words", [("...", "!!!"), ("\U0001f600", "\U0001f60e"), ("?", "¿")])
def test_texts_without_words_are_not_similar(texts_without_words: tuple[str, str]) -> None:
    one, other = texts_without_words
    rows = [
        pair(one, "v", prompt_id="a"),
        pair(other, "...", "control_topic", prompt_id="b"),
        pair("Is tea hot?", "¡!", "control_topic", prompt_id="c"),
    ]
    assert not list(near.prompts_differ_in_words(rows))
    assert not list(texts.bases_differ(rows))


def test_the_same_text_without_words_twice_is_the_same() -> None:
    rows = [pair("!!!", "v", prompt_id="a"), pair(" !!!", "v", prompt_id="b")]
    assert [found.row for found in texts.bases_differ(rows)] == ["b/paraphrase_1"]


def test_few_prompts_have_no_order_and_unreadable_texts_no_distance(tmp_path: Path) -> None:
    path = write_own(
        tmp_path / "mine.parquet",
        prompt("tea", "tea", control_topic="hat"),
        prompt("hat", "...!", control_topic="tea"),
    )
    found = check_ladder(path, one_hot(["tea", "hat"]))
    assert [each.check for each in found.violations if each.check == "order"] == []
    assert any("order of distances" in sentence for sentence in found.left_out)
    assert any("texts were not compared in meaning" in sentence for sentence in found.left_out)
    assert found.subsets[0].median_distances["control_topic"] == 1.0


def test_a_rung_without_any_distance_has_the_median_none(tmp_path: Path) -> None:
    path = write_own(tmp_path / "mine.parquet", prompt("tea", "tea", control_topic="hat"))
    medians = check_ladder(path, one_hot(["hat"])).subsets[0].median_distances
    assert medians["control_topic"] is None
    assert set(medians) == {"identical", "noop", "punctuation", "control_topic"}


def test_unread_texts_have_no_order() -> None:
    """Medians that are not there are in no order, and nothing is said about them."""
    rows = [
        pair("a", "b", edit, prompt_id=f"p{n}")
        for edit in ("synonym_1", "paraphrase_1", "control_topic")
        for n in range(order.LEAST_PROMPTS)
    ]
    assert not list(order.distances_grow(rows, {row.pair_id: float("nan") for row in rows}))


def test_large_ladders_are_not_compared_prompt_by_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_own(tmp_path / "mine.parquet", prompt("a", "One two three."), prompt("b", "Two three one."))
    assert [each.check for each in check_ladder(path).remarks] == ["near_duplicates"]
    monkeypatch.setattr(near, "MAX_COMPARED", 1)
    found = check_ladder(path)
    assert found.remarks == ()
    assert any("comparison of prompts" in sentence for sentence in found.left_out)


def test_single_file_of_a_published_subset_keeps_its_name(tmp_path: Path) -> None:
    small_folder(tmp_path / "ladder", card=False)
    found = check_ladder(tmp_path / "ladder" / "mini" / "test.parquet")
    assert [each.subset for each in found.subsets] == ["mini"]
    assert found.passed
    assert not any("published form" in sentence for sentence in found.left_out)


def test_folder_is_checked_with_every_subset_largest_first(tmp_path: Path) -> None:
    small_folder(tmp_path / "ladder", card=False)
    found = check_ladder(tmp_path / "ladder")
    assert [each.subset for each in found.subsets] == ["full", "core", "mini"]
    assert sum(found.subsets[0].pairs_by_rung.values()) == len(clean_pairs())
    assert found.left_out == (found.left_out[0],)


def test_violation_of_a_shared_prompt_is_named_once(tmp_path: Path) -> None:
    corruption = next(each for each in corruptions() if each.name == "reason repeated")
    small_folder(tmp_path / "ladder", card=False)
    corruption.apply(tmp_path / "ladder")
    (found,) = check_ladder(tmp_path / "ladder").violations
    assert found.file.endswith("full/test.parquet")


def test_hub_dataset_is_checked_with_all_its_subsets(tmp_path: Path, hub: StandInHub) -> None:
    small_folder(tmp_path, card=False)
    shutil.rmtree(tmp_path / "sources")
    tree = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    hub.repositories["dataset", "example/ladder"] = Repository(commits=[tree], tags={"v1": oid(0)})
    found = check_ladder("example/ladder@v1")
    assert (found.source, len(found.subsets), found.passed) == ("example/ladder@v1", 3, True)


def test_violation_shows_nothing_that_a_terminal_obeys() -> None:
    hostile = "\x1b]0;x\x07[red]\u202e" + "y" * 1000
    text = str(Violation("c", "is bad.", hostile, "base", "f"))
    assert text.isprintable()
    assert len(text) < 200


# --- every check is needed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "check",
    [*report.PROMPT_CHECKS, *report.PUBLISHED_PROMPT_CHECKS, *report.TABLE_CHECKS],
    ids=lambda check: check.__name__,
)
def test_without_a_check_its_corruption_is_not_named(
    check: report.Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each check there is a corruption that nothing else names."""
    corruption = next(each for each in corruptions() if each.name == ONLY_FOUND_BY[check.__name__])
    small_folder(tmp_path / "ladder", card=False)
    corruption.apply(tmp_path / "ladder")

    def is_found() -> bool:
        found = map(str, check_ladder(tmp_path / "ladder").violations)
        return any(all(part in line for part in corruption.says) for line in found)

    assert is_found()
    for name in ("PROMPT_CHECKS", "PUBLISHED_PROMPT_CHECKS", "TABLE_CHECKS"):
        monkeypatch.setattr(report, name, tuple(each for each in getattr(report, name) if each is not check))
    assert not is_found()


ONLY_FOUND_BY = {
    "has_identical": "rule row identical dropped",
    "edits_stand_on_their_rungs": "rule edit on another rung",
    "has_every_rule_edit": "rule row nbsp dropped",
    "rule_rows_are_rebuilt": "rule row with other replacements",
    "texts_differ": "variant twice",
    "white_space_is_clean": "variant with a tab",
    "no_control_characters": "variant with a NUL",
    "lengths_are_similar": "variant semantic_1 long",
    "rule_rows_have_no_reason": "rule row with a reason",
    "synonyms_replace_one_word": "variant with two other words",
    "protected_spans_are_kept": "variant with a number more",
    "has_every_authored_edit": "authored row semantic_1 dropped",
    "has_enough_rule_edits": "base in code only",
    "only_known_edits": "rule row of an unknown edit",
    "authored_rows_have_a_reason": "reason missing",
    "reasons_are_not_repeated": "reason repeated",
    "bases_differ": "base of another prompt in capitals",
}
