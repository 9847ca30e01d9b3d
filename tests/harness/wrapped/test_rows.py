"""Which rows stand in lm_eval's table, and which of them judges the answers that commands read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.in_memory import save_results
from lm_eval_sensitivity.runs import load_runs
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents
from tests.harness.wrapped.scripted import Scripted, evaluate
from tests.running import command, table_of

LONG = "the second of the two of them"
TWO_LENGTHS = [
    {
        "id": str(index),
        "question": f"Which of the two is number {index}, the short or the long?",
        "choices": {"text": ["the first", LONG], "label": ["A", "B"]},
        "answerKey": "B",
    }
    for index in range(8)
]
ONE = {"sensitivity_edits": ["double_space"]}


def norm_flips(context: str, choice: str | None) -> float:
    """`acc` takes the first choice always; `acc_norm` the second, but not where a space is doubled."""
    return -1.0 if choice == " the first" else -9.0 if "  " in context else -2.0


def said_of(found: dict[str, Any]) -> str:
    """The last screen, in one line; the last task of a run has it."""
    summaries = (each["metadata"]["sensitivity"].get("summary") for each in found["configs"].values())
    (said,) = filter(None, summaries)
    return " ".join(" ".join(said).split())


def saved(model: Scripted, tasks: str, folder: Path, out: Path, **options: Any) -> dict[str, Any]:
    """The run as a folder."""
    found = evaluate(
        model, tasks, folder, metadata={"pretrained": out.name, **options.pop("metadata", {})}, **options
    )
    save_results(found, out)
    return found


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tasks")
    made_tasks.make(folder, "lengths", ARC, TWO_LENGTHS, **ONE)
    made_tasks.make(folder, "arc", ARC, arc_documents(6), **ONE)
    made_tasks.make(folder, "gsm8k", GSM8K, gsm8k_documents(8), sensitivity_edits=["double_space", "nbsp"])
    members = ["sensitivity_lengths", "sensitivity_arc"]
    metrics = [{"metric": f"acc{end}", "weight_by_size": True} for end in ("", "_edited")]
    group = {"group": "sensitivity_both", "task": members, "aggregate_metric_list": metrics}
    (folder / "both.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
    return folder


def test_the_table_has_one_row_beside_those_of_the_task(tasks: Path) -> None:
    own = {"acc", "acc_stderr", "acc_norm", "acc_norm_stderr"}
    short = evaluate(Scripted(norm_flips), "sensitivity_lengths", tasks)
    names = {name.partition(",")[0] for name in short["results"]["sensitivity_lengths"] if "," in name}
    assert names == own | {"acc_edited", "acc_edited_stderr"}
    full = evaluate(Scripted(norm_flips), "sensitivity_lengths", tasks, metadata={"table": "full"})
    assert "flips,none" in full["results"]["sensitivity_lengths"]
    everything = {name for name in full["results"]["sensitivity_lengths"] if "_stderr" not in name}
    assert {name for name in table_of(short, "sensitivity_lengths") if "_stderr" not in name} == everything
    for name in everything - {"alias", "name"}:
        assert table_of(short, "sensitivity_lengths")[name] == table_of(full, "sensitivity_lengths")[name]
    with pytest.raises(InputError, match="accepted: short, full"):
        evaluate(Scripted(norm_flips), "sensitivity_lengths", tasks, metadata={"table": "long"})


def test_flips_are_those_of_the_metric_that_judges(tasks: Path, tmp_path: Path, capsys: Any) -> None:
    found = saved(Scripted(norm_flips), "sensitivity_lengths", tasks, tmp_path / "run")
    row = table_of(found, "sensitivity_lengths")
    assert (row["acc,none"], row["acc_norm,none"], row["acc_norm_edited,none"]) == (0, 1, 0)
    assert row["flips,none"] == "0 of 8 edited prompts, in 0 of 8 documents (acc)"
    sample = found["samples"]["sensitivity_lengths"][0]
    assert (sample["unedited"]["answer"], sample["unedited"]["other_answers"]) == ("0", {"acc_norm": "1"})
    assert sample["edits"]["double_space"]["other_answers"] == {}
    other = evaluate(
        Scripted(norm_flips), "sensitivity_lengths", tasks, metadata={"sensitivity_metric": "acc_norm"}
    )
    row = table_of(other, "sensitivity_lengths")
    assert row["flips,none"] == "8 of 8 edited prompts, in 8 of 8 documents (acc_norm)"
    assert row["shift,none"].startswith("acc_norm -1.000")
    said = said_of(other)
    assert said.startswith("lengths acc_norm 1.000; under harmless edits 0.000 to 0.000; 8 of 8 documents")
    # What was run under one metric is read under the other, too.
    assert flipped(capsys, tmp_path / "run") == {"acc": 0}
    assert flipped(capsys, tmp_path / "run", "--row", "acc_norm") == {"acc_norm": 8}
    pairs = load_runs(tmp_path / "run", row="acc_norm,none").table.to_pylist()
    assert {each["answer_flip"] for each in pairs if each["edit"] == "double_space"} == {1}


def flipped(capsys: Any, *line: object) -> dict[str, int]:
    """Metric that judges -> flips of all edits."""
    capsys.readouterr()
    assert command("flips", *line, "--format", "json") == 0
    statements = [each["statement"] for each in json.loads(capsys.readouterr().out)["answers"]]
    return {each["metric"]: each["every"]["n_flipped"] for each in statements}


def test_a_metric_that_the_task_has_not_is_refused(tasks: Path) -> None:
    with pytest.raises(InputError, match=r"`metadata: sensitivity_metric`.*Did you mean 'acc_norm'"):
        evaluate(
            Scripted(norm_flips), "sensitivity_lengths", tasks, metadata={"sensitivity_metric": "acc_nrom"}
        )


def word_of_context(context: str, _: str | None) -> str:
    """The strict filter finds one and the same number, the flexible one whether a space is doubled."""
    return f"#### 7 {'doubled' if '  ' in context else 'plain'}"


def test_the_filter_is_chosen_and_named(tasks: Path, tmp_path: Path, capsys: Any) -> None:
    saved(Scripted(word_of_context), "sensitivity_gsm8k", tasks, tmp_path / "run")
    run = tmp_path / "run"

    def flips_of(**options: Any) -> tuple[float, str]:
        runs = load_runs(run, **options)
        values = [
            each["answer_flip"]
            for each in runs.table.to_pylist()
            if each["filter"] == "raw" and each["edit"] != "identical"
        ]
        (words,) = [str(note.text) for note in runs.remarks if "judges" in note.text]
        return sum(values), words

    n, words = flips_of()
    assert n == 0 and "its row exact_match,strict-match judges" in words
    assert "`--row` reads another one (exact_match,flexible-extract)" in words
    n, words = flips_of(row="flexible-extract")
    assert n == 8 and "its row exact_match,flexible-extract judges" in words
    with pytest.raises(InputError, match=r"`--row`: a row of sensitivity_gsm8k is .*Did you mean"):
        load_runs(run, row="exact_match,flexible-extrakt")
    with pytest.raises(InputError, match=r"`--filter strict-match`: accepted .* `--row`"):
        command("heatmap", run, "--filter", "strict-match")
    capsys.readouterr()
    assert command("heatmap", run, "--row", "flexible-extract") == 0
    assert "exact_match,flexible-extract judges" in " ".join(capsys.readouterr().out.split())


def test_systems_are_not_compared_under_different_metrics(tasks: Path, tmp_path: Path) -> None:
    saved(Scripted(norm_flips), "sensitivity_lengths", tasks, tmp_path / "one")
    other = {"sensitivity_metric": "acc_norm"}
    saved(Scripted(norm_flips), "sensitivity_lengths", tasks, tmp_path / "two", metadata=other)
    both = [tmp_path / "one", tmp_path / "two"]
    with pytest.raises(InputError, match=r"rule for answers is 'acc_norm,none'.*Choose one with `--row`"):
        load_runs(both)
    assert len(load_runs(both, row="acc").systems) == 2


def test_a_row_is_not_asked_of_the_ladder(demo_of_four_rungs: Any) -> None:
    with pytest.raises(InputError, match="belongs to runs of wrapped tasks"):
        load_runs(demo_of_four_rungs.folder, row="acc")


def test_a_part_of_a_task_is_called_a_part_wherever_it_is_read(
    tasks: Path, tmp_path: Path, capsys: Any
) -> None:
    found = saved(Scripted(norm_flips), "sensitivity_lengths", tasks, tmp_path / "run", limit=5)
    said = said_of(found)
    assert "A part of the task was run, 5 of 8 documents" in said
    for line in (("flips",), ("heatmap",), ("show",)):
        capsys.readouterr()
        assert command(line[0], tmp_path / "run", *line[1:]) == 0
        out = " ".join(capsys.readouterr().out.split())
        assert "5 of 8 documents" in out, line
    runs = load_runs(tmp_path / "run")
    assert runs.systems[0].partial == ("sensitivity_lengths: 5 of 8 documents (--limit 5)",)
    # A run of the whole task stands above a newer one of a part.
    whole = saved(Scripted(norm_flips), "sensitivity_lengths", tasks, tmp_path / "run")
    save_results({**found, "date": whole["date"] + 10}, tmp_path / "run")
    runs = load_runs(tmp_path / "run")
    assert not runs.systems[0].partial and len(set(runs.table["prompt_id"].to_pylist())) == 8
    assert any("a partial run (5 of 8 documents)" in note.text for note in runs.left_out)
    capsys.readouterr()
    assert command("flips", tmp_path / "run") == 0
    assert "A part of the task" not in " ".join(capsys.readouterr().out.split())


def test_a_group_is_one_task_of_all_its_documents(tasks: Path, tmp_path: Path, capsys: Any) -> None:
    def say(context: str, choice: str | None) -> float:
        if "number" in context:
            return norm_flips(context, choice)
        return -float(("rivers" if "  " in context else "magnets") not in str(choice))

    found = saved(Scripted(say), "sensitivity_both", tasks, tmp_path / "run")
    row = found["results"]["sensitivity_both"]
    alone = [found["results"][f"sensitivity_{name}"] for name in ("lengths", "arc")]
    assert {name.partition(",")[0] for name in row if "," in name} == {
        "acc",
        "acc_stderr",
        "acc_edited",
        "acc_edited_stderr",
    }
    edited = (8 * alone[0]["acc_edited,none"] + 6 * alone[1]["acc_edited,none"]) / 14
    assert row["acc_edited,none"] == pytest.approx(edited)
    said = said_of(found)
    assert said.startswith(
        f"both acc {row['acc,none']:.3f}; under harmless edits {edited:.3f} to {edited:.3f}; 6 of 14"
    )
    assert "lengths acc 0.000" in said and "arc acc" in said
    capsys.readouterr()
    assert command("flips", tmp_path / "run", "--format", "json") == 0
    statements = [each["statement"] for each in json.loads(capsys.readouterr().out)["answers"]]
    assert [(each["task"], each["n_tasks"], each["n_documents"]) for each in statements] == [
        ("both", 2, 14),
        ("arc", 1, 6),
        ("lengths", 1, 8),
    ]


def test_many_tasks_are_said_together(tmp_path: Path, capsys: Any) -> None:
    names = [f"arc_{letter}" for letter in "abcdefg"]
    for name in names:
        made_tasks.make(tmp_path / "tasks", name, ARC, arc_documents(2), **ONE)
    wrapped = [f"sensitivity_{name}" for name in names]
    group = {"group": "sensitivity_all", "task": wrapped}
    (tmp_path / "tasks" / "all.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
    for asked, first in (
        (",".join(wrapped), "7 tasks under harmless edits: 0 of 14"),
        ("sensitivity_all", "all acc"),
    ):
        found = saved(Scripted(norm_flips), asked, tmp_path / "tasks", tmp_path / first)
        said = said_of(found)
        assert said.startswith(first) and "arc_a acc" not in said
        capsys.readouterr()
        assert command("flips", tmp_path / first) == 0
        printed = capsys.readouterr().out
        assert "double_space" not in printed and printed.count(" all ") >= 7
