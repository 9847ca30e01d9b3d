"""What is shown of long outputs, many changes and narrow character sets; no model runs."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace

import pytest

from lm_eval_sensitivity.audit import PairAudit
from lm_eval_sensitivity.cli.analysis_options import print_text
from lm_eval_sensitivity.ladder import minimal_replacement
from lm_eval_sensitivity.neighborhood.document import neighborhood_document
from lm_eval_sensitivity.neighborhood.findings import Divergence, Findings, Variant
from lm_eval_sensitivity.neighborhood.prompt import neighborhood_pairs
from lm_eval_sensitivity.report import Format, render
from lm_eval_sensitivity.text.visible import shown_change
from lm_eval_sensitivity.types import Replacement

PROMPT = "Why is the sky blue?"


def variant(
    edit: str, rung: str, distance: float | None, output: str, base: str, prompt: str = PROMPT
) -> Variant:
    text = prompt if rung == "identical" else prompt + " "
    at = None if output == base else next(i for i in range(len(base)) if output[i] != base[i])
    return Variant(
        edit=edit,
        rung=rung,
        variant=text,
        change=shown_change(prompt, minimal_replacement(prompt, text)),
        audit=PairAudit("identical" if rung == "identical" else "survived", None, None, None),
        cosine_distance=distance,
        missing=None,
        first_divergence=Divergence(at, at, False),
        output=output,
        flags=(),
        raw_differs=output != base,
    )


def findings(base: str, moved: str, prompt: str = PROMPT) -> Findings:
    variants = (
        variant("identical", "identical", 0.0, base, base, prompt),
        variant("trailing_space", "noop", 0.5, moved, base, prompt),
    )
    return Findings(prompt, "answer", base, (), variants, {"system": "s"})


def shown(found: Findings, form: Format) -> str:
    return render(neighborhood_document(found, None), form, width=100)


LONG_BASE = "first " + "same " * 1000 + "HERE the base goes on " + "tail " * 1000 + "last"
LONG_MOVED = LONG_BASE.replace("HERE the base", "THERE the variant")


def test_long_outputs_are_cropped_around_their_divergence_and_whole_in_json() -> None:
    found = findings(LONG_BASE, LONG_MOVED)
    for form in ("table", "markdown"):
        text = shown(found, form)
        assert "►HERE" in text and "►THERE" in text
        assert "first same" not in text and "tail last" not in text
        assert len(text) < 4000
    content = json.loads(shown(found, "json"))
    assert content["base"]["output"] == LONG_BASE
    assert content["variants"][1]["output"] == LONG_MOVED


def test_a_fence_in_an_output_does_not_end_the_code_block() -> None:
    text = shown(findings("````\nescaped", "```` other"), "markdown")
    assert text.count("\n`````text\n") == text.count("\n`````\n") == 2


def test_a_bar_in_a_prompt_does_not_open_another_cell() -> None:
    found = findings("blue", "wide", "Why is | blue?")
    rows = [line for line in shown(found, "markdown").splitlines() if line.startswith("| noop")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [7]


def test_an_edit_in_many_places_is_shortened() -> None:
    text = "é" * 9
    change = shown_change(text, [Replacement(at, at + 1, "e\u0301") for at in range(9)])
    assert change.count("[é→eU+0301]") == 3
    assert change.endswith("(and 6 more changes)")


def test_single_spaces_inside_a_rewording_stay_spaces() -> None:
    pair = neighborhood_pairs(PROMPT, {"paraphrase_1": "What makes it blue?"})[-1]
    assert shown_change(PROMPT, pair.replacements) == "Wh[y is the sky→at makes it] blue?"


def test_a_terminal_without_unicode_gets_numbers_instead_of_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    print_text("►here\n")
    sys.stdout.flush()
    assert raw.getvalue() == b"\\u25bahere\n"


def test_outputs_that_the_embedder_cannot_read_are_counted_with_the_way_out() -> None:
    found = findings("แมว", "ឆ្មា")
    lost = tuple(replace(each, cosine_distance=None, missing="unreadable: x") for each in found.variants)
    text = " ".join(shown(replace(found, variants=lost), "markdown").split())
    assert "cannot read 2 of 2 outputs, equal ones included: they have no cosine distance" in text
    assert "--embedder sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2" in text
    assert "Nothing could be scored" in text
    assert "cannot read" not in shown(found, "markdown")
