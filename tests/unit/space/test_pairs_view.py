"""Pairs: the list, one pair, and its two outputs step by step, against what is known of made outputs."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from itertools import accumulate, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lm_eval_sensitivity.results import Results
from lm_eval_sensitivity.results.system_files import PairDetail, SideDetail
from lm_eval_sensitivity.space.branching import LONGEST_OUTPUT, path_of, thinned
from lm_eval_sensitivity.space.branching_charts import bent, charts_of, numbers_of
from lm_eval_sensitivity.space.differences import differences
from lm_eval_sensitivity.space.page import number, render
from lm_eval_sensitivity.space.pages.pair import neighbors
from lm_eval_sensitivity.space.query import parse
from lm_eval_sensitivity.statements.selection import RUNG_SETS
from lm_eval_sensitivity.types import Pair, Replacement
from tests.unit.results.made_results import NASTY_NAMES
from tests.unit.space.reading import Element, Stand, assert_inert, system

Tokens = Sequence[str]
SCRIPT = resources.files("lm_eval_sensitivity.space").joinpath("branching.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pair(results: Results) -> Pair:
    """A pair that all systems were given and none lost."""
    lines = results.pairs(0).to_pylist()
    known = {
        line["pair_id"] for line in lines if line["audit_status"] == "survived" and line["edit"] == "nbsp"
    }
    return next(each for each in results.ladder.values() if each.pair_id in known)


# ---- made outputs, and the truth about them


def levenshtein(first: Tokens, second: Tokens) -> int:
    """By its definition, cell by cell."""
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, start=1):
        above, row = row, [i]
        for j, other in enumerate(second, start=1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (one != other)))
    return row[-1]


def curve_of(first: Tokens, second: Tokens) -> tuple[int, ...]:
    return tuple(levenshtein(first[:t], second[:t]) for t in range(1, max(len(first), len(second)) + 1))


def shared(first: Tokens, second: Tokens) -> int | None:
    """Tokens both begin with; None where they are equal."""
    if list(first) == list(second):
        return None
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


def side(tokens: Tokens, *, answer: tuple[int, int] | None = None, **changes: Any) -> SideDetail:
    text = "".join(tokens)
    known = SideDetail(
        text=text,
        cut_characters=0,
        token_ends=tuple(accumulate(len(token) for token in tokens)),
        margins=tuple(0.5 + at for at in range(len(tokens))),
        status="none" if answer is None else "closed",
        scaffold=None if answer is None else "think",
        answer_start=0 if answer is None else answer[0],
        answer_end=len(text) if answer is None else answer[1],
        finish_reason="length",
    )
    return replace(known, **changes)


def detail(first: Tokens, second: Tokens, **changes: Any) -> PairDetail:
    curve, parted = curve_of(first, second), shared(first, second)
    made = PairDetail(
        side(first),
        side(second),
        {"raw": curve, "answer": curve},
        {"raw": parted, "answer": parted},
        {"raw": False, "answer": False},
    )
    return replace(made, **changes)


def page(results: Any, pair: Pair, made: PairDetail | None = None, **query: str) -> Element:
    shown = results if made is None else Stand(results, detail=lambda system, pair_id: made)
    return assert_inert(render(shown, {"view": "pairs", "pair": pair.pair_id, **query}))


def outputs(found: Element) -> tuple[Element, Element]:
    first, second = (section.one("bdi", css="theirs") for section in found.every("div", css="text"))
    return first, second


def is_label(element: Element) -> bool:
    return element.has_class("parting") or element.has_class("said")


def standing(output: Element) -> str:
    """What a reader sees of an output: later steps and our labels are not part of it."""
    return "".join(
        each.text()
        for each in output.every("span")
        if "data-step" in each.attributes and not each.has_class("later")
    )


def before_the_mark(output: Element) -> str:
    """The output's own text before the mark."""
    text = ""
    for child in output.children:
        assert isinstance(child, Element) or not child.strip(), child
        if isinstance(child, Element):
            if child.has_class("parting"):
                return text
            text += child.text(is_label) if not is_label(child) else ""
    raise AssertionError("the outputs are not marked")


# ---- prompts


WORDS = st.lists(
    st.sampled_from(["one", "two", " ", "  ", "\n", "e\u0301", "\u00a0", "日本", "!", "a"]), max_size=14
).map("".join)


@given(WORDS, WORDS)
def test_in_one_row_both_texts_are_whole(first: str, second: str) -> None:
    found = differences(first, second)
    texts = {"same": first, "gone": first, "new": second}
    for sides, whole in ((("same", "gone"), first), (("same", "new"), second)):
        assert (
            "".join(texts[each.kind][each.start : each.end] for each in found if each.kind in sides) == whole
        )
    assert not [1 for one, other in pairwise(found) if one.kind == other.kind], "a change is one change"
    assert ({each.kind for each in found} <= {"same"}) == (first == second)


def test_a_change_is_of_words_and_a_few_shared_ones_do_not_part_it() -> None:
    first, second = "He held it there.", "He had it there."
    assert [first[each.start : each.end] for each in differences(first, second) if each.kind == "gone"] == [
        "held"
    ]
    first, second = "I'm sure", "I\u2019m sure"
    assert [first[each.start : each.end] for each in differences(first, second)][:1] == ["I'm"]
    first, second = "Why is the sky blue at noon?", "For what reason is it blue at noon?"
    assert [each.kind for each in differences(first, second)] == ["gone", "new", "same"]


def test_an_edit_that_is_cut_says_so(results: Results, pair: Pair) -> None:
    long = replace(pair, base="a b", replacements=(Replacement(1, 2, "x" * 9000),), variant=f"a{'x' * 9000}b")
    found = page(Stand(results, ladder={pair.pair_id: long}), pair)
    assert [each.text() for each in found.every("p", css="cut")] == [
        "5002 more characters of the variant are not shown."
    ]
    whole = replace(long, base="y" * 5000, replacements=(Replacement(0, 5000, "z"),), variant="z")
    found = page(Stand(results, ladder={pair.pair_id: whole}), pair)
    assert [each.text() for each in found.every("p", css="cut")] == [
        "1000 more characters of the base are not shown."
    ]
    assert found.one("blockquote").one("ins").text() == "z"


def test_a_repetition_is_compared_with_no_noise_floor(results: Results, pair: Pair) -> None:
    same = next(each for each in results.ladder.values() if each.rung == "identical")
    table = page(results, same).one("table", css="of-the-pair")
    assert "noise floor" not in table.text()
    assert {len(row.every("td")) for row in table.every("tr") if row.every("td")} == {2}
    assert "Nothing was edited, so these numbers are the noise floor" in page(results, same).text()
    assert page(results, pair).one("table", css="of-the-pair").text().count("noise floor") == 2


# ---- steps


def random_tokens(draw: Random) -> tuple[list[str], list[str]]:
    """Two outputs of tokens with one, two or no characters, of all widths, that share a start."""
    alphabet = ["ab", "c", "é", "🎉", "日", "", "x"]
    start = [draw.choice(alphabet) for _ in range(draw.randrange(4))]
    rest = [[draw.choice(alphabet) for _ in range(draw.randrange(6))] for _ in range(2)]
    return start + rest[0], start + rest[1]


def test_every_step_shows_its_tokens_and_the_mark_stands_where_the_tokens_part() -> None:
    draw = Random(5)
    parted = 0
    for _ in range(200):
        first, second = random_tokens(draw)
        path = path_of(detail(first, second), "raw")
        assert path.curve == curve_of(first, second)
        for tokens, made in ((first, path.base), (second, path.variant)):
            for step in range(path.n_steps + 1):
                shown = "".join(
                    piece.text
                    for segment in made.segments
                    if segment.step <= step
                    for piece in segment.pieces
                )
                # An empty token stands for a part of a character, so it shows nothing by itself.
                assert shown == "".join(tokens[:step])
            if path.parts_after is None:
                assert made.parts_at is None
            else:
                parted += 1
                assert made.parts_at == len("".join(tokens[: path.parts_after]))
    assert parted > 200


@pytest.mark.parametrize(
    ("first", "second", "mark"),
    [
        (["The", " cat", " sat"], ["The", " dog", " sat"], 3),
        (["é", "🎉", "a"], ["é", "🎉", "b", "c"], 2),
        (["a"], ["b"], 0),
        (["a", "b"], ["a", "b", "c"], 2),
    ],
)
def test_the_page_marks_the_first_difference(
    results: Results, pair: Pair, first: Tokens, second: Tokens, mark: int
) -> None:
    found = page(results, pair, detail(first, second), filter="raw")
    for tokens, output in zip((first, second), outputs(found), strict=True):
        assert before_the_mark(output) == "".join(tokens)[:mark]
        assert "the outputs part here" in output.one("b", css="parting").text()  # a word, not a color
        assert standing(output) == "".join(tokens[: mark_step(first, second)])


def mark_step(first: Tokens, second: Tokens) -> int:
    """Of the first token that differs, counted from 1."""
    return (shared(first, second) or 0) + 1


def test_equal_outputs_have_no_mark(results: Results, pair: Pair) -> None:
    found = page(results, pair, detail(["a", "b"], ["a", "b"]))
    assert not found.every("b", css="parting")
    assert "They do not part." in found.text()
    censored = detail(["a"], ["a"], censored={"raw": True, "answer": True})
    assert "equal up to the token limit" in page(results, pair, censored).text()


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4])
def test_the_step_of_the_address_shows_so_many_tokens(results: Results, pair: Pair, step: int) -> None:
    first, second = ["The", " cat", " sat"], ["The", " dog", " sat", " down"]
    found = page(results, pair, detail(first, second), filter="raw", step=str(step))
    for tokens, output in zip((first, second), outputs(found), strict=True):
        assert standing(output) == "".join(tokens[:step])
        now = "".join(each.text() for each in output.every("span", css="now"))
        assert now == "".join(tokens[step - 1 : step] if step else [])
    said = {name: found.one(data_say=name).text() for name in ("step", "curve", "base", "variant")}
    expected = curve_of(first, second)[step - 1] if step else 0
    assert (said["step"], said["curve"]) == (str(step), str(expected))
    # Margins of the made outputs are 0.5, 1.5, ...; the base has three.
    assert said["base"] == (f"{step - 0.5:.3f}" if 0 < step < 4 else "–")
    assert said["variant"] == (f"{step - 0.5:.3f}" if step else "–")
    slider = found.one("input", type="range")
    assert (slider.attributes["value"], slider.attributes["max"]) == (str(step), "4")
    assert parse(found.one("a", css="steplink").attributes["href"])["step"] == str(step)


@pytest.mark.parametrize("step", ["5", "-1", "x", "1e3", "٣", "999999999999"])
def test_a_wrong_step_is_complained_of_and_all_is_shown(results: Results, pair: Pair, step: str) -> None:
    found = page(results, pair, detail(["a", "b"], ["a", "c"]), step=step)
    assert "`step`" in found.one(css="complaints").text()
    assert standing(outputs(found)[0]) == "ab"


def test_the_animation_has_the_numbers_of_every_step(results: Results, pair: Pair) -> None:
    first, second = ["a", "b", "c"], ["a", "c"]
    found = page(results, pair, detail(first, second))
    data = json.loads(found.one(css="branching").attributes["data-branching"])
    assert data == {"curve": [0, *curve_of(first, second)], "base": [0.5, 1.5, 2.5], "variant": [0.5, 1.5]}
    assert {
        each.attributes["data-branch"]
        for each in found.every("button", type="button")
        if "data-branch" in each.attributes
    } == {
        "play",
        "pause",
        "back",
        "forward",
        "first",
    }


def test_under_the_answer_steps_are_counted_from_each_answers_first_token(
    results: Results, pair: Pair
) -> None:
    reasoning = ["<think>", "hm", "</think>", "\n\n"]
    first, second = ["Two", "!"], ["Two", " of", " them"]
    start = len("".join(reasoning))
    both = [
        side(
            [*reasoning[: 4 - extra], *answer],
            answer=(start - 2 * extra, start - 2 * extra + len("".join(answer))),
            finish_reason="length",
        )
        for extra, answer in ((0, first), (1, second))
    ]
    made = PairDetail(
        *both,
        {"raw": curve_of([*reasoning, *first], [*reasoning[:3], *second]), "answer": curve_of(first, second)},
        {"raw": 3, "answer": 1},
        {"raw": False, "answer": False},
    )
    path = path_of(made, "answer")
    assert (path.base.n_steps, path.variant.n_steps, path.n_steps) == (2, 3, 3)
    assert path.base.margins == (4.5, 5.5)  # of tokens 4 and 5 of the whole output
    found = page(results, pair, made, filter="answer", step="1")
    base, variant = outputs(found)
    for output, scaffold in ((base, reasoning), (variant, reasoning[:3])):
        shown = standing(output)
        assert shown.replace("⏎", "\n") == "".join(scaffold) + "Two"
        pale = "".join(each.text() for each in output.every("span", css="scaffold"))
        assert pale.replace("⏎", "\n") == "".join(scaffold)
        # With words, not by color alone.
        assert [each.text() for each in output.every("span", css="said")] == [
            "[not the answer:]",
            "[the answer:]",
        ]
    whole = path_of(made, "raw")
    assert (whole.parts_after, whole.n_steps) == (3, 6)
    assert whole.base.parts_at == len("<think>hm</think>")


def test_the_end_token_is_no_step() -> None:
    made = detail(["a", "b"], ["a", "c", "d"])  # the longer curve leaves room for one step too many
    ended = replace(made.base, token_ends=(1, 2, 2), finish_reason="end_token", margins=(0.1, 0.2, 0.3))
    path = path_of(replace(made, base=ended), "raw")
    assert (path.base.n_steps, path.base.margins) == (2, (0.1, 0.2))


def test_without_token_ends_the_steps_are_words_and_the_page_says_so(results: Results, pair: Pair) -> None:
    made = detail(["The cat", " sat"], ["The dog", " sat here"])
    made = replace(made, base=replace(made.base, token_ends=None))
    found = page(results, pair, made, filter="raw", step="2")
    assert "does not say where tokens end" in found.text()
    assert "Watch the branching word by word" in found.text()
    assert [standing(output) for output in outputs(found)] == ["The cat", "The dog"]
    assert before_the_mark(outputs(found)[0]) == "The"
    path = path_of(made, "raw")
    assert path.curve == curve_of(["The", "cat", "sat"], ["The", "dog", "sat", "here"])
    assert "There are no margins beside these steps." in found.text()


def test_without_an_answer_the_whole_outputs_are_shown_and_the_page_says_so(
    results: Results, pair: Pair
) -> None:
    made = detail(["<think>", "hm"], ["<think>", "oh"])
    unclosed = {"status": "unclosed", "scaffold": "think", "answer_start": 9, "answer_end": 9}
    made = replace(
        made,
        base=replace(made.base, **unclosed),
        variant=replace(made.variant, **unclosed),
        curves={**made.curves, "answer": None},
        first_divergence={"raw": 1, "answer": None},
        censored={"raw": False, "answer": None},
    )
    found = page(results, pair, made, filter="answer")
    assert "so the steps are those of the whole outputs" in found.text()
    assert "reasoning that never ends" in found.text()
    assert before_the_mark(outputs(found)[0]) == "<think>"


def test_empty_outputs_are_a_page_too(results: Results, pair: Pair) -> None:
    found = page(results, pair, detail([], []))
    assert found.text().count("The output is empty.") == 2
    assert "They do not part." in found.text()
    page(results, pair, detail([], ["a"]), step="1")


# ---- drawings


def test_the_curve_is_drawn_at_its_values() -> None:
    draw = Random(1)
    first, second = ([draw.choice("abc") for _ in range(n)] for n in (30, 24))
    path = path_of(detail(first, second), "raw")
    charts = charts_of(path)
    drawn = [tuple(map(float, point.split(","))) for point in charts["curve"].split()]
    truth = [0, *curve_of(first, second)]
    assert len(drawn) == len(truth)
    assert [x for x, _ in drawn] == [charts["x"](step) for step in range(len(truth))]
    # Equal heights for equal values, and each edit takes the same room.
    heights = {value: y for value, (_, y) in zip(truth, drawn, strict=True)}
    assert [y for _, y in drawn] == [heights[value] for value in truth]
    per_edit = (heights[max(truth)] - heights[0]) / max(truth)
    assert per_edit < 0  # upwards
    assert all(heights[value] == pytest.approx(heights[0] + value * per_edit, abs=0.11) for value in heights)
    late = [float(point.split(",")[1]) for point in charts["reference"].split()]
    assert late == pytest.approx([heights[0] + min(t, 2) * per_edit for t in range(len(truth))], abs=0.11)


def test_margins_are_drawn_in_their_order_and_gaps_stay_gaps() -> None:
    made = detail(["a"] * 4, ["a"] * 4)
    made = replace(made, base=replace(made.base, margins=(0.0, 3.0, None, 12.0)))
    charts = charts_of(path_of(made, "raw"))
    assert charts["margins"] is not None
    lines = [[float(point.split(",")[1]) for point in line.split()] for line in charts["margins"][0]]
    assert [len(line) for line in lines] == [2, 1]
    assert lines[0][0] > lines[0][1] > lines[1][0]  # a tie at the bottom, upwards from there
    assert bent(0.0) == 0
    assert numbers_of(path_of(made, "raw"), 3)["base"] is None


def test_of_many_steps_the_smallest_margin_stays() -> None:
    margins = [5.0] * 5000
    margins[3210] = 0.01
    kept = thinned(margins, 600)
    assert len(kept) <= 600
    assert (3210, 0.01) in kept


# ---- prompts and words


def test_the_edit_is_shown_in_both_prompts(results: Results, pair: Pair) -> None:
    edit = replace(
        pair,
        base="Is a book good?",
        variant="Is\u00a0a fine book good",
        replacements=(Replacement(2, 3, "\u00a0"), Replacement(4, 4, " fine"), Replacement(14, 15, "")),
    )
    found = page(Stand(results, ladder={pair.pair_id: edit}), pair).one("blockquote")
    assert [each.text() for each in found.every("del")] == ["·", "?"]
    assert [each.text() for each in found.every("ins")] == ["U+00A0", "fine "]
    assert found.text() == "Is·U+00A0a fine book good?"


def test_a_blank_is_a_blank_until_its_mark_is_asked_for(results: Results, pair: Pair) -> None:
    found = page(results, pair, detail(["a  b\n", "c"], ["a  b\n", "d"]), filter="raw")
    base, _ = outputs(found)
    assert [(each.text(), each.attributes["data-mark"]) for each in base.every("span", css="blank")] == [
        (" ", "·"),
        (" ", "·"),
        ("\n", "⏎"),
    ]
    assert standing(base) == "a  b\nc", "what is copied is the output"
    assert found.one("input", css="blanks").attributes["type"] == "checkbox"


def test_words_of_one_output_alone_are_marked_in_it(results: Results, pair: Pair) -> None:
    found = page(results, pair, detail(["The", " cat", " sat"], ["The", " dog", " sat"]), filter="raw")
    base, variant = outputs(found)
    assert [each.text() for each in base.every("del")] == ["cat"] and not base.every("ins")
    assert [each.text() for each in variant.every("ins")] == ["dog"] and not variant.every("del")


def test_a_pair_opens_where_its_outputs_part(results: Results, pair: Pair) -> None:
    made = detail(["The", " cat", " sat", "."], ["The", " dog", " sat", "."])
    found = page(results, pair, made, filter="raw")
    assert found.one("input", type="range").attributes["value"] == "2"
    assert not found.one(css="branching").has_class("walked"), "all of both outputs can be read"
    assert [each.text() for each in outputs(found)[0].every("span", css="now")] == [" ", "cat"]
    assert page(results, pair, made, filter="raw", step="3").one(css="branching").has_class("walked")


def test_the_neighbors_of_a_pair_are_those_next_in_distance(results: Results) -> None:
    rows = [
        row
        for row in results.pairs(1).to_pylist()
        if row["filter"] == "answer" and row["rung"] in RUNG_SETS["meaning_preserving"]
    ]
    order = list(results.ladder)
    known = [row for row in rows if row["cosine_distance"] is not None]
    known.sort(key=lambda row: (-row["cosine_distance"], order.index(row["pair_id"])))
    names = [row["pair_id"] for row in known]
    for at, name in enumerate(names):
        found = neighbors(results, 1, results.ladder[name], "answer", "meaning_preserving")
        assert (found.place, found.n) == (at + 1, len(names))
        assert found.larger == (names[at - 1] if at else None)
        assert found.smaller == (names[at + 1] if at + 1 < len(names) else None)
    lost = next(row["pair_id"] for row in rows if row["cosine_distance"] is None)
    assert neighbors(results, 1, results.ladder[lost], "answer", "meaning_preserving").place is None
    links = (
        page(results, results.ladder[names[1]], system=system(results, 1)).one("nav", css="around").every("a")
    )
    assert [(each.attributes["data-key"], parse(each.attributes["href"])["pair"]) for each in links] == [
        ("p", names[0]),
        ("n", names[2]),
    ]


def test_an_erased_pair_compares_no_outputs_and_says_why(results: Results, pair: Pair) -> None:
    table = results.pairs(0)
    at = table.schema.get_field_index("audit_status")
    erased = table.set_column(at, table.schema.field(at), [["erased"] * table.num_rows])
    found = page(Stand(results, pairs=lambda system: erased), pair)
    assert "No outputs are compared" in found.text()
    assert "The edit was erased" in found.text()
    assert not found.every("div", css="text")
    assert not found.every(css="branching")


def test_numbers_stand_beside_their_noise_floor(results: Results, pair: Pair) -> None:
    found = page(results, pair)
    line = next(each for each in found.every("tr") if each.text().strip().startswith("cosine distance"))
    cells = [cell.text().strip() for cell in line.every("td")]

    def truth(edit: str, name: str) -> str:
        rows = results.pairs(0).to_pylist()
        (value,) = (
            row["cosine_distance"]
            for row in rows
            if (row["prompt_id"], row["edit"], row["filter"]) == (pair.prompt_id, edit, name)
        )
        return f"{value:.3f}"

    assert cells == [truth(edit, name) for edit in (pair.edit, "identical") for name in ("raw", "answer")]


def test_opening_a_pair_reads_one_systems_table_and_one_detail(results: Results, pair: Pair) -> None:
    read: list[Any] = []

    def pairs(system: int) -> Any:
        read.append(system)
        return results.pairs(system)

    def one(system: int, pair_id: str) -> PairDetail:
        read.append((system, pair_id))
        return results.detail(system, pair_id)

    page(Stand(results, pairs=pairs, detail=one), pair, system=system(results, 2))
    assert set(read) == {2, (2, pair.pair_id)}
    assert read.count((2, pair.pair_id)) == 1


# ---- hostile texts

HOSTILE = (
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "\u202eright to left\u2066",
    "\x1b[31mred\x1b]0;title\x07\x00",
    "{{ 7 * 7 }}{% for x in y %}",
    "javascript:alert(1)",
    "<!-- <svg onload=alert(1)>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_and_do_nothing(results: Results, pair: Pair, text: str) -> None:
    made = detail(["a", text], [text, "b"])
    scaffold = {"scaffold": text, "status": "closed", "answer_start": 1}
    made = replace(made, base=replace(made.base, **scaffold), variant=replace(made.variant, **scaffold))
    nasty = replace(
        pair,
        base=text,
        variant="x",
        reason=text,
        prompt_id=text,
        replacements=(Replacement(0, len(text), "x"),),
    )
    shown = Stand(results, ladder={pair.pair_id: nasty})
    for filter_name in ("raw", "answer"):
        found = page(shown, pair, made, filter=filter_name, step="1")
        if text.isprintable():
            assert text in found.text()
    assert_inert(render(shown, {"view": "pairs", "edit": pair.edit, "rungs": pair.rung}))
    assert "49" not in {each.text() for each in found.every("bdi")}


def test_names_of_systems_are_texts(results: Results, pair: Pair) -> None:
    for at, name in enumerate(sorted(NASTY_NAMES)):
        found = page(results, pair, system=system(results, at))
        if name.isprintable():
            assert name in found.text()


def test_a_very_long_output_is_cut_and_the_page_says_so(results: Results, pair: Pair) -> None:
    text = "<i>long</i> " * 850_000
    made = detail(["a"], ["b"])
    huge = replace(made.base, text=text, token_ends=(len(text),), cut_characters=7)
    html = render(
        Stand(results, detail=lambda system, pair_id: replace(made, base=huge)),
        {"view": "pairs", "pair": pair.pair_id, "filter": "raw"},
    )
    found = assert_inert(html)
    hidden = len(text) - LONGEST_OUTPUT + 7
    assert f"{hidden} more characters are not shown; at most {LONGEST_OUTPUT} are." in found.text()
    assert len(html) < 100_000


def test_nothing_is_written_as_markup_by_the_script() -> None:
    assert "textContent" in SCRIPT
    for unsafe in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("):
        assert unsafe not in SCRIPT


@pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine here")
def test_the_script_says_the_numbers_that_the_server_says(results: Results, pair: Pair) -> None:
    first, second = ["a", "b", "c"], ["a", "c"]
    made = detail(first, second)
    made = replace(made, base=replace(made.base, margins=(0.0, 0.0001, None)))
    data = page(results, pair, made).one(css="branching").attributes["data-branching"]
    path = path_of(made, "answer")
    code = f"console.log(JSON.stringify([0, 1, 2, 3].map((t) => branching.numbersAt({data}, t))))"
    done = subprocess.run(
        [str(shutil.which("node")), "-"],
        input=f"{SCRIPT}\n{code}",
        capture_output=True,
        text=True,
        check=True,
    )
    for step, said in enumerate(json.loads(done.stdout)):
        here = numbers_of(path, step)
        margins = [number(here["base"]), number(here["variant"])]
        assert list(said.values()) == [str(step), str(here["distance"]), *margins]
