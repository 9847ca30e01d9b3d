"""Rescoring of made runs: distances that can be computed by hand, answers by rule, broken files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lm_eval_sensitivity.cli import rescore as rescore_command
from lm_eval_sensitivity.embedder import EmbedderIdentity, TextDistances
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.rescore import NO_BOUNDARIES, Settings, rescore_run
from lm_eval_sensitivity.metrics.catalogue import belongs_to_prompt
from lm_eval_sensitivity.records.columns import FILTERS
from lm_eval_sensitivity.runs import load_reference, load_runs
from lm_eval_sensitivity.scaffold import KNOWN_SCAFFOLDS, find_answer
from tests.running import command
from tests.unit.runs.made_run import ERASED, UNCLOSED, MadeRun, make_run

COMPASS = {"e": (1, 0), "n": (0, 1), "w": (-1, 0), "d": (math.sqrt(0.5), math.sqrt(0.5))}
"""Last letter of a text -> its vector, any other as e: e to n is 1, e to w is 2, e to d is 1 - 1/sqrt(2)."""


class Compass:
    """An embedder for which distances are known by heart."""

    identity = EmbedderIdentity("test/compass", None, "c" * 64, "local", 16, 2)

    def encode(self, texts: Sequence[str]) -> Any:
        return np.array([COMPASS.get(text[-1], (1, 0)) for text in texts], np.float32)


def settings(**options: Any) -> Settings:
    return Settings(TextDistances(Compass), **options)


def say(run: MadeRun, base: str, variant: str, *, visible: bool = False) -> None:
    """Put outputs into a run; the first window of each ends after its first letter, the others at its end."""
    texts = {"base": base, "variant": variant}

    def change(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["resps"] = [[text] for text in texts.values()]
            for index, (side, text) in enumerate(texts.items()):
                part = row["pair"][side]
                if part["view"] is not None:
                    row["filtered_resps"][index] = text
                    part["view"]["window_ends"] = {"64": 1, **{str(w): len(text) for w in (128, 256, 512)}}
                if "answer" in part:
                    unclosed = part["answer"]["status"] == "unclosed"
                    part["answer"] |= {"start": len(text) if unclosed else 0, "end": len(text)}
                    part["visible_text"] = text if visible else None
                    part["token_ends"] = None  # those of the text that stood here
            if row["filter"] == "raw":
                row["filtered_resps"] = list(texts.values())

    for rung in run.samples:
        run.edit_rows(rung, change)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(folder.rglob("samples_*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


def results_of(folder: Path) -> dict[str, Any]:
    (path,) = folder.rglob("results_*.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


@pytest.fixture
def run(tmp_path: Path) -> MadeRun:
    made = make_run(tmp_path / "run", rungs=("synonym",))
    say(made, "we", "en")
    return made


@pytest.mark.parametrize("kind", ["cut", "lost", "template not constant"])
def test_a_prompt_that_did_not_arrive_whole_stays_unscored(kind: str, run: MadeRun, tmp_path: Path) -> None:
    reason = f"{kind}: as the run knew"

    def not_whole(rows: list[dict[str, Any]]) -> None:
        for row in (row for row in rows if row["doc_id"] == 1):
            row["pair"]["missing"] = dict.fromkeys(row["pair"]["missing"], reason)

    run.edit_rows("synonym", not_whole)
    rescore_run(run.folder, tmp_path / "new", settings())
    found = [row["pair"] for row in rows_of(tmp_path / "new") if row["doc_id"] == 1]
    assert [pair["missing"]["cosine_distance"] for pair in found] == [reason, reason]
    assert [pair["scores"]["cosine_distance"] for pair in found] == [None, None]


def test_distances_are_those_of_the_new_embedder(run: MadeRun, tmp_path: Path) -> None:
    done = rescore_run(run.folder, tmp_path / "new", settings())
    n_scored = {"raw": 0, "answer": 0}
    for row in rows_of(tmp_path / "new"):
        scores, missing = row["pair"]["scores"], row["pair"]["missing"]
        if row["doc_id"] == 1 or (row["doc_id"] == 2 and row["filter"] == "answer"):
            reason = ERASED if row["doc_id"] == 1 else UNCLOSED
            of_pair = {name for name in scores if not belongs_to_prompt(name)}
            assert all(scores[name] is None and missing[name] == reason for name in of_pair)
            assert math.isnan(row["cosine_distance"])
            continue
        n_scored[row["filter"]] += 1
        assert scores["output_spread"] == row["output_spread"] == 0.0  # every base is "we"
        assert scores["cosine_distance"] == row["cosine_distance"] == pytest.approx(1, abs=1e-6)
        assert scores["cosine_distance_64"] == pytest.approx(2, abs=1e-6)  # "w" and "e"
        assert scores["cosine_distance_128"] == pytest.approx(1, abs=1e-6)
        assert not missing
    n_pairs = len(rows_of(run.folder)) // 2
    assert n_scored == {"raw": n_pairs - 1, "answer": n_pairs - 2}
    task = results_of(tmp_path / "new")["results"]["prompt_sensitivity_mini_synonym"]
    assert task["cosine_distance,answer"] == pytest.approx(1, abs=1e-6)
    words = f"{n_pairs - 2} of {n_pairs} pairs scored, 1 of {n_pairs} pairs erased, 1 unclosed"
    assert done.rungs[0][1]["answer"] == words


def test_another_distance_of_another_text(run: MadeRun, tmp_path: Path) -> None:
    say(run, "we", "nd")
    rescore_run(run.folder, tmp_path / "new", settings())
    row = rows_of(tmp_path / "new")[0]
    assert row["cosine_distance"] == pytest.approx(1 - math.sqrt(0.5), abs=1e-6)
    assert row["pair"]["scores"]["cosine_distance_64"] == pytest.approx(1, abs=1e-6)  # "w" and "n"


def test_everything_else_stays(run: MadeRun, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in run.folder.rglob("*.json*")}
    rescore_run(run.folder, tmp_path / "new", settings())
    assert before == {path: path.read_bytes() for path in run.folder.rglob("*.json*")}
    old, new = load_runs([run.folder]).table, load_runs([tmp_path / "new"]).table
    changed = {name for name in old.column_names if not old[name].equals(new[name])}
    assert changed == {
        "output_spread",
        "text_edit_distance",
        "cosine_distance",
        *(f"cosine_distance_{w}" for w in (64, 128, 256, 512)),
    }
    old_results, new_results = results_of(run.folder), results_of(tmp_path / "new")
    block = new_results["configs"]["prompt_sensitivity_mini_synonym"]["metadata"]["sensitivity"]
    assert block["embedder"]["name"] == "test/compass"
    assert block["rescored_from"]["embedder"]["name"] == "an/embedder"
    assert block["rescored_from"]["system"] == block["system"]
    assert str(tmp_path) not in json.dumps(new_results)
    for name in ("configs", "results"):
        old_results.pop(name), new_results.pop(name)
    assert old_results == new_results


def test_a_run_of_a_version_without_the_text_edit_distance_gets_it(run: MadeRun, tmp_path: Path) -> None:
    def forget(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            del row["text_edit_distance"], row["pair"]["scores"]["text_edit_distance"]
            row["pair"]["missing"].pop("text_edit_distance", None)
            row["metrics"].remove("text_edit_distance")

    task = "prompt_sensitivity_mini_synonym"
    run.edit_rows("synonym", forget)
    run.edit_results(
        lambda results: [results["results"][task].pop(f"text_edit_distance,{name}") for name in FILTERS]
    )
    rescore_run(run.folder, tmp_path / "new", settings())
    scored = [row for row in rows_of(tmp_path / "new") if not row["pair"]["missing"]]
    assert {row["text_edit_distance"] for row in scored} == {1.0}, (
        "`we` and `en` share one letter, in no place"
    )
    means = results_of(tmp_path / "new")["results"][task]
    assert means["text_edit_distance,answer"] == means["text_edit_distance,raw"] == 1.0
    assert load_runs([tmp_path / "new"]).table["text_edit_distance"].null_count > 0


def test_two_embedders_are_not_compared(run: MadeRun, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", rungs=("synonym",), identity={"dtype": "float32"})
    rescore_run(run.folder, tmp_path / "new", settings())
    with pytest.raises(InputError, match="The sha256 of the embedder's weights"):
        load_runs([other.folder, tmp_path / "new"])


# ---- drift


def test_drift_is_measured_again_or_lost(tmp_path: Path) -> None:
    reference = make_run(tmp_path / "reference", rungs=("synonym",), identity={"dtype": "float32"})
    say(reference, "ed", "en")
    run = make_run(tmp_path / "run", rungs=("synonym",), drift_from="a" * 16)
    say(run, "we", "en")
    rescore_run(run.folder, tmp_path / "lost", settings())
    assert all(math.isnan(row["baseline_drift"]) for row in rows_of(tmp_path / "lost"))
    assert load_runs([tmp_path / "lost"]).systems[0].reference is None
    rescore_run(run.folder, tmp_path / "new", settings(reference=load_reference(reference.folder)))
    drift = load_runs([tmp_path / "new"]).table["baseline_drift"].to_pylist()
    assert drift == pytest.approx([1 - math.sqrt(0.5)] * len(drift), abs=1e-6)
    summary = results_of(tmp_path / "new")["configs"]["prompt_sensitivity_mini_synonym"]["metadata"][
        "sensitivity"
    ]
    assert summary["reference"]["folder"] == "reference"
    assert summary["rescored_from"]["reference"] == "a" * 16


def test_a_reference_with_other_answers_is_refused(run: MadeRun, tmp_path: Path) -> None:
    reference = load_reference(run.folder)
    with pytest.raises(InputError, match="Rescore the reference first"):
        rescore_run(run.folder, tmp_path / "new", settings(rule="none", reference=reference))
    rescore_run(run.folder, tmp_path / "whole", settings(rule="none"))
    whole = load_reference(tmp_path / "whole")
    rescore_run(run.folder, tmp_path / "new", settings(rule="none", reference=whole))
    assert set(load_runs([tmp_path / "new"]).table["baseline_drift"].to_pylist()) == {0.0}
    with pytest.raises(InputError, match="Rescore the reference first"):
        rescore_run(run.folder, tmp_path / "newer", settings(reference=whole))


# ---- answers


def test_without_scaffold_the_answer_is_the_whole_output(run: MadeRun, tmp_path: Path) -> None:
    rescore_run(run.folder, tmp_path / "new", settings(rule="none"))
    by_filter: dict[str, dict[int, Any]] = {"raw": {}, "answer": {}}
    for row in rows_of(tmp_path / "new"):
        by_filter[row["filter"]][row["doc_id"]] = row
    n_unclosed = 0
    for doc_id, raw in by_filter["raw"].items():
        answer = by_filter["answer"][doc_id]
        assert answer["filtered_resps"] == raw["filtered_resps"]
        for part in ("curve", "first_divergence"):
            assert answer["pair"]["token_path"][part] == raw["pair"]["token_path"][part]
        for name, value in answer["pair"]["scores"].items():
            assert value == raw["pair"]["scores"][name]
        for name, reason in answer["pair"]["missing"].items():
            assert reason == raw["pair"]["missing"][name]
        assert raw["pair"]["variant"]["answer"] == {"status": "none", "scaffold": None, "start": 0, "end": 2}
        assert raw["pair"]["variant"]["collapse"]["unclosed"] is False
        n_unclosed += doc_id == 2 and answer["cosine_distance"] > 0
    assert n_unclosed == 1
    pairs = load_runs([tmp_path / "new"])
    assert any("the rule 'none'" in remark.text for remark in pairs.remarks)


def test_two_rules_are_not_compared(run: MadeRun, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", rungs=("synonym",), identity={"dtype": "float32"})
    say(other, "we", "en")
    rescore_run(run.folder, tmp_path / "new", settings(rule="none"))
    rescore_run(other.folder, tmp_path / "new_other", settings())
    with pytest.raises(InputError, match="cut out of the outputs by another rule"):
        load_runs([tmp_path / "new", tmp_path / "new_other"])


def test_one_scaffold_is_looked_for(run: MadeRun, tmp_path: Path) -> None:
    say(run, "<think>hm</think> e", "<think>hm</think> <answer>w")
    rescore_run(run.folder, tmp_path / "think", settings(rule="think"))
    rescore_run(run.folder, tmp_path / "wrapped", settings(rule="think_answer"))
    rescore_run(run.folder, tmp_path / "other", settings(rule="mistral_think"))
    for name, variant in (("think", "<answer>w"), ("wrapped", "w")):
        row = next(row for row in rows_of(tmp_path / name) if row["filter"] == "answer")
        assert row["filtered_resps"] == ["e", variant]
        assert row["cosine_distance"] == pytest.approx(2, abs=1e-6)
        for metric in ("cosine_distance_64", "token_edit_distance"):
            assert row["pair"]["scores"][metric] is None and row["pair"]["missing"][metric] == NO_BOUNDARIES
        table = load_runs([tmp_path / name]).table.to_pylist()
        assert {row["base_scaffold"] for row in table} == {"think" if name == "think" else "think_answer"}
        assert {row["missing_first_divergence"] for row in table if row["filter"] == "answer"} == {
            ERASED,
            NO_BOUNDARIES,
        }
    row = next(row for row in rows_of(tmp_path / "other") if row["filter"] == "answer")
    assert row["filtered_resps"] == ["<think>hm</think> e", "<think>hm</think> <answer>w"]
    assert row["pair"]["scores"]["cosine_distance_64"] == pytest.approx(0, abs=1e-6) and "w" not in "e"


def test_an_answer_cut_where_the_run_cut_it_keeps_its_windows(run: MadeRun, tmp_path: Path) -> None:
    text = "<think>hm</think> nd"
    say(run, text, text.replace("nd", "ew"))

    def cut(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            for index, side in enumerate(("base", "variant")):
                part = row["pair"][side]
                if row["filter"] == "raw":
                    part["answer"] = {"status": "closed", "scaffold": "think", "start": 18, "end": 20}
                elif part["view"] is not None:
                    row["filtered_resps"][index] = ("nd", "ew")[index]
                    part["view"]["window_ends"] = {"64": 1, "128": 2, "256": 2, "512": 2}

    run.edit_rows("synonym", cut)
    rescore_run(run.folder, tmp_path / "kept", settings())
    rescore_run(run.folder, tmp_path / "new", settings(rule="think"))
    kept, new = (next(r for r in rows_of(tmp_path / n) if r["filter"] == "answer") for n in ("kept", "new"))
    assert kept == new
    assert new["pair"]["scores"]["cosine_distance_64"] == pytest.approx(1, abs=1e-6)  # "n" and "e"


def test_the_end_of_the_prompt_is_read(run: MadeRun, tmp_path: Path) -> None:
    say(run, "hm</think> e", "hm</think> n")

    def prompts(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            ends = {"gen_args_0": {"arg_0": "<a>\n<think>\n"}, "gen_args_1": {"arg_0": "<a>\n"}}
            row["arguments"] = ends

    run.edit_rows("synonym", prompts)
    rescore_run(run.folder, tmp_path / "new", settings(rule="think"))
    row = next(row for row in rows_of(tmp_path / "new") if row["filter"] == "answer")
    assert row["filtered_resps"] == ["e", "hm</think> n"]


def test_other_scaffolds_are_ordinary_text_to_find_answer() -> None:
    by_name = {scaffold.name: (scaffold,) for scaffold in KNOWN_SCAFFOLDS}
    text = "<think>a</think><response>b</response>"
    assert find_answer(text).scaffold == "think_response"
    found = find_answer(text, scaffolds=by_name["think"])
    assert (found.scaffold, text[found.start : found.end]) == ("think", "<response>b</response>")
    assert find_answer(text, scaffolds=by_name["seed_think"]).status == "none"


def test_an_unknown_rule_is_refused(run: MadeRun, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'think'"):
        rescore_run(run.folder, tmp_path / "new", settings(rule="thinks"))


# ---- results


def test_groups_are_weighted_as_they_were(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", rungs=("synonym", "paraphrase"), limit=4)
    say(run, "we", "en")
    run.edit_rows("paraphrase", lambda rows: [row for row in rows if row["doc_id"] != 3])
    tasks = [f"prompt_sensitivity_mini_{rung}" for rung in run.samples]

    def group(results: dict[str, Any]) -> None:
        table = results["results"]
        results["n-samples"][tasks[1]]["effective"] = 3
        for task, n in zip(tasks, (4, 3), strict=True):
            rows = [r for r in rows_of(run.folder) if r["doc"]["rung"] in task and r["filter"] == "raw"]
            chosen = [r["cosine_distance"] for r in rows if not math.isnan(r["cosine_distance"])]
            rest = {"cosine_distance,raw": sum(chosen) / len(chosen), "sample_len": n}
            table[task] |= rest
        a, b = (table[task]["cosine_distance,raw"] for task in tasks)
        results["groups"] = {
            "plain": {"cosine_distance,raw": (a + b) / 2, "sample_len": 7},
            "weighted": {"cosine_distance,raw": (4 * a + 3 * b) / 7},
            "odd": {"cosine_distance,raw": 0.123},
        }
        results["group_subtasks"] = dict.fromkeys(results["groups"], tasks)
        results["group_subtasks"]["plain"] = ["inner", "plain"]
        results["group_subtasks"]["inner"] = tasks
        table["plain"] = dict(results["groups"]["plain"])

    run.edit_results(group)
    for row in (("synonym", "en"), ("paraphrase", "ew")):
        rung, variant = row
        run.edit_rows(rung, lambda rows, v=variant: say_variant(rows, v))
    fix_counts(run)
    rescore_run(run.folder, tmp_path / "new", settings())
    results = results_of(tmp_path / "new")
    found = {name: each["cosine_distance,raw"] for name, each in results["groups"].items()}
    # Of three prompts one lacks the paraphrase: (1.5 + 1.5 + 1) / 3, as every other table has it.
    assert found["plain"] == pytest.approx(4 / 3, abs=1e-6)
    assert found["plain"] == results["results"]["plain"]["cosine_distance,raw"]
    assert found["weighted"] == pytest.approx((4 * 1 + 3 * 2) / 7, abs=1e-6)
    assert math.isnan(found["odd"])


def say_variant(rows: list[dict[str, Any]], variant: str) -> None:
    for row in rows:
        row["resps"][1] = [variant]
        if row["pair"]["variant"]["view"] is not None:
            row["filtered_resps"][1] = variant


def fix_counts(run: MadeRun) -> None:
    """Every mean and count of the results file as the rows have them."""

    def fix(results: dict[str, Any]) -> None:
        for rung, path in run.samples.items():
            task = f"prompt_sensitivity_mini_{rung}"
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            raw = [row for row in rows if row["filter"] == "raw"]
            audit: dict[str, int] = {}
            for row in raw:
                status = row["pair"]["audit"]["status"]
                audit[status] = audit.get(status, 0) + 1
            results["configs"][task]["metadata"]["sensitivity"]["audit"] = audit
            for name in ("raw", "answer"):
                chosen = [row for row in rows if row["filter"] == name]
                for metric in (each for each in chosen[0]["metrics"] if each != "pair"):
                    values = [row[metric] for row in chosen if not math.isnan(row[metric])]
                    results["results"][task][f"{metric},{name}"] = sum(values) / len(values)
                n_scored = sum(not math.isnan(row["cosine_distance"]) for row in chosen)
                results["results"][task][f"pair,{name}"] = f"{n_scored} of {len(chosen)} pairs scored"

    run.edit_results(fix)


def test_numbers_that_were_not_scored_again_do_not_stay(tmp_path: Path) -> None:
    make_run(tmp_path / "run", rungs=("synonym", "identical"))
    newer = make_run(tmp_path / "run", rungs=("synonym",), date="2026-09-01T10-00-00.000001")
    before = {path.name for path in newer.folder.rglob("*.json*")}

    class Digits(Compass):
        def encode(self, texts: Sequence[str]) -> Any:
            return np.array([(1.0, float(len(text))) for text in texts], np.float32)

    done = rescore_run(tmp_path / "run", tmp_path / "new", Settings(TextDistances(Digits)))
    assert len(done.left_out) == 1
    stale = "prompt_sensitivity_mini_synonym"
    assert before - {path.name for path in (tmp_path / "new").rglob("*.json*")} == {
        f"samples_{stale}_2026-08-01T10-00-00.000001.jsonl"
    }
    older = min((tmp_path / "new").rglob("results_*.json"))
    assert stale not in older.read_text(encoding="utf-8")
    assert (
        load_runs([tmp_path / "new"]).systems[0].n_pairs == load_runs([tmp_path / "run"]).systems[0].n_pairs
    )


# ---- refusals


def test_nothing_is_overwritten(run: MadeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for target in (run.folder, tmp_path / "file", tmp_path / "link"):
        with pytest.raises(InputError, match="exists already"):
            rescore_run(run.folder, target, settings())
    with pytest.raises(InputError, match="lies inside the run"):
        rescore_run(run.folder, run.folder / "new", settings())
    assert (tmp_path / "file").read_text() == "mine"


def test_a_target_that_cannot_be_written_is_one_sentence(run: MadeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be written"):
        rescore_run(run.folder, tmp_path / "file" / "new", settings())


Edit = Callable[[dict[str, Any]], object]
BROKEN: dict[str, tuple[Edit, str]] = {
    "window beyond the text": (
        lambda row: row["pair"]["base"]["view"]["window_ends"].update({"64": 99}),
        "window_ends.64",
    ),
    "no such window": (lambda row: row["pair"]["base"]["view"]["window_ends"].pop("256"), "window_ends.256"),
    "window of another kind": (
        lambda row: row["pair"]["base"]["view"]["window_ends"].update({"64": "1"}),
        "window_ends.64",
    ),
    "span beyond the text": (lambda row: row["pair"]["base"]["answer"].update(end=99), "answer.end"),
    "span backwards": (lambda row: row["pair"]["base"]["answer"].update(start=2, end=1), "answer.end"),
    "text of another kind": (lambda row: row["pair"]["base"].update(visible_text=[1]), "visible_text"),
    "damaged ids": (lambda row: row["pair"]["base"]["token_ids"].update(z="!!"), "token_ids"),
    "outputs that are none": (lambda row: row.update(resps=[["a"]]), "resps"),
    "another system": (lambda row: row["pair"].update(system="0" * 16), "pair.system"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_sentence(run: MadeRun, tmp_path: Path, name: str) -> None:
    edit, field = BROKEN[name]
    run.edit_rows("synonym", lambda rows: edit(rows[0]) and None)
    with pytest.raises(InputError) as caught:
        rescore_run(run.folder, tmp_path / "new", settings())
    message = str(caught.value)
    assert field in message and "line 1" in message and "\n" not in message
    assert not (tmp_path / "new").exists()


def test_a_file_that_ends_early_is_one_sentence(run: MadeRun, tmp_path: Path) -> None:
    path = run.samples["synonym"]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="incomplete"):
        rescore_run(run.folder, tmp_path / "new", settings())


def test_a_failure_half_way_leaves_nothing(run: MadeRun, tmp_path: Path) -> None:
    class Broken(Compass):
        def encode(self, texts: Sequence[str]) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescore_run(run.folder, tmp_path / "new", Settings(TextDistances(Broken)))
    assert not (tmp_path / "new").exists()


def test_half_characters_are_written_again(run: MadeRun, tmp_path: Path) -> None:
    say(run, "w\ud800e", "en")
    rescore_run(run.folder, tmp_path / "new", settings())
    assert rows_of(tmp_path / "new")[0]["resps"][0] == ["w\ud800e"]


# ---- command


def test_the_command_says_what_it_did(
    run: MadeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Files:
        def load(self) -> Compass:
            return Compass()

    asked = {}
    monkeypatch.setattr(
        rescore_command,
        "find_embedder",
        lambda name, revision: asked.update(name=name, revision=revision) or Files(),
    )
    target = tmp_path / "new"
    assert (
        command("rescore", run.folder, "-o", target, "--embedder", "x/y", "--embedder-revision", "abc") == 0
    )
    output = capsys.readouterr().out
    assert asked == {"name": "x/y", "revision": "abc"}
    assert (
        "test/compass" in output
        and "an/embedder" in output
        and "1 of 18 pairs erased" in output
        and str(target) in output
    )
    with pytest.raises(InputError, match="exists already"):
        command("rescore", run.folder, "-o", target)


def test_help_has_examples_and_says_what_cannot_be_recomputed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("rescore", "--help")
    output = capsys.readouterr().out
    assert "--scaffold none" in output and "cannot be recomputed" in output and "mistral_think" in output
