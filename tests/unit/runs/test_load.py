"""Runs become systems and one table: what is taken, what is left out, what is refused."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lm_eval_sensitivity.cli.main import main
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.load import Ladder
from lm_eval_sensitivity.ladder.parquet import write_parquet
from lm_eval_sensitivity.ladder.schema import content_hash
from lm_eval_sensitivity.metrics import METRICS
from lm_eval_sensitivity.records.columns import SCHEMA
from lm_eval_sensitivity.records.run_metadata import LadderIdentity, RunMetadata
from lm_eval_sensitivity.runs import Runs, ladder_lookup, load_runs, write_table
from lm_eval_sensitivity.runs.names import display_names
from lm_eval_sensitivity.runs.table import NOT_MEASURED
from lm_eval_sensitivity.types import Note
from tests.unit.runs.made_run import ERASED, UNCLOSED, Rows, make_run

LADDER = load_ladder(subset="mini")
NEWER, NEWEST = "2026-08-02T10-00-00.000001", "2026-08-03T10-00-00"
BF16: dict[str, Any] = {"dtype": "bfloat16"}
INT8: dict[str, Any] = {"quantization": {"load_in_8bit": True, "quant_method": "bitsandbytes"}}


def refusal(folders: Sequence[Path], **options: Any) -> str:
    with pytest.raises(InputError) as refused:
        load_runs(folders, **options)
    return str(refused.value)


def reasons(pairs: Runs) -> str:
    return "\n".join(f"{each.about[0]}: {each.text}" for each in pairs.left_out)


def rows(pairs: Runs) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pairs.table.to_pylist()
    return found


# ---- the table


def test_every_pair_of_every_rung_is_there_under_both_filters(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", rungs=("synonym", "identical"))
    pairs = load_runs([run.folder])
    expected = [
        (pair.rung, pair.pair_id, filter_name)
        for rung in ("identical", "synonym")
        for pair in LADDER.rung(rung)
        for filter_name in ("raw", "answer")
    ]
    assert [(row["rung"], row["pair_id"], row["filter"]) for row in rows(pairs)] == expected
    assert not pairs.left_out and not pairs.remarks
    assert pairs.systems[0].ladder_check == "rows"


def test_a_number_or_a_reason_for_every_metric(tmp_path: Path) -> None:
    pairs = load_runs([make_run(tmp_path / "a").folder])
    n_missing = 0
    for row in rows(pairs):
        for metric in METRICS:
            assert (row[metric] is None) == (row[f"missing_{metric}"] is not None), metric
            n_missing += row[metric] is None
            assert row[metric] is None or not math.isnan(row[metric])
    assert n_missing > 0


def test_erased_and_unclosed_pairs_keep_their_reason(tmp_path: Path) -> None:
    pairs = load_runs([make_run(tmp_path / "a", rungs=("synonym",)).folder])
    by_key = {(row["pair_id"], row["filter"]): row for row in rows(pairs)}
    first, second = (LADDER.rung("synonym")[index].pair_id for index in (1, 2))
    for filter_name in ("raw", "answer"):
        row = by_key[first, filter_name]
        assert row["audit_status"] == "erased" and row["cosine_distance"] is None
        assert row["missing_cosine_distance"] == ERASED
        assert row["missing_first_divergence"] == ERASED and row["first_divergence_censored"] is None
    assert by_key[first, "raw"]["missing_kl_forward"] == ERASED, (
        "no distance of an erased pair, wherever it stands"
    )
    answer, raw = by_key[second, "answer"], by_key[second, "raw"]
    assert answer["missing_first_divergence"] == UNCLOSED and raw["cosine_distance"] is not None
    assert answer["variant_unclosed"] is True and answer["variant_scaffold_status"] == "unclosed"
    assert answer["variant_n_tokens"] is None and answer["variant_n_characters"] is None
    assert (raw["variant_n_tokens"], raw["variant_n_characters"]) == (5, len("5 9 7 10 2"))


def test_what_is_recorded_beside_the_scores(tmp_path: Path) -> None:
    pairs = load_runs([make_run(tmp_path / "a", rungs=("synonym",)).folder])
    row = next(row for row in rows(pairs) if row["pair_id"] == LADDER.rung("synonym")[3].pair_id)
    assert row["filter"] == "raw"
    assert row["first_divergence"] == 1.0 and row["first_divergence_censored"] is False
    assert row["kl_forward"] == pytest.approx(row["cosine_distance"] / 2)
    assert row["missing_kl_backward"].startswith("not finite")
    assert row["prompt_end_hidden_distance"] == pytest.approx(row["cosine_distance"] / 3)
    assert (row["top1_probability"], row["top1_probability_variant"]) == (0.6, 0.5)
    assert (row["margin_min"], row["margin_at_divergence"], row["margin_at_divergence_variant"]) == (
        1.0,
        1.0,
        None,
    )
    assert row["base_finish_reason"] == "end_token" and row["base_n_tokens"] == 4
    assert row["missing_baseline_drift"].startswith("no reference")


def test_drift_is_a_column_where_there_is_a_reference(tmp_path: Path) -> None:
    plain = make_run(tmp_path / "a", identity=BF16)
    drifting = make_run(tmp_path / "b", identity=INT8, drift_from="a" * 16)
    pairs = load_runs([plain.folder, drifting.folder])
    drift = {row["name"]: row["baseline_drift"] for row in rows(pairs)}
    assert drift["Model-4B bf16"] is None and drift["Model-4B int8"] is not None


def test_drift_counts_once_per_prompt_in_the_mean(tmp_path: Path) -> None:
    """On this rung prompts have unequal numbers of pairs; the results file holds a mean over prompts."""
    numbers = dict.fromkeys(LADDER.prompts, 0)
    for pair in LADDER.rung("noop"):
        numbers[pair.prompt_id] += 1
    assert len(set(numbers.values())) > 1, "otherwise both means are one"
    run = make_run(tmp_path / "a", rungs=("noop",), drift_from="a" * 16)
    drift = {row["prompt_id"]: row["baseline_drift"] for row in rows(load_runs([run.folder]))}
    assert len(drift) == len(numbers) and None not in drift.values()


def test_a_run_of_a_version_without_a_metric_still_loads(tmp_path: Path) -> None:
    run, newer = make_run(tmp_path / "a"), ("length_change", "output_spread", "text_edit_distance")

    def forget(found: list[dict[str, Any]]) -> None:
        for row in found:
            for name in newer:
                row.pop(name, None)
                row["pair"]["scores"].pop(name)
                row["pair"]["missing"].pop(name, None)

    for rung in run.samples:
        run.edit_rows(rung, forget)
    old = rows(load_runs([run.folder]))
    assert all(row[name] is None for row in old for name in newer)
    assert {row["missing_output_spread"] for row in old} == {NOT_MEASURED}
    assert {row["missing_length_change"] for row in old} == {NOT_MEASURED}
    assert {row["missing_text_edit_distance"] for row in old} == {NOT_MEASURED}
    assert any(row["cosine_distance"] is not None for row in old)


def test_rows_of_two_versions_in_one_file_are_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")

    def forget(found: list[dict[str, Any]]) -> None:
        del found[3]["output_spread"], found[3]["pair"]["scores"]["output_spread"]

    run.edit_rows("synonym", forget)
    assert "has other metrics" in refusal([run.folder])


# ---- which runs are taken


def test_the_newest_complete_run_of_a_folder_is_taken_and_said_so(tmp_path: Path) -> None:
    make_run(tmp_path, seed=1)
    complete = make_run(tmp_path, seed=2, date=NEWER)
    make_run(tmp_path, seed=3, date=NEWEST, limit=3)
    pairs = load_runs([tmp_path])
    (system,) = pairs.systems
    assert {rung.samples for rung in system.rungs} == set(complete.samples.values())
    assert system.partial == ()
    assert reasons(pairs).count("not newer") == 2 and reasons(pairs).count("partial run (3 of") == 2


def test_a_killed_run_gives_way_to_an_older_complete_one(tmp_path: Path) -> None:
    older = make_run(tmp_path, rungs=("synonym",))
    killed = make_run(tmp_path, rungs=("synonym",), date=NEWER)
    text = killed.samples["synonym"].read_text(encoding="utf-8")
    killed.samples["synonym"].write_text(text[: len(text) // 2], encoding="utf-8")
    pairs = load_runs([tmp_path])
    assert pairs.systems[0].rungs[0].samples == older.samples["synonym"]
    assert str(killed.samples["synonym"]) in reasons(pairs) and "JSON" in reasons(pairs)


def test_a_partial_run_is_named(tmp_path: Path) -> None:
    limited = make_run(tmp_path / "a", rungs=("synonym",), limit=4)
    pairs = load_runs([limited.folder])
    whole = len(LADDER.rung("synonym"))
    assert pairs.systems[0].partial == (f"synonym: 4 of {whole} pairs (--limit 4)",)
    assert "in part" in pairs.remarks[0].text and pairs.table.num_rows == 8
    limited.edit_results(lambda results: results["config"].update(limit=None))
    assert "(--samples)" in load_runs([limited.folder]).remarks[0].text


def test_several_systems_in_one_folder_stay_apart(tmp_path: Path) -> None:
    """lm_eval names the folder after `pretrained=`: bf16 and int8 share it."""
    make_run(tmp_path, identity=BF16)
    make_run(tmp_path, identity=INT8, date=NEWER)
    assert [system.name for system in load_runs([tmp_path]).systems] == ["Model-4B int8", "Model-4B bf16"]


def test_rungs_of_one_system_may_be_spread_over_folders(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", rungs=("synonym",))
    b = make_run(tmp_path / "b", rungs=("identical",), date=NEWER)
    (system,) = load_runs([a.folder, b.folder]).systems
    assert [rung.metadata.rung for rung in system.rungs] == ["identical", "synonym"]


def test_the_same_run_twice_is_said_and_counted_once(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    shutil.copytree(run.folder, tmp_path / "copy")
    once, twice = load_runs([run.folder]), load_runs([run.folder, tmp_path / "copy", run.folder])
    assert twice.table.equals(once.table)
    assert reasons(twice).count("same rows") == 2 and "given twice" in reasons(twice)


def test_one_system_with_two_outputs_is_refused(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "a", seed=1), make_run(tmp_path / "b", seed=2)
    message = refusal([a.folder, b.folder])
    assert str(b.samples["identical"]) in message or str(b.samples["synonym"]) in message
    assert "`resps`" in message


def test_one_fingerprint_for_two_identities_is_refused(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", rungs=("synonym",))
    b = make_run(tmp_path / "b", rungs=("identical",))

    def change(results: dict[str, Any]) -> None:
        for config in results["configs"].values():
            config["metadata"]["sensitivity"]["identity"]["dtype"] = "float16"

    b.edit_results(change)
    message = refusal([a.folder, b.folder])
    assert str(b.results) in message and "identity" in message


def test_other_tasks_and_orphans_are_listed(tmp_path: Path) -> None:
    run = make_run(tmp_path, rungs=("synonym",))
    home = run.results.parent
    (home / run.samples["synonym"].name.replace("prompt_sensitivity_mini_synonym", "gsm8k")).write_text(
        "{}\n"
    )
    (home / f"samples_x_{NEWEST}.jsonl").write_text("{}\n")
    (home / f"results_{NEWER}.json").write_text('{"configs": {"arc": {}}}')
    found = reasons(load_runs([tmp_path]))
    assert "'gsm8k'" in found and "'arc'" in found and f"samples_x_{NEWEST}.jsonl" in found


def test_a_task_whose_samples_are_lost_is_listed(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.samples["identical"].unlink()
    pairs = load_runs([tmp_path])
    assert {row["rung"] for row in rows(pairs)} == {"synonym"}
    assert "prompt_sensitivity_mini_identical" in reasons(pairs) and "--log_samples" in reasons(pairs)


def test_an_output_path_that_was_a_json_file(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.results.rename(run.results.with_name(run.results.name.replace("results", "my-model")))
    assert load_runs([tmp_path]).table.num_rows > 0


def test_unknown_scores_and_versions_are_said(tmp_path: Path) -> None:
    run = make_run(tmp_path, rungs=("synonym",))
    run.edit_rows(
        "synonym", lambda found: [row["pair"]["scores"].update(new_distance=1) for row in found] and None
    )
    task = "prompt_sensitivity_mini_synonym"
    run.edit_results(
        lambda results: results["configs"][task]["metadata"]["sensitivity"].update(
            package_version="99.0\x1b[0m"
        )
    )
    remarks = " ".join(map(str, load_runs([tmp_path]).remarks))
    assert "'new_distance'" in remarks and "99.0\\x1b[0m" in remarks and remarks.isprintable()


def test_lacking_rungs_are_said(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", identity=BF16)
    b = make_run(tmp_path / "b", identity=INT8, rungs=("synonym",))
    assert load_runs([a.folder, b.folder]).remarks == (
        Note("remark", "Model-4B int8 lacks rungs that other systems have: identical.", ("Model-4B int8",)),
    )


# ---- ladders


def other_ladder(rungs: Sequence[str] = ("identical", "synonym"), version: str = "9.0.0") -> Ladder:
    pairs = tuple(replace(pair, ladder_version=version) for pair in LADDER.pairs if pair.rung in rungs)
    return Ladder("mine", "mini", version, content_hash(pairs), pairs)


def test_an_unknown_ladder_proves_itself_when_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ladder = other_ladder()
    run = make_run(tmp_path / "a", ladder=ladder)
    with monkeypatch.context() as patch:
        patch.delattr(ladder_lookup, "load_ladder")  # no row of the packaged one is read for that
        assert load_runs([run.folder]).systems[0].ladder_check == "hash"
    part = make_run(tmp_path / "b", ladder=ladder, rungs=("synonym",))
    pairs = load_runs([part.folder])
    assert pairs.systems[0].ladder_check == "counts" and "--ladder" in pairs.remarks[0].text
    write_parquet(ladder.pairs, tmp_path / "mine.parquet")
    assert load_runs([part.folder], ladder=tmp_path / "mine.parquet").systems[0].ladder_check == "rows"


def test_a_ladder_that_was_not_run_is_refused(tmp_path: Path) -> None:
    write_parquet(other_ladder().pairs, tmp_path / "mine.parquet")
    run = make_run(tmp_path / "a")
    assert "`ladder.hash`" in refusal([run.folder], ladder=tmp_path / "mine.parquet")


def test_two_ladders_are_refused_or_excluded(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", identity=BF16)
    b = make_run(tmp_path / "b", identity=INT8, ladder=other_ladder())
    message = refusal([a.folder, b.folder])
    assert all(
        part in message
        for part in (
            str(a.results.parent),
            str(b.results.parent),
            "version of the ladder",
            "9.0.0",
            "other prompts",
        )
    )
    pairs = load_runs([a.folder, b.folder], exclude_mismatched=True)
    assert pairs.table.equals(load_runs([a.folder]).table)
    (left_out,) = pairs.left_out
    assert "identical, synonym" in left_out.about[0] and "version of the ladder" in left_out.text


def test_subsets_of_one_ladder_are_cut_to_their_common_pairs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rungs = ("identical", "synonym", "positive_control")
    core, spread = (load_ladder(subset=subset) for subset in ("core", "spread"))
    a = make_run(tmp_path / "a", identity=BF16, ladder=core, rungs=rungs)
    b = make_run(tmp_path / "b", identity=INT8, ladder=spread, rungs=rungs)
    pairs = load_runs([a.folder, b.folder])
    common = {
        pair.pair_id for pair in spread.pairs if pair.prompt_id in core.prompts and pair.rung in rungs[1:]
    }
    assert len(common) == 24 * 2
    for system in pairs.systems:
        rows = pairs.table.filter(pc.equal(pairs.table["name"], system.name)).to_pylist()
        assert {row["pair_id"] for row in rows if row["rung"] != "identical"} == common
        repeated = core if system.rungs[0].metadata.task == "prompt_sensitivity_core_identical" else spread
        assert {row["prompt_id"] for row in rows if row["rung"] == "identical"} == {
            pair.prompt_id for pair in repeated.rung("identical")
        }
        assert system.ladder.subset == "common pairs of core and spread"
    assert len(set(pairs.table["ladder_hash"].to_pylist())) == 1
    assert "48 common pairs of 24 prompts" in str(pairs.remarks[0])
    assert load_runs([b.folder, a.folder]).table.equals(pairs.table)
    # A results folder states one ladder with all its pairs.
    assert main(["export", str(a.folder), str(b.folder), "-o", str(tmp_path / "out")]) == 2
    assert "common pairs of core and spread" in capsys.readouterr().err


def test_subsets_without_a_common_pair_are_refused(tmp_path: Path) -> None:
    ladder = load_ladder(subset="spread")
    others = tuple(pair for pair in ladder.pairs if pair.prompt_id not in LADDER.prompts)
    write_parquet(LADDER.pairs, tmp_path / "own" / "mini" / "test.parquet")
    write_parquet(others, tmp_path / "own" / "spread" / "test.parquet")
    made = [
        make_run(tmp_path / subset, identity=identity, ladder=load_ladder(tmp_path / "own", subset))
        for subset, identity in (("mini", BF16), ("spread", INT8))
    ]
    message = refusal([each.folder for each in made], ladder=tmp_path / "own")
    assert "`mini` and `spread`" in message and "no pair in common" in message


def test_one_system_in_two_subsets_is_named(tmp_path: Path) -> None:
    made = [make_run(tmp_path / s, ladder=load_ladder(subset=s)) for s in ("mini", "spread")]
    message = refusal([each.folder for each in made])
    assert all(part in message for part in ("two subsets", "'mini'", "'spread'", "--subset"))


def test_the_subset_can_be_chosen(tmp_path: Path) -> None:
    make_run(tmp_path, rungs=("synonym",))
    make_run(tmp_path, rungs=("synonym",), ladder=replace(LADDER, subset="other"), date=NEWER)
    pairs = load_runs([tmp_path], subset="mini")
    assert pairs.systems[0].ladder.subset == "mini" and "'other'" in reasons(pairs)


def test_a_run_that_is_not_finished_is_named(tmp_path: Path) -> None:
    make_run(tmp_path / "done")
    (tmp_path / "running").mkdir()
    pairs = load_runs(tmp_path)
    assert len(pairs.systems) == 1 and f"{tmp_path / 'running'}: the folder is empty" in reasons(pairs)


# ---- what systems must share


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("decoding_requested.max_gen_toks", 99, "is 99 in .* but 12 in .*--gen_kwargs max_gen_toks=12`"),
        ("decoding_requested.until", ["\n\n"], "stop strings .*Repeat one of the runs"),
        ("decoding.max_gen_toks", 7, "that the context leaves .* is 7 in "),
        (
            "embedder.weights_sha256",
            "d" * 64,
            "embedder's weights is 'd+'.* with `lm-eval-sensitivity rescore`",
        ),
        ("embedder.max_tokens", 128, "limit of the embedder is 128 in"),
        ("reference.system", "b" * 16, "reference's fingerprint is 'b{16}'"),
        ("ladder.hash", None, "hash of the ladder is "),
    ],
)
def test_what_must_be_equal(field: str, value: Any, words: str, tmp_path: Path) -> None:
    a = make_run(tmp_path / "a", identity=BF16, drift_from="a" * 16)
    changed = replace(other_ladder(version=LADDER.version)) if field == "ladder.hash" else None
    b = make_run(tmp_path / "b", identity=INT8, drift_from="a" * 16, ladder=changed)

    def change(results: dict[str, Any]) -> None:
        for config in results["configs"].values():
            part, name = field.split(".")
            config["metadata"]["sensitivity"][part][name] = value

    if value is not None:
        b.edit_results(change)
    message = refusal([a.folder, b.folder])
    assert re.search(words, message)
    assert str(a.results.parent) in message and str(b.results.parent) in message
    assert len(load_runs([a.folder, b.folder], exclude_mismatched=True).systems) == 1


def test_nothing_given() -> None:
    assert "No run folder" in refusal([])


# ---- names


def metadata(model: str, **identity: Any) -> RunMetadata:
    model_args = identity.pop("model_args", {})
    notes = {"model": model, "revision": identity.pop("revision", "main")}
    decoding = {"max_gen_toks": identity.pop("limit", 512)}
    key = json.dumps([model, notes, decoding, identity, model_args], sort_keys=True)
    return RunMetadata(
        task="t",
        rung="noop",
        system=f"{abs(hash(key)):016x}"[:16],
        identity=identity,
        notes=notes,
        model_args=model_args,
        ladder=LadderIdentity("l", "mini", "1", "0" * 64),
        audit={},
        decoding_requested=decoding,
        decoding=decoding,
        embedder={},
        reference=None,
        package_version="0",
        n_original=1,
        n_effective=1,
        limited_by="",
    )


NF4 = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
NO_THINK = {"rendered_probe": "<|im_start|>assistant\n<think>\n\n</think>\n\n"}
NAMES: list[tuple[list[RunMetadata], list[str]]] = [
    ([metadata("Qwen/Qwen3-4B", dtype="bfloat16")], ["Qwen3-4B"]),
    ([metadata("Qwen/Qwen3-4B"), metadata("meta/Llama-8B")], ["Qwen3-4B", "Llama-8B"]),
    (
        [
            metadata("Qwen/Qwen3-4B", dtype="bfloat16"),
            metadata("Qwen/Qwen3-4B", dtype="bfloat16", quantization={"load_in_8bit": True}),
            metadata("Qwen/Qwen3-4B", dtype="bfloat16", quantization=NF4),
            metadata("Qwen/Qwen3-4B", dtype="float16", quantization={"quant_method": "gptq", "bits": 4}),
        ],
        ["Qwen3-4B bf16", "Qwen3-4B int8", "Qwen3-4B 4bit nf4", "Qwen3-4B gptq 4bit"],
    ),
    (
        [
            metadata("Qwen/Qwen3-4B", dtype="bfloat16"),
            metadata("Qwen/Qwen3-4B", dtype="bfloat16", quantization={"load_in_8bit": True}),
            metadata("Qwen/Qwen3-4B", dtype="bfloat16", prompt=NO_THINK),
        ],
        ["Qwen3-4B bf16", "Qwen3-4B int8", "Qwen3-4B bf16, thinking off"],
    ),
    (
        [
            metadata("m", model_args={"enable_thinking": False}),
            metadata("m", model_args={"enable_thinking": True}),
        ],
        ["m thinking off", "m thinking on"],
    ),
    ([metadata("a/m"), metadata("b/m")], ["m of a", "m of b"]),
    ([metadata("m", revision="main"), metadata("m", revision="v2")], ["m revision main", "m revision v2"]),
    ([metadata("m", limit=64), metadata("m", limit=128)], ["m 64 tokens", "m 128 tokens"]),
    ([metadata("m", torch="2.7"), metadata("m", torch="2.8")], ["m torch 2.7", "m torch 2.8"]),
    (
        [
            metadata("m", prompt={"chat_template_applied": False}),
            metadata("m", prompt={"chat_template_applied": True}),
        ],
        ["m no chat template", "m"],
    ),
]


@pytest.mark.parametrize(("stamps", "expected"), NAMES, ids=lambda each: str(each)[:20])
def test_names_say_the_least_that_differs(stamps: list[RunMetadata], expected: list[str]) -> None:
    assert display_names(stamps) == expected
    assert display_names(stamps[::-1]) == expected[::-1], "the order of the systems does not matter"


def test_names_are_all_different_and_inert() -> None:
    """Weights alone, hostile names, and two systems that nothing visible tells apart."""
    weights = display_names([metadata("m", weights="a" * 64), metadata("m", weights="a" * 63 + "b")])
    assert len(set(weights)) == 2 and all("weights" in name and len(name) < 40 for name in weights)
    (hostile,) = display_names([metadata("x/\x1b]8;;http://evil\x07click\u202e")])
    assert hostile.isprintable()
    texts = [metadata("m", prompt={"system_instruction": text}) for text in ("\x1b[31m", "\x1b[32m")]
    assert all(name.isprintable() for name in display_names(texts))
    alike = [metadata("m", a=1), replace(metadata("m", a=1), system="f" * 16)]
    assert len(set(display_names(alike))) == 2


# ---- export


def test_exports_hold_the_same_cells_in_the_same_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    shutil.copytree(run.folder, tmp_path / "elsewhere" / "b")
    first, second = load_runs([run.folder]).table, load_runs([tmp_path / "elsewhere"]).table
    for suffix in ("parquet", "csv", "jsonl"):
        for name, table in (("x", first), ("y", second)):
            write_table(table, tmp_path / f"{name}.{suffix}")
        assert (tmp_path / f"x.{suffix}").read_bytes() == (tmp_path / f"y.{suffix}").read_bytes()
    cells = first.to_pylist()
    read = pq.read_table(tmp_path / "x.parquet")
    assert read.to_pylist() == cells and read.schema.equals(SCHEMA)
    lines = (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == cells
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as stream:
        for row, expected in zip(csv.DictReader(stream), cells, strict=True):
            for name, value in expected.items():
                text = row[name]
                assert text == (
                    "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
                )
    assert not list(tmp_path.glob("*.unfinished"))


def test_the_parquet_says_what_it_is_made_of(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    table = load_runs([run.folder]).table
    described = json.loads(table.schema.metadata[b"lm_eval_sensitivity.pairs"])
    assert described["ladder"]["hash"] == LADDER.content_hash
    assert described["systems"][0]["identity"]["dtype"] == "bfloat16"
    assert str(tmp_path) not in json.dumps(described)
    write_table(table, tmp_path / "t.parquet")
    for field in pq.read_schema(tmp_path / "t.parquet"):
        assert field.metadata[b"description"].endswith(b"."), field.name


@pytest.mark.parametrize("name", ["pairs.xlsx", "pairs", "no/such/folder.csv"])
def test_a_file_that_cannot_be_written(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--output"):
        write_table(pa.table({}), tmp_path / name)


def test_a_csv_cell_with_quotes_and_lines(tmp_path: Path) -> None:
    write_table(pa.table({"a": ['x,"y"\nz', None], "b": [True, None]}), tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text(encoding="utf-8")
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ['x,"y"\nz', "true"], ["", ""]]


def test_numbers_of_several_repetitions_are_read_as_their_means_and_counted(tmp_path: Path) -> None:
    """`scores` holds the means already; what a record holds beside them is that of the first repetition."""
    run = make_run(tmp_path / "a")

    def repeat(found: Rows) -> None:
        for row in found:
            numbers = {**row["pair"]["scores"], "kl_forward": None}
            again = [{**numbers, "kl_forward": value} for value in (0.25, None, 0.75)]
            row["pair"]["repetitions"] = again if row["filter"] == "raw" else [numbers] * 3

    run.edit_rows("identical", repeat)
    table = load_runs([run.folder]).table.to_pylist()
    assert {row["repetitions"] for row in table if row["rung"] == "identical"} == {3}
    assert {row["repetitions"] for row in table if row["rung"] == "synonym"} == {None}
    raw = [row for row in table if row["rung"] == "identical" and row["filter"] == "raw"]
    assert {row["kl_forward"] for row in raw} == {0.5}, "of those that have a number"
    old = load_runs([make_run(tmp_path / "b").folder]).table.to_pylist()
    assert {row["repetitions"] for row in old if row["rung"] == "identical"} == {1}
    run.edit_rows("identical", lambda found: found[0]["pair"].update(repetitions=[{}] * 21))
    assert "repetitions" in refusal([run.folder])
