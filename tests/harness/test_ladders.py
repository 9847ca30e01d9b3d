"""Which ladder and which subset a task runs, and that its rows say so."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lm_eval_sensitivity.cli import main as cli
from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.ladder import load_ladder
from lm_eval_sensitivity.ladder.schema import row_hash, rows_from_pairs
from lm_eval_sensitivity.runs import load_runs
from lm_eval_sensitivity.types import RUNGS
from tests.harness.conftest import Lmeval, arguments
from tests.running import execute_and_listen

TASKS = Path(__file__).parents[2] / "tasks" / "prompt_sensitivity"
PROMPTS = ["Recommend a book like Dune", "Why is the café closed, and who decided it?"]


@pytest.fixture
def own_ladder(tmp_path: Path) -> Path:
    (tmp_path / "own.txt").write_text("\n".join(PROMPTS), encoding="utf-8")
    assert cli.main(["ladder", "build", str(tmp_path / "own.txt"), "-o", str(tmp_path / "own")]) == 0
    return tmp_path / "own"


def test_own_prompts_run_through_the_group_of_rule_rungs(
    lm_eval: Lmeval, model: Path, own_ladder: Path
) -> None:
    run = lm_eval(model, tasks="prompt_sensitivity_rules", metadata={"ladder": str(own_ladder)})
    ladder = load_ladder(own_ladder)
    found = [row["doc"] for rung in RUNGS[:3] for row in run.rows(f"prompt_sensitivity_{rung}")]
    assert found == rows_from_pairs(pair for pair in ladder.pairs if pair.rung in RUNGS[:3])
    for task in run.samples:
        stated = run.results["configs"][task]["metadata"]["sensitivity"]["ladder"]
        assert (stated["version"], stated["hash"]) == (ladder.version, ladder.content_hash)
        for row in run.rows(task):
            assert row["pair"]["ladder"] == ladder.content_hash[:16]
            assert row["doc"]["row_hash"] == row_hash(row["doc"])
            assert row["doc"]["ladder_version"] == ladder.version


def test_a_group_leaves_out_the_rungs_that_an_own_ladder_lacks(
    demo: Path, own_ladder: Path, tmp_path: Path
) -> None:
    # lm_eval writes beside a file that ends in .json: that folder is the one to go on with.
    line = arguments(
        demo,
        tmp_path / "runs" / "x.json",
        tasks="prompt_sensitivity_mini",
        gen_kwargs="max_gen_toks=2",
        metadata={"ladder": str(own_ladder)},
    )
    printed, logged = execute_and_listen(line)
    words = "has no pairs on the rungs synonym, paraphrase, semantic_change, which are left out."
    assert logged.count(words) == 1
    assert f"Next: lm-eval-sensitivity report {tmp_path / 'runs'} -o report\n" in printed
    assert (tmp_path / "runs" / "summary.txt").read_text() in printed
    assert "mini_positive_control" in printed
    assert not any(f"mini_{rung} " in printed for rung in ("synonym", "paraphrase", "semantic_change"))
    found = load_runs(tmp_path / "runs", ladder=own_ladder)
    assert [rung.metadata.rung for rung in found.systems[0].rungs] == list(load_ladder(own_ladder).rungs)
    assert not found.left_out


@pytest.mark.parametrize("tasks", ["prompt_sensitivity_synonym", "prompt_sensitivity_sampling_synonym"])
def test_a_run_of_nothing_but_rungs_that_are_not_there_is_refused(
    tasks: str, lm_eval: Lmeval, model: Path, own_ladder: Path
) -> None:
    with pytest.raises(
        InputError,
        match=r"no pairs on the rung synonym, and nothing else is asked for\. It has identical, noop, punctuation,",
    ):
        lm_eval(model, tasks=tasks, gen_kwargs=None, metadata={"ladder": str(own_ladder)})


@pytest.mark.parametrize(
    ("prefix", "subset"), [("", "spread"), ("core_", "core"), ("mini_", "mini"), ("full_", "full")]
)
def test_every_rung_of_every_subset_has_a_task(prefix: str, subset: str) -> None:
    for rung in RUNGS:
        task = yaml.safe_load((TASKS / f"{prefix}{rung}.yaml").read_text(encoding="utf-8"))
        assert task == {
            "include": "_base.yaml",
            "task": f"prompt_sensitivity_{prefix}{rung}",
            "dataset_kwargs": {"rung": rung, "subset": subset},
        }
        assert load_ladder(subset=subset).rung(rung)


def test_groups_hold_every_rung_once() -> None:
    for prefix in ("", "core_", "mini_", "full_"):
        outer = yaml.safe_load(
            (TASKS / f"prompt_sensitivity{'_' + prefix[:-1] if prefix else ''}.yaml").read_text()
        )
        inner = yaml.safe_load((TASKS / f"prompt_sensitivity_{prefix}meaning_preserving.yaml").read_text())
        held = [task for task in outer["task"] if task != inner["group"]] + inner["task"]
        assert sorted(held) == sorted(f"prompt_sensitivity_{prefix}{rung}" for rung in RUNGS)


def test_task_version_is_the_ladders() -> None:
    # lm_eval prints it in its table: results of different versions are not comparable.
    versions = [
        line.split('"')[1]
        for path in TASKS.glob("*.yaml")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith("version:")
    ]
    assert len(versions) > 5
    assert set(versions) == {load_ladder().version}


def test_spread_is_what_prompt_sensitivity_runs(lm_eval: Lmeval, model: Path) -> None:
    task = "prompt_sensitivity_semantic_change"
    run = lm_eval(model, tasks=task, gen_kwargs="max_gen_toks=2")
    assert [row["doc"] for row in run.rows(task)] == rows_from_pairs(
        load_ladder(subset="spread").rung("semantic_change")
    )
    assert len(run.rows(task)) == 22
