"""Own pairs in rows of their own, and the positive control that own prompts get by themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import Ladder, build_pairs, load_ladder
from lm_eval_sensitivity.ladder.authoring.checks import check_ladder
from lm_eval_sensitivity.ladder.authoring.folder import card_of_folder
from lm_eval_sensitivity.ladder.authoring.generic_control import with_generic_controls
from lm_eval_sensitivity.ladder.authoring.own_pairs import GENERIC_CONTROL
from lm_eval_sensitivity.ladder.authoring.user_prompts import read_own_file
from lm_eval_sensitivity.ladder.sources import AuthoredPrompt, Source
from lm_eval_sensitivity.types import Pair
from tests.unit.ladder.test_own import write_rows, write_text

SKY, DOG = "Why is the sky blue?", "Write a short poem about a dog."
ROWS: list[dict[str, Any]] = [
    {"base": SKY, "variant": "Why is the sky bleu?", "rung": "punctuation", "edit": "Typo", "id": "sky"},
    {
        "base": DOG,
        "variant": "Write a brief poem about a dog.",
        "rung": "Synonym",
        "edit": "swap/1",
        "reason": "Short.",
    },
    {"base": SKY, "variant": "Why is teh sky blue?", "rung": "punctuation", "edit": "Typo", "id": "sky"},
    {"base": DOG, "variant": "Write a long poem about a dog.", "rung": "semantic change", "edit": "größer"},
]
BARE = "base,variant,rung,edit\n"


def own_rows(pairs: list[Pair]) -> dict[str, Pair]:
    """Pairs that somebody wrote, by id."""
    return {pair.pair_id: pair for pair in pairs if pair.origin == "authored"}


def built(tmp_path: Path, source: Path, *options: str) -> Ladder:
    assert cli.main(["ladder", "build", str(source), "-o", str(tmp_path / "mine"), *options]) == 0
    return load_ladder(tmp_path / "mine")


def test_pairs_in_rows_become_the_pairs_of_their_prompts(tmp_path: Path) -> None:
    for path in write_rows(tmp_path, [dict.fromkeys(("id", "reason"), "") | row for row in ROWS]):
        pairs = build_pairs(read_own_file(path).source)
        found = own_rows(pairs)
        assert {name: (pair.rung, pair.variant) for name, pair in found.items()} == {
            "sky/typo_1": ("punctuation", "Why is the sky bleu?"),
            "sky/typo_2": ("punctuation", "Why is teh sky blue?"),
            "prompt-2/swap_1": ("synonym", "Write a brief poem about a dog."),
            "prompt-2/größer": ("semantic_change", "Write a long poem about a dog."),
        }
        assert found["prompt-2/swap_1"].reason == "Short."
        # Rules build their rungs of these bases as of any.
        assert [pair.base for pair in pairs if pair.rung == "identical"] == [SKY, DOG]
        # The mildest rung first, as in every ladder.
        assert [pair.rung_index for pair in pairs] == sorted(pair.rung_index for pair in pairs)


def test_tabs_and_a_base_of_another_name_are_read(tmp_path: Path) -> None:
    rows = "question\tvariant\trung\tedit\n" + f"{SKY}\tWhy blue?\tparaphrase\tshort\n"
    path = write_text(tmp_path / "own.tsv", rows)
    own = read_own_file(path, prompt_field="question")
    assert own.source.prompts[0].variants["short"].text == "Why blue?"
    assert own.notes == ("Cells were read as separated by tabs.",)


def test_known_edits_stay_what_they_are(tmp_path: Path) -> None:
    path = write_text(tmp_path / "own.csv", BARE + "Why?,How?,positive_control,control_reversal\n")
    own = read_own_file(path)
    assert not own.source.own_edits
    assert own_rows(build_pairs(own.source))["prompt-1/control_reversal"].rung == "positive_control"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("Why?,How?,synonim,x\n", ["row 1 (line 2)", "`rung` is 'synonim'", "Did you mean 'synonym'"]),
        ("Why?,Why?,identical,x\n", ["row 1", "`variant` equals `base`"]),
        ("Why?,How?,identical,x\n", ["row 1", "every prompt gets by itself"]),
        ("Why?,How?,noop,nbsp\n", ["row 1", "'nbsp' is built by program"]),
        ("Why?,How?,paraphrase,synonym_1\n", ["row 1", "'synonym_1' stands on the rung 'synonym'"]),
        ("Why?,How?,noop,a\nWhen?,How?,synonym,a\n", ["row 2", "'noop'", "One kind of edit has one rung"]),
        (
            "Why?,How?,noop,a/b\nWhen?,How?,noop,a b\n",
            ["row 2", "'a b', which is 'a_b'", "as 'a/b' of", "row 1"],
        ),
        (
            "Why?,How?,noop,a\nWhy?,How?,noop,b\n",
            ["row 2", "repeats the pair of", "row 1", "--skip-repeated"],
        ),
        ("Why?,How?,noop,///\n", ["row 1", "`edit` is '///'"]),
        ("Why?,How?,noop,\n", ["row 1", "`edit` is ''", "not blank"]),
        ("Why?,A,noop,a\nWhy?,B,noop,a\nWho?,C,noop,a_1\n", ["row 3", "the number of another kind"]),
    ],
)
def test_mistake_in_a_pair_is_named_at_its_row(tmp_path: Path, rows: str, expected: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_own_file(write_text(tmp_path / "own.csv", BARE + rows))
    for part in expected:
        assert part in str(caught.value)


def test_what_belongs_to_the_prompt_is_said_once(tmp_path: Path) -> None:
    path = write_text(tmp_path / "own.csv", "id," + BARE + "1,Why?,How?,noop,a\n2,Why?,When?,noop,a\n")
    with pytest.raises(InputError, match=r"row 2 .*`id` is '2', but '1'.*names the prompt, not the pair"):
        read_own_file(path)


def test_a_pair_without_rung_or_edit_names_the_field(tmp_path: Path) -> None:
    path = write_text(tmp_path / "own.csv", "base,variant,edit\nWhy?,How?,a\n")
    with pytest.raises(InputError, match="the field `rung` is missing"):
        read_own_file(path)
    # Whoever names the prompt and gives neither has prompts, and one more column.
    bare = write_text(tmp_path / "bare.csv", "base,variant\nWhy?,How?\n")
    assert read_own_file(bare, prompt_field="base").unused_fields == ("variant",)


def test_an_own_ladder_of_pairs_passes_the_checks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_text(
        tmp_path / "own.csv",
        BARE
        + f"{SKY},Why is the sky azure?,synonym,word\n"
        + f'{DOG},"Write a poem, a short one, about a dog.",paraphrase,order\n',
    )
    ladder = built(tmp_path, path)
    assert ladder.rungs == ("identical", "noop", "punctuation", "synonym", "paraphrase", "positive_control")
    assert check_ladder(tmp_path / "mine").violations == ()
    shown = capsys.readouterr().out
    assert "synonym: word 1" in shown
    assert "--tasks prompt_sensitivity " in shown


# ---- the generic control


def test_prompts_without_a_control_get_another_prompt_of_similar_length(tmp_path: Path) -> None:
    long = (
        "Explain in detail, with an example from everyday life and one from industry, how a heat pump works."
        * 3
    )
    rows = [
        {"prompt": SKY, "control_topic": "Sing."},
        {"prompt": DOG},
        {"prompt": long},
        {"prompt": "Name a river."},
    ]
    path = write_text(tmp_path / "own.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    ladder = built(tmp_path, path)
    controls = {pair.prompt_id: (pair.edit, pair.variant) for pair in ladder.rung("positive_control")}
    assert controls == {
        "prompt-1": ("control_topic", "Sing."),  # what somebody wrote stays
        # Of the others of similar length the one with fewer words in common; nothing is as long as the third.
        "prompt-2": (GENERIC_CONTROL, SKY),
        "prompt-4": (GENERIC_CONTROL, SKY),
    }
    (reason,) = {pair.reason for pair in ladder.pairs if pair.pair_id == f"prompt-2/{GENERIC_CONTROL}"}
    assert "prompt-1" in reason and "same list" in reason
    assert "chosen by program" in card_of_folder(tmp_path / "mine")


def test_generic_controls_depend_on_the_texts_alone() -> None:
    prompts = [
        AuthoredPrompt(f"p{n}", "uncategorized", f"{word} {n} things now", {})
        for n, word in enumerate(["Name", "List", "Draw", "Sing", "Find", "Show"])
    ]
    forward = with_generic_controls(Source("1", tuple(prompts))).prompts
    backward = with_generic_controls(Source("1", tuple(reversed(prompts)))).prompts
    assert forward == tuple(reversed(backward))
    assert all(each.variants[GENERIC_CONTROL].text != each.base for each in forward)


@pytest.mark.parametrize(("prompts", "options"), [("Why?\nHow?\n", ["--no-control"]), ("Why?\n", [])])
def test_without_generic_controls_the_lack_is_said(
    tmp_path: Path, prompts: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    ladder = built(tmp_path, write_text(tmp_path / "own.txt", prompts), *options)
    assert not ladder.rung("positive_control")
    n = len(prompts.split())
    assert f"{n} of {n} prompts have no positive control, which a verdict needs." in capsys.readouterr().out
    assert "chosen by program" not in card_of_folder(tmp_path / "mine")
