"""lm_eval's own flags do with our tasks what they do with any task."""

from __future__ import annotations

import json
import math
import shutil
import sys
from pathlib import Path

import pytest

from lm_eval_sensitivity.types import RUNGS
from tests.harness.conftest import Lmeval, Run, ids, unread

SYNONYM = "prompt_sensitivity_mini_synonym"
IDENTICAL = "prompt_sensitivity_mini_identical"


def prompts(run: Run, task: str) -> list[str]:
    return [row["doc"]["prompt_id"] for row in run.rows(task)]


def test_limit_takes_the_first_rows_and_they_span_the_prompts(lm_eval: Lmeval, model: Path) -> None:
    run = lm_eval(model, tasks=SYNONYM, limit=9)
    assert len(prompts(run, SYNONYM)) == len(set(prompts(run, SYNONYM))) == 9


def test_samples_chooses_rows(lm_eval: Lmeval, run_once: Lmeval, model: Path) -> None:
    whole = run_once(model, tasks=SYNONYM)
    chosen = lm_eval(model, tasks=SYNONYM, samples={SYNONYM: [2, 11]})
    expected = [row["doc"]["pair_id"] for row in whole.rows(SYNONYM)]
    assert [row["doc"]["pair_id"] for row in chosen.rows(SYNONYM)] == [expected[2], expected[11]]
    assert [row["doc_id"] for row in chosen.rows(SYNONYM)] == [2, 11]


def test_gen_kwargs_set_the_token_limit(lm_eval: Lmeval, model: Path) -> None:
    run = lm_eval(model, tasks=SYNONYM, limit=3, gen_kwargs="max_gen_toks=5")
    assert {row["pair"]["base"]["n_tokens"] for row in run.rows(SYNONYM)} == {5}
    assert {row["pair"]["base"]["finish_reason"] for row in run.rows(SYNONYM)} == {"length"}


def test_another_name_for_the_limit_means_the_same(lm_eval: Lmeval, model: Path) -> None:
    run = lm_eval(model, tasks=SYNONYM, limit=2, gen_kwargs="max_new_tokens=6")
    assert {row["pair"]["base"]["n_tokens"] for row in run.rows(SYNONYM)} == {6}
    assert run.results["configs"][SYNONYM]["metadata"]["sensitivity"]["decoding"]["max_gen_toks"] == 6


def test_windows_up_to_the_longest_output_have_a_row(lm_eval: Lmeval, model: Path) -> None:
    run = lm_eval(model, tasks=SYNONYM, limit=2, gen_kwargs="max_gen_toks=130")
    metrics = {key.split(",")[0] for key in run.table(SYNONYM) if key.endswith(",raw")}
    longest = max(len(ids(row, side)) for row in run.rows(SYNONYM) for side in ("base", "variant"))
    assert longest == 130 and {"cosine_distance_64", "cosine_distance_128"} <= metrics
    assert not {"cosine_distance_256", "cosine_distance_512"} & metrics
    assert run.rows(SYNONYM)[0]["pair"]["scores"]["cosine_distance_512"] is not None


def test_the_chat_template_and_system_instruction_reach_the_model(lm_eval: Lmeval, demo: Path) -> None:
    plain = lm_eval(demo, tasks=SYNONYM, limit=1, apply_chat_template=False)
    chat = lm_eval(demo, tasks=SYNONYM, limit=1)
    told = lm_eval(demo, tasks=SYNONYM, limit=1, system_instruction="Answer in one sentence.")
    contexts = [run.rows(SYNONYM)[0]["arguments"]["gen_args_0"]["arg_0"] for run in (plain, chat, told)]
    base = plain.rows(SYNONYM)[0]["doc"]["base"]
    assert contexts[0] == base
    assert base in contexts[1] and contexts[1] != base
    assert "Answer in one sentence." in contexts[2]
    systems = {run.rows(SYNONYM)[0]["pair"]["system"] for run in (plain, chat, told)}
    assert len(systems) == 3, "another template or system instruction is another system"


def test_a_named_template_and_an_end_of_thinking_are_used(
    lm_eval: Lmeval, demo: Path, tmp_path: Path
) -> None:
    named = shutil.copytree(demo, tmp_path / "named")
    (named / "additional_chat_templates").mkdir()
    template = (named / "chat_template.jinja").read_text(encoding="utf-8")
    (named / "additional_chat_templates" / "tool_use.jinja").write_text("TOOLS" + template)
    options = {"apply_chat_template": "tool_use", "model_args": f"think_end_token= ,pretrained={named}"}
    run = lm_eval(named, tasks=SYNONYM, limit=2, **options)
    for row, whole in zip(run.rows(SYNONYM, "answer"), run.rows(SYNONYM), strict=True):
        assert row["arguments"]["gen_args_0"]["arg_0"].startswith("TOOLS<|user|>")
        for shown, (output,) in zip(row["filtered_resps"], row["resps"], strict=True):
            assert shown == output.split(" ")[-1].strip(), "as lm_eval's own engines cut it"
        assert whole["filtered_resps"] == [output for (output,) in whole["resps"]]
    fed = run.results["configs"][SYNONYM]["metadata"]["sensitivity"]["notes"]["fed"]
    assert fed["chat_template"] == "the tokenizer's, named tool_use"
    assert fed["think_end_token"].startswith("' '")


def test_a_chat_model_without_its_template_is_warned_about_and_recorded(
    lm_eval: Lmeval, demo: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = lm_eval(demo, tasks=SYNONYM, limit=1, apply_chat_template=False)
    notes = run.results["configs"][SYNONYM]["metadata"]["sensitivity"]["notes"]
    assert notes["chat_template_available"] is True
    assert (
        run.results["configs"][SYNONYM]["metadata"]["sensitivity"]["identity"]["prompt"][
            "chat_template_applied"
        ]
        is False
    )
    assert "--apply_chat_template" in caplog.text


def test_batch_size_auto_needs_no_detection_run(lm_eval: Lmeval, run_once: Lmeval, model: Path) -> None:
    automatic = lm_eval(model, tasks=SYNONYM, batch_size="auto")
    fixed = run_once(model, tasks=SYNONYM)
    assert "Detecting largest batch size" not in automatic.output
    for one, other in zip(automatic.rows(SYNONYM), fixed.rows(SYNONYM), strict=True):
        assert one["resps"] == other["resps"]


def test_predict_only_keeps_everything_but_the_metrics(lm_eval: Lmeval, model: Path) -> None:
    run = lm_eval(model, tasks=SYNONYM, limit=2, predict_only=True)
    row = run.rows(SYNONYM)[0]
    assert "cosine_distance" not in row
    assert len(ids(row, "base")) == row["pair"]["base"]["n_tokens"]
    assert row["pair"]["audit"]["status"] == "survived"
    assert run.value(SYNONYM, "pair") == "2 pairs generated, not measured"


def test_tasks_mix_with_others(lm_eval: Lmeval, model: Path, tmp_path: Path) -> None:
    (tmp_path / "questions.json").write_text(json.dumps([{"q": "One and one is", "a": "two"}] * 2))
    (tmp_path / "other.yaml").write_text(
        f"""task: other_task
dataset_path: json
dataset_kwargs: {{data_files: {{test: {tmp_path / "questions.json"}}}}}
test_split: test
doc_to_text: "{{{{q}}}}"
doc_to_target: "{{{{a}}}}"
output_type: generate_until
generation_kwargs: {{until: ["\\n"], max_gen_toks: 4}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
    )
    run = lm_eval(
        model, tasks=f"other_task,{SYNONYM},{IDENTICAL}", limit=2, include_path=str(tmp_path), gen_kwargs=None
    )
    assert set(run.samples) == {"other_task", SYNONYM, IDENTICAL}
    assert "exact_match,none" in run.results["results"]["other_task"]
    assert run.value(IDENTICAL, "cosine_distance") == 0


def test_an_engine_without_a_tracer_gives_text_metrics_and_reasons(lm_eval: Lmeval) -> None:
    run = lm_eval("unused", model="dummy", tasks=f"{SYNONYM},{IDENTICAL}", limit=3, apply_chat_template=False)
    for row in run.rows(SYNONYM):
        assert row["cosine_distance"] == 0, "the dummy engine always answers the same"
        assert row["pair"]["audit"]["status"] == "unknown"
        for name in ("token_edit_distance", "js_divergence", "hidden_distance", "cosine_distance_64"):
            assert row["pair"]["scores"][name] is None
            assert row["pair"]["missing"][name].startswith("not given: ")
    assert math.isnan(run.value(SYNONYM, "js_divergence"))


def test_equal_prompts_are_generated_once(
    lm_eval: Lmeval, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval_sensitivity.harness.engines.hf.decoder import Decoder

    generated: list[tuple[int, ...]] = []
    generate = Decoder.generate

    def count(self: Decoder, batch: list[list[int]]) -> object:
        generated.extend(tuple(prompt) for prompt in batch)
        return generate(self, batch)

    monkeypatch.setattr(Decoder, "generate", count)
    run = lm_eval(model, gen_kwargs="max_gen_toks=3")
    rows = [row for rung in RUNGS for row in run.rows(f"prompt_sensitivity_mini_{rung}")]
    distinct = {tuple(ids(row, side, "prompt_token_ids")) for row in rows for side in ("base", "variant")}
    n_replicates = len(run.rows(IDENTICAL))
    assert len(set(generated)) == len(distinct)
    assert len(generated) == len(distinct) + n_replicates


def test_one_weight_fewer_bits_is_another_system(lm_eval: Lmeval, model: Path) -> None:
    full = lm_eval(model, tasks=IDENTICAL, limit=1)
    half = lm_eval(f"{model},dtype=bfloat16", tasks=IDENTICAL, limit=1)
    again = lm_eval(model, tasks=IDENTICAL, limit=1)
    systems = [run.rows(IDENTICAL)[0]["pair"]["system"] for run in (full, half, again)]
    assert systems[0] == systems[2] != systems[1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_identical_rung_is_exactly_zero_at_batch_size_one(
    lm_eval: Lmeval, model: Path, dtype: str
) -> None:
    run = lm_eval(f"{model},dtype={dtype}", tasks=IDENTICAL, batch_size=1)
    for row in run.rows(IDENTICAL):
        if unread(*row["filtered_resps"]):
            assert row["pair"]["missing"]["cosine_distance"].startswith("unreadable: ")
        else:
            assert row["cosine_distance"] == 0
        assert row["text_edit_distance"] == 0
        assert row["js_divergence"] == 0
        assert row["token_edit_distance"] == 0
        assert row["hidden_distance"] == 0


@pytest.mark.parametrize("task", ["prompt_sensitivity", "prompt_sensitivity_mini", "prompt_sensitivity_noop"])
def test_lm_eval_validates_the_tasks(
    task: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lm_eval._cli import HarnessCLI

    monkeypatch.setattr(sys, "argv", ["lm_eval", "validate", "--tasks", task])
    harness = HarnessCLI()
    harness.execute(harness.parse_args())
    assert "All tasks found and valid" in capsys.readouterr().out
