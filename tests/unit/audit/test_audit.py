"""The weights-free audit: on tokenizers made to erase edits, on real ones, and at its doors."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from lm_eval_sensitivity.audit import audit_pair, load_encoder, survival_rows, user_token_span
from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.load import packaged_folder
from tests.unit.audit.made_tokenizer import EDGES, PLAIN, TRIMMED, build

packaged_ladder = cache(load_ladder)


def survival(folder: Path, *, edits: Collection[str] = (), **options: Any) -> dict[str, float]:
    pairs = [pair for pair in packaged_ladder().pairs if not edits or pair.edit in edits]
    rows = survival_rows(load_encoder(str(folder), **options), pairs)
    return {row.edit: row.survival for row in rows}


def test_a_plain_tokenizer_erases_nothing(tmp_path: Path) -> None:
    for template in (None, PLAIN):
        assert set(survival(build(tmp_path / str(template is None), template=template)).values()) == {1.0}


@pytest.mark.parametrize("fault", ["template", "special token"])
def test_edge_white_space_is_erased_by_a_trimming_template_and_by_a_stripping_token(
    fault: str, tmp_path: Path
) -> None:
    """The second leaves the rendered strings different: only the ids tell."""
    template = TRIMMED if fault == "template" else PLAIN
    folder = build(tmp_path, template=template, strips=fault == "special token")
    found = survival(folder)
    assert {edit: share for edit, share in found.items() if share < 1} == dict.fromkeys(EDGES, 0.0)
    # Without the template nothing is lost.
    assert set(survival(folder, use_chat_template=False).values()) == {1.0}


def test_a_normalizing_tokenizer_erases_nfd(tmp_path: Path) -> None:
    found = survival(build(tmp_path, nfc=True))
    assert {edit for edit, share in found.items() if share < 1} == {"nfd"}


def test_the_identical_rung_is_no_edit(tmp_path: Path) -> None:
    assert "identical" not in survival(build(tmp_path))


def test_every_pair_is_counted_once(tmp_path: Path) -> None:
    pairs = packaged_ladder().pairs
    rows = survival_rows(load_encoder(str(build(tmp_path))), pairs)
    assert sum(row.n_pairs for row in rows) == sum(pair.rung != "identical" for pair in pairs)


REAL = {
    "phi4": {"leading_space": 0.0, "trailing_space": 0.0, "nfd": 1.0},
    "llama3": {"leading_space": 0.0, "trailing_newline": 0.0, "nfd": 1.0},
    "llama2": {"leading_space": 0.0, "double_space": 1.0},
    "qwen3": {"leading_space": 1.0, "trailing_newline": 1.0, "nfd": 0.0},
    "pythia": {"leading_space": 1.0, "nfd": 0.0},
    "gpt2": {"leading_space": 1.0, "nfd": 1.0},
    "mistral_tekken": {"leading_space": 1.0, "nfd": 1.0},
    "olmo2_dolma2": {"trailing_space": 1.0, "nfd": 1.0},
}


@pytest.mark.parametrize("name", sorted(REAL))
def test_real_tokenizers(name: str, shared: Path) -> None:
    found = survival(shared / "tokenizers" / name)
    assert {edit: found[edit] for edit in REAL[name]} == REAL[name]


TRIMMING_TEMPLATES = {
    "Qwen3.5-4B",
    "gemma-3-it",
    "google-gemma-4-31B-it",
    "llama-2-chat",
    "meta-llama-Llama-3.1-8B-Instruct",
}


def test_every_real_template_renders_and_the_trimming_ones_are_known(shared: Path, tmp_path: Path) -> None:
    folder = build(tmp_path)
    erasing = {
        file.stem
        for file in (shared / "templates").glob("*.jinja")
        if survival(folder, edits=["leading_space"], chat_template_file=file) == {"leading_space": 0}
    }
    assert erasing == TRIMMING_TEMPLATES


def test_the_users_text_is_found_among_the_ids(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(build(tmp_path, template=PLAIN))
    ids = tokenizer("<|u|>ab cd<|a|>")["input_ids"]
    assert user_token_span(tokenizer, "<|u|>ab cd<|a|>", "ab cd", ids) == (1, 6)
    assert user_token_span(tokenizer, "<|u|>ab cd<|a|>", "not there", ids) is None
    assert user_token_span(tokenizer, "<|u|>ab cd<|a|>", "ab cd", [*ids, 1]) is None


def test_a_template_that_changes_around_the_text_is_outside_it() -> None:
    audit = audit_pair([9, 1, 2, 3, 8], [9, 7, 2, 3, 8], edited=True, user_span=(2, 4))
    assert (audit.status, audit.first_difference, audit.inside_user_text) == ("survived", 1, False)


@pytest.mark.parametrize(
    ("base", "variant", "status", "position", "change"),
    [
        ([1, 2], [1, 2], "erased", None, 0),
        ([1, 2], [1, 2, 3], "survived", 2, 1),
        ([1, 2, 3], [1, 2], "survived", 2, -1),
        ([], [1], "survived", 0, 1),
    ],
)
def test_pairs_of_ids(
    base: list[int], variant: list[int], status: str, position: int | None, change: int
) -> None:
    audit = audit_pair(base, variant, edited=True)
    assert (audit.status, audit.first_difference, audit.length_change) == (status, position, change)


# ---- the command


def test_the_command_prints_and_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = str(build(tmp_path / "one", template=TRIMMED)), str(build(tmp_path / "two"))
    line = ["audit", one, two, "--ladder", str(packaged_folder() / "mini" / "test.parquet")]
    assert main([*line, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert set(rows[0]) == {"tokenizer", "edit", "rung", "n_pairs", "survival"}
    assert {row["tokenizer"] for row in rows} == {one, two}
    assert main([*line, "--format", "csv", "--output", str(tmp_path / "out.csv")]) == 0
    exported = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert [(r["tokenizer"], r["edit"], float(r["survival"])) for r in exported] == [
        (r["tokenizer"], r["edit"], r["survival"]) for r in rows
    ]
    capsys.readouterr()
    assert main(line) == 0
    table = capsys.readouterr().out
    (row,) = (row for row in table.splitlines() if row.startswith(" leading_space"))
    assert row.split()[-2:] == ["0.00", "1.00"]
    assert "one: 4 of " in table and "edits never reach the model: leading_space, " in table
    assert "two: every edit reaches the model." in table


def test_switches_reach_the_template(tmp_path: Path) -> None:
    template = "{{ 'A' if thinking else 'B' }}{{ messages[0].content }}"
    folder = build(tmp_path, template=template)
    assert load_encoder(str(folder)).render("x") == "Bx"
    assert load_encoder(str(folder), template_arguments={"thinking": True}).render("x") == "Ax"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{missing}"], "could not be loaded"),
        (["{file}"], "is a file"),
        (["{good}", "--chat-template", "{missing}"], "cannot be read"),
        (["{good}", "--chat-template", "{broken}"], "failed on a prompt"),
        (["{good}", "--template-args", "[1]"], "must be a JSON object"),
        (["{good}", "--template-args", "{{"], "is not JSON"),
        (["{good}", "--ladder", "{missing}"], "no such folder or file"),
        (["{good}", "--output", "{missing}/x/y.csv"], "cannot be written"),
    ],
)
def test_mistakes_get_a_sentence(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {
        "missing": str(tmp_path / "missing"),
        "file": str(tmp_path / "file.txt"),
        "broken": str(tmp_path / "broken.jinja"),
        "good": str(build(tmp_path / "good")),
    }
    Path(places["file"]).write_text("not a tokenizer")
    Path(places["broken"]).write_text("{{ raise_exception('needs a system message') }}")
    assert main(["audit", *(argument.format(**places) for argument in arguments)]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_a_hub_id_goes_to_the_hub_and_runs_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def network_call(name: str, **options: Any) -> None:
        asked.append((name, options))
        raise OSError("no network in tests")

    monkeypatch.setattr(AutoTokenizer, "from_pretrained", network_call)
    with pytest.raises(InputError, match=r"org/model.*no network in tests"):
        load_encoder("org/model")
    assert asked == [("org/model", {"trust_remote_code": False})]
