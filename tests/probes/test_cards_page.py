"""Pages of cards: they stand alone, and nothing of a stranger in them acts."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.probes.cards import PROBE
from lm_eval_sensitivity.probes.cards.card import BranchCard, Stated
from lm_eval_sensitivity.probes.cards.files import card_file, file_stem
from lm_eval_sensitivity.probes.cards.page import card_page, height, index_page, write_cards
from lm_eval_sensitivity.probes.cards.reading import control_lines, sentence
from lm_eval_sensitivity.probes.result import ProbeResult
from lm_eval_sensitivity.report.figures import render
from lm_eval_sensitivity.types import Replacement
from tests.probes.models_cards import reads_the_edit, run_outputs
from tests.probes.test_cards import reading_pair, result_of

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m\"'&{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def result() -> ProbeResult[Any]:
    return result_of(reads_the_edit(), run_outputs(reading_pair(), reading_pair("q", 8)))


def with_card(result: ProbeResult[Any], change: Any) -> ProbeResult[Any]:
    card = change(result.finding.cards[0])
    return replace(result, finding=replace(result.finding, cards=(card,)))


def page(result: ProbeResult[Any]) -> str:
    return card_page(card_file(result.finding.cards[0], result))


class Tags(HTMLParser):
    """Every tag, and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        named = dict(attrs)
        assert not [name for name in named if name.startswith("on")]
        self.links += [named[name] for name in ("href", "src") if name in named]

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile(card: BranchCard) -> BranchCard:
    branch, forced = card.branch.value, card.forced.value
    assert branch is not None and forced is not None
    token = replace(branch.base_token, text=HOSTILE)
    case = replace(
        card.case,
        pair_id=HOSTILE,
        prompt_id=HOSTILE,
        edit=HOSTILE,
        rung=HOSTILE,
        base=HOSTILE,
        variant=HOSTILE,
        replacements=(Replacement(2, 5, HOSTILE), Replacement(3, 900, "x")),
        context=(HOSTILE,) * 3,
        base_rest=HOSTILE,
        variant_rest=HOSTILE,
        step=2,
        shared_ids=(5, 5),
    )
    margins = {"margins_base": (0.1,) * 3, "margins_variant": (0.2,) * 3}
    bad = replace(branch, base_token=token, top_base=(token,), variant_token=token, **margins)
    texts = {"base_text": HOSTILE, "forced_text": HOSTILE, "shared_text": HOSTILE}
    return replace(
        card,
        case=case,
        branch=Stated.observed(bad),
        forced=Stated.observed(replace(forced, **texts)),
    )


def test_strangers_texts_are_shown_and_do_not_act(result: ProbeResult[Any]) -> None:
    bad = replace(with_card(result, hostile), name=HOSTILE)
    for text in (page(bad), index_page(bad)):
        found = Tags(text)
        assert "script" not in found.tags
        assert "\u202e" not in text and "\x1b" not in text
        assert (
            "<script>alert(1)</script>" in found.text
            and "{{ 7 * 7 }}" in found.text
            and "U+202E" in found.text
        )
        assert all(re.fullmatch(r"[A-Za-z0-9_-]+\.html", link) for link in found.links)
        assert "http" not in text.replace("http-equiv", "")


def test_files_stay_in_their_folder(result: ProbeResult[Any], tmp_path: Path) -> None:
    bad = with_card(
        result, lambda card: replace(card, case=replace(card.case, pair_id="../../../etc/x\x00<y>"))
    )
    files = write_cards(bad, tmp_path / "deep" / "cards")
    assert {path.parent for path in files} == {tmp_path / "deep" / "cards"}
    assert sorted(files) == sorted((tmp_path / "deep" / "cards").iterdir())
    assert file_stem("a/b") != file_stem("a_b")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_cards(result, tmp_path / "file")


def test_a_page_says_what_its_card_says(result: ProbeResult[Any]) -> None:
    card = result.finding.cards[0]
    text = Tags(page(result)).text
    assert sentence(card) in text
    assert all(line.text in text for line in control_lines(card))
    assert "(layer 0, first edited token)" in text
    in_the_key = text.count("● restores the token")
    assert text.count("● restores") - in_the_key == sum(map(sum, card.patches.value.replays))
    assert PROBE.not_to_be_read_as[0] in text and f"--check {file_stem(card.case.pair_id)}.json" in text


NOTHING = Stated[Any].not_run("it was not asked for")


@pytest.mark.parametrize(
    "lacking",
    [
        {"patches": NOTHING, "rescue": NOTHING, "earliest": NOTHING},
        {"rescue": NOTHING},
        {"forced": NOTHING},
        {"verdict": NOTHING},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_what_was_not_run_is_said_with_its_reason(result: ProbeResult[Any], lacking: dict[str, Any]) -> None:
    if "patches" in lacking:
        lacking = {**lacking, "controls": replace(result.finding.cards[0].controls, at=NOTHING)}
    lesser = with_card(result, lambda card: replace(card, **lacking))
    assert "it was not asked for" in Tags(page(lesser)).text.lower()
    assert index_page(lesser) and PROBE.document(lesser)


def test_the_edit_is_shown_in_the_prompt_and_long_parts_are_counted(result: ProbeResult[Any]) -> None:
    base = "a" * 1_000 + "OLD" + "b"

    def long(card: BranchCard) -> BranchCard:
        change = Replacement(1_000, 1_003, "NEW ")
        return replace(card, case=replace(card.case, base=base, replacements=(change,)))

    text = page(with_card(result, long))
    assert "<del>OLD</del><ins>NEW·</ins>b" in text and "[600 characters]" in text


def test_heights_of_margins() -> None:
    assert [height(each) for each in (0.0, 0.01, 1.0, 10.0, 99.0)] == [0.0, 0.0, 66.7, 100.0, 100.0]


def test_document_and_picture_count_what_the_cards_hold(result: ProbeResult[Any]) -> None:
    sentence_of_all, rule, index, classes, over = PROBE.document(result)
    assert "in 2 of 2 cards" in str(sentence_of_all) and "All 2 branches." in str(rule)
    assert not isinstance(index, str) and not isinstance(classes, str) and not isinstance(over, str)
    first = dict(zip((column.name for column in index.columns), index.rows[0], strict=True))
    assert (first["first edited token"], first["last token before the branch"]) == ("0 (1.00)", "1 (1.00) *")
    assert (first["end of the prompt"], first["rejoins"], first["step"]) == (None, "0/16", 0)
    by_words = {row[0]: row[1:] for row in classes.rows}
    assert by_words["first edited token"] == (2, 2, 0.0, 0)
    assert by_words["last token before the branch"] == (2, 0, None, 2)
    assert [row[4] for row in over.rows] == [2, 2, 2]
    drawn = render(PROBE.picture(result), "made by hand")
    assert ">2/2<" in drawn.inline and "first edited token" in drawn.inline
