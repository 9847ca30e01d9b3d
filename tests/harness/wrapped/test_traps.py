"""What would make a wrapped task say something untrue, each through the real evaluator with a scripted model."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from lm_eval import utils
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager
from lm_eval.tasks._index import TaskIndex

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.contract import Engine
from lm_eval_sensitivity.harness.in_memory import save_results
from lm_eval_sensitivity.harness.wrapping.making import edited_prompt
from lm_eval_sensitivity.runs.answers import load_answers
from lm_eval_sensitivity.statements.answers import answers_statement
from tests.harness.wrapped import made_tasks
from tests.harness.wrapped.made_tasks import ARC, GSM8K, arc_documents, gsm8k_documents
from tests.harness.wrapped.scripted import Scripted, evaluate
from tests.running import table_of

ONE = {"sensitivity_edits": ["double_space"]}


def first_letters(context: str, choice: str | None) -> float:
    """Prefers the first choice; the second where there is a double space."""
    wanted = "rivers" if "  " in context else "magnets"
    return 0.0 - 1.0 * (choice is not None and wanted not in choice)


def test_flips_are_counted_by_document(tmp_path: Path) -> None:
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(8), sensitivity_edits=["double_space", "nbsp"])
    results = evaluate(Scripted(first_letters), "sensitivity_arc", tmp_path)
    row = table_of(results, "sensitivity_arc")
    assert (row["acc,none"], row["acc_edited,none"], row["acc_lowest,none"]) == (0.25, 0.25, 0.25)
    assert row["flips,none"] == "8 of 16 edited prompts, in 8 of 8 documents (acc)"
    assert row["noise,none"] == "0 of 8 prompts asked again"
    sample = results["samples"]["sensitivity_arc"][0]
    assert sample["unedited"]["answer"] == "0" and sample["edits"]["double_space"]["answer"] == "1"
    assert sample["edits"]["nbsp"]["answer"] == "0" and sample["edits"]["double_space"]["status"] == "unknown"
    assert sum(sample["edits"]["nbsp"]["choice_probabilities"]) == pytest.approx(1)
    (said,) = [
        each
        for each in results["configs"]["sensitivity_arc"]["metadata"]["sensitivity"]["summary"]
        if "arc" in each
    ]
    assert said.startswith(
        "  arc acc 0.250; under harmless edits 0.250 to 0.250; 8 of 8 documents change their"
    )


def test_each_row_is_aggregated_by_the_task_and_bounds_a_difference(tmp_path: Path) -> None:
    documents = [{**each, "answerKey": "A"} for each in arc_documents(8)]
    made_tasks.make(tmp_path, "arc", ARC, documents, sensitivity_edits=["double_space", "nbsp"])
    results = evaluate(Scripted(first_letters), "sensitivity_arc", tmp_path)
    row = table_of(results, "sensitivity_arc")
    names = ("acc", "acc_edited", "acc_lowest", "acc_highest")
    assert [row[f"{name},none"] for name in names] == [1, 0.5, 0, 1]
    said = " ".join(
        " ".join(results["configs"]["sensitivity_arc"]["metadata"]["sensitivity"]["summary"]).split()
    )
    assert "a difference between two models below 1.000 is within what an extra space does." in said
    scores = results["configs"]["sensitivity_arc"]["metadata"]["sensitivity"]["wrapped"]["scores"]
    assert scores["none"]["acc"] == {"identical": 1, "double_space": 0, "nbsp": 1}


def test_unedited_prompts_are_asked_alone_and_again_in_a_call_of_their_own(tmp_path: Path) -> None:
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(3), **ONE)
    model = Scripted(first_letters)
    evaluate(model, "sensitivity_arc", tmp_path)
    plain, edited, again = model.calls
    assert plain == again and len(plain) == len(edited) == 12
    assert not any("  " in context for context, _ in plain) and all("  " in context for context, _ in edited)


def test_noise_is_seen(tmp_path: Path) -> None:
    made_tasks.make(tmp_path, "gsm8k", GSM8K, gsm8k_documents(4), **ONE)
    answers = iter(range(1000))
    results = evaluate(Scripted(lambda *_: f"#### {next(answers)}"), "sensitivity_gsm8k", tmp_path)
    row = table_of(results, "sensitivity_gsm8k")
    assert row["noise,strict-match"] == "4 of 4 prompts asked again"
    said = " ".join(results["configs"]["sensitivity_gsm8k"]["metadata"]["sensitivity"]["summary"])
    assert "that much is noise" in " ".join(said.split())


def test_the_cache_of_lm_eval_keeps_answers_but_not_noise(tmp_path: Path) -> None:
    made_tasks.make(tmp_path / "tasks", "gsm8k", GSM8K, gsm8k_documents(4), **ONE)
    answers, cache = iter(range(1000)), str(tmp_path / "cache")
    model = Scripted(lambda *_: f"#### {next(answers)}")
    for expected in (12, 4):
        model.calls.clear()
        results = evaluate(model, "sensitivity_gsm8k", tmp_path / "tasks", use_cache=cache)
        assert sum(map(len, model.calls)) == expected
    assert table_of(results, "sensitivity_gsm8k")["noise,strict-match"] == "4 of 4 prompts asked again"


def test_examples_are_drawn_once_and_hold_no_answer_of_the_document(tmp_path: Path) -> None:
    """From the split that is tested: an edited document is not known as itself there."""
    settings = {**GSM8K, "num_fewshot": 5, "fewshot_split": "test"}
    made_tasks.make(
        tmp_path, "gsm8k", settings, gsm8k_documents(7), sensitivity_edits=["double_space", "nbsp"]
    )
    model = Scripted(lambda *_: "#### 1")
    evaluate(model, "sensitivity_gsm8k,gsm8k", tmp_path)
    contexts = [[re.sub("[ \u00a0]+", " ", context) for context, _ in call] for call in model.calls]
    plain, edited, again, unwrapped = contexts
    assert edited[::2] == edited[1::2] == plain == again == unwrapped
    assert all(context.count(context.rsplit("Question: ", 1)[1]) == 1 for context in plain)


def test_a_target_made_from_the_question_is_left_alone(tmp_path: Path) -> None:
    settings = {
        **ARC,
        "doc_to_text": "{{question}} It is",
        "doc_to_choice": "{{[question, answerKey]}}",
        "doc_to_target": 0,
    }
    made_tasks.make(tmp_path, "copied", settings, arc_documents(3))
    with pytest.raises(InputError, match="has no question field"):
        evaluate(Scripted(first_letters), "sensitivity_copied", tmp_path)


def test_white_space_at_the_end_of_a_context_is_not_scored_with_choices(tmp_path: Path) -> None:
    edits = ["trailing_space", "double_space"]
    settings = {**ARC, "doc_to_text": "question"}
    made_tasks.make(tmp_path, "open", settings, arc_documents(3), sensitivity_edits=edits)
    results = evaluate(Scripted(first_letters), "sensitivity_open", tmp_path)
    assert table_of(results, "sensitivity_open")["reach,none"] == "3 end of prompt, 3 unknown"


def test_what_the_task_strips_is_erased_by_it(tmp_path: Path) -> None:
    settings = {**ARC, "doc_to_text": "Question: {{question.strip()}}\nAnswer:"}
    made_tasks.make(tmp_path, "strips", settings, arc_documents(3), sensitivity_edits=["leading_space"])
    model = Scripted(first_letters)
    results = evaluate(model, "sensitivity_strips", tmp_path)
    assert table_of(results, "sensitivity_strips")["reach,none"] == "3 erased by the task"
    assert table_of(results, "sensitivity_strips")["flips,none"].startswith("0 of 0")
    assert [len(call) for call in model.calls] == [12, 12]


def test_a_prompt_that_changes_by_itself_is_not_scored(tmp_path: Path) -> None:
    settings = {**ARC, "doc_to_text": "{{range(1000000) | random}} Question: {{question}}\nAnswer:"}
    made_tasks.make(tmp_path, "chance", settings, arc_documents(3), **ONE)
    results = evaluate(Scripted(first_letters), "sensitivity_chance", tmp_path)
    # The generator is put back before each edit, so that the prompt stays.
    assert table_of(results, "sensitivity_chance")["reach,none"] == "3 unknown"


def test_text_without_an_answer_is_not_called_stable(tmp_path: Path) -> None:
    made_tasks.make(tmp_path, "gsm8k", GSM8K, gsm8k_documents(4), **ONE)
    found = evaluate(Scripted(lambda *_: "I do not know"), "sensitivity_gsm8k", tmp_path)
    row = table_of(found, "sensitivity_gsm8k")
    assert row["flips,strict-match"] == "0 of 0 edited prompts, in 0 of 4 documents (exact_match)"
    assert row["no_answer,strict-match"] == "4 of 4 documents, and 4 edited prompts beside them"


def test_formulas_are_not_edited(tmp_path: Path) -> None:
    formula = r"\[ \text{if } x = 2 \text{ then } y, z \]"
    documents = [{**each, "question": f"Say whether {formula} holds for us."} for each in arc_documents(3)]
    made_tasks.make(tmp_path, "math", ARC, documents)
    samples = evaluate(Scripted(first_letters), "sensitivity_math", tmp_path)["samples"]["sensitivity_math"]
    texts = [edit["text"] for sample in samples for edit in sample["edits"].values() if edit.get("text")]
    assert texts and all(formula in text for text in texts)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"doc_to_text": "{{'ABCD'.index(answerKey)}}", "doc_to_target": "x"}, "its choices are contexts"),
        (
            {"output_type": "loglikelihood_rolling", "metric_list": [{"metric": "word_perplexity"}]},
            "whole texts",
        ),
        ({"repeats": 3}, "repeats each prompt"),
        ({"unsafe_code": True}, "code that a model wrote"),
        ({"doc_to_text": "Say a letter."}, "has no question field"),
    ],
)
def test_tasks_that_cannot_be_wrapped_are_refused(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    made_tasks.make(tmp_path, "odd", {**ARC, **settings}, arc_documents(3))
    with pytest.raises(InputError, match=words):
        evaluate(Scripted(first_letters), "sensitivity_odd", tmp_path)


def test_sampling_is_refused(tmp_path: Path) -> None:
    made_tasks.make(tmp_path, "gsm8k", GSM8K, gsm8k_documents(2))
    with pytest.raises(InputError, match="do_sample=False"):
        evaluate(Scripted(lambda *_: ""), "sensitivity_gsm8k", tmp_path, gen_kwargs="do_sample=True")


def test_mistakes_in_the_metadata_are_named(tmp_path: Path) -> None:
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(2))
    for metadata, words in (
        ({"sensitivity_edits": ["nbps"]}, "Did you mean 'nbsp'"),
        ({"sensitivity_field": "questoin"}, "accepted: question.*Did you mean 'question'"),
        ({"sensitivity_yaml": "gone.yaml"}, "there is no `sensitivity_yaml: 'gone.yaml'`"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate(Scripted(first_letters), "sensitivity_arc", tmp_path, metadata=metadata)


def test_a_template_that_strips_is_seen_by_the_task(tmp_path: Path) -> None:
    settings = {**GSM8K, "doc_to_text": "question"}
    made_tasks.make(
        tmp_path, "chat", settings, gsm8k_documents(3), sensitivity_edits=["trailing_space", "nbsp"]
    )
    model = Scripted(lambda *_: "#### 5")
    results = evaluate(model, "sensitivity_chat", tmp_path, apply_chat_template=True)
    assert table_of(results, "sensitivity_chat")["reach,strict-match"] == "3 erased by the task, 3 unknown"
    assert all(context.startswith("<user>") for context, _ in model.calls[0])


def test_formats_change_what_the_template_writes_and_the_examples_with_it(tmp_path: Path) -> None:
    settings = {**GSM8K, "num_fewshot": 2, "fewshot_split": "test"}
    made_tasks.make(tmp_path, "gsm8k", settings, gsm8k_documents(5), sensitivity_edits="format")
    model = Scripted(lambda context, _: "#### 1" if "QUESTION" in context else "#### 2")
    results = evaluate(model, "sensitivity_gsm8k", tmp_path)
    plain, edited, _ = ([context for context, _ in call] for call in model.calls)
    upper = [each for each in edited if "QUESTION" in each]
    assert [each.replace("QUESTION", "Question").replace("ANSWER", "Answer") for each in upper] == plain
    assert all(each.count("QUESTION") == 3 and "Question" not in each for each in upper)
    samples = results["samples"]["sensitivity_gsm8k"]
    assert samples[0]["edits"]["format_upper"]["text"].startswith("QUESTION: Ann has")
    flipped = [name for name, edit in samples[0]["edits"].items() if edit["answer"] == "1"]
    assert flipped == ["format_upper"]
    said = " ".join(
        " ".join(results["configs"]["sensitivity_gsm8k"]["metadata"]["sensitivity"]["summary"]).split()
    )
    assert "another format moves it by less than one document (0.200)" in said


def test_a_template_without_fields_has_no_format(tmp_path: Path) -> None:
    made_tasks.make(
        tmp_path, "bare", {**GSM8K, "doc_to_text": "question"}, gsm8k_documents(2), sensitivity_edits="format"
    )
    row = table_of(evaluate(Scripted(lambda *_: "#### 1"), "sensitivity_bare", tmp_path), "sensitivity_bare")
    assert row["reach,strict-match"] == "16 no place"


def test_authored_variants_come_from_a_file(tmp_path: Path) -> None:
    documents = gsm8k_documents(3)
    line = {"question": documents[1]["question"], "paraphrase_1": "Ann, who has some, buys 3. What now?"}
    file = tmp_path / "variants.jsonl"
    file.write_text(json.dumps(line) + "\n", encoding="utf-8")
    made_tasks.make(tmp_path, "gsm8k", GSM8K, documents, sensitivity_edits=["nbsp", str(file)])
    model = Scripted(lambda context, _: f"#### {'who has' in context:d}")
    results = evaluate(model, "sensitivity_gsm8k", tmp_path)
    assert (
        table_of(results, "sensitivity_gsm8k")["flips,strict-match"]
        == "1 of 4 edited prompts, in 1 of 3 documents (exact_match)"
    )
    for text, words in (
        ('{"question": "x", "paraphrase_9": "y"}', "paraphrase_1"),
        ('{"paraphrase_1": "y"}', "`question` is missing"),
        ("", "is empty"),
    ):
        file.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=words):
            evaluate(model, "sensitivity_gsm8k", tmp_path)


def test_the_cache_of_requests_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(3), **ONE)
    for edits, reach in ((["double_space"], "3 unknown"), (["nbsp", "double_space"], "6 unknown")):
        found = evaluate(
            Scripted(first_letters),
            "sensitivity_arc",
            tmp_path,
            cache_requests=True,
            metadata={"sensitivity_edits": edits},
        )
        assert table_of(found, "sensitivity_arc")["reach,none"] == reach
    assert "`--cache_requests` is not used for wrapped tasks" in caplog.text


def test_an_engine_that_cannot_score_choices_is_refused_before_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Engine) -> None:
        raise InputError("Its echo is short.")

    monkeypatch.setattr(Engine, "check_scoring", refuse)
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(3), **ONE)
    made_tasks.make(tmp_path, "gsm8k", GSM8K, gsm8k_documents(2), **ONE)
    model = Scripted(lambda *_: "#### 1")
    with pytest.raises(InputError, match=r"scores choices by their log-likelihood\. Its echo is short"):
        evaluate(model, "sensitivity_arc", tmp_path)
    assert not model.calls
    evaluate(model, "sensitivity_gsm8k", tmp_path)


class Blind(Engine):
    """Feeds every run of white space as one token."""

    def identity(self, decoding: Any) -> dict[str, object]:
        return {}

    def generate(self, batch: Any, decoding: Any, channels: Any) -> list[Any]:
        raise NotImplementedError

    def encode(self, context: str) -> list[int]:
        return [ord(character) for character in " ".join(context.split())]


def test_an_edit_that_the_tokenizer_drops_is_not_asked() -> None:
    def requests(context: str) -> list[Instance]:
        return [Instance("generate_until", {}, (context, {}), 0)]

    engine, base = Blind(Scripted(first_letters), {}), requests("Say it.")[0]
    dropped = edited_prompt("Say  it.", ("Say it.", "Say  it."), requests, base, engine)
    arrived = edited_prompt("Say it..", ("Say it.", "Say it.."), requests, base, engine)
    assert (dropped.status, dropped.instances) == ("erased", [])
    assert arrived.status == "survived" and len(arrived.instances) == 1


def test_predictions_alone_have_no_rows_beside_the_task(tmp_path: Path) -> None:
    made_tasks.make(tmp_path, "gsm8k", GSM8K, gsm8k_documents(3), **ONE)
    found = evaluate(Scripted(lambda *_: "#### 1"), "sensitivity_gsm8k", tmp_path, predict_only=True)
    assert table_of(found, "sensitivity_gsm8k")["flips,strict-match"].startswith("0 of 3")


def test_intervals_stay_within_what_there_is(tmp_path: Path) -> None:
    """Few flips: a bootstrap of them has a bound below 0."""
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(12), **ONE)

    def rarely(context: str, choice: str | None) -> float:
        return first_letters(context if "candles" in context else context.replace("  ", " "), choice)

    found = evaluate(Scripted(rarely), "sensitivity_arc", tmp_path)
    assert table_of(found, "sensitivity_arc")["flips,none"].startswith("2 of 12 edited prompts")
    save_results(found, tmp_path / "run")
    (answers,) = load_answers([tmp_path / "run"])
    share = answers_statement(answers).share
    assert share.estimate == pytest.approx(2 / 12) and 0 < share.lower < share.estimate < share.upper < 1


def test_a_wrapped_task_walks_no_folder_of_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lm_eval has some fourteen thousand files; the original is built from its own."""
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(2), **ONE)
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    monkeypatch.delattr(TaskIndex, "build")
    tasks = manager.load(["sensitivity_arc"])["tasks"]
    assert tasks["sensitivity_arc"].config.task == "sensitivity_arc"


def test_what_shows_images_is_refused(tmp_path: Path) -> None:
    settings = {"output_type": "generate_until", "doc_to_image": ["question"], "doc_to_target": "answerKey"}
    plain = {key: value for key, value in ARC.items() if key not in ("doc_to_choice", "metric_list")}
    made_tasks.make(tmp_path, "pictures", {**plain, **settings}, arc_documents(2))
    with pytest.raises(InputError, match="it has images or sounds"):
        evaluate(Scripted(first_letters), "sensitivity_pictures", tmp_path)


def test_a_template_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """lm_eval compiles one each time it renders it, which for ten prompts a document takes longer than the model."""
    made_tasks.make(tmp_path, "arc", ARC, arc_documents(6))
    compiled: list[str] = []
    compiles = utils.env.compile

    def count(source: str, *rest: Any, **options: Any) -> Any:
        compiled.append(source)
        return compiles(source, *rest, **options)

    monkeypatch.setattr(utils.env, "compile", count)
    evaluate(Scripted(first_letters), "arc", tmp_path)
    n_plain = len(compiled)
    evaluate(Scripted(first_letters), "sensitivity_arc", tmp_path)
    assert len(compiled) - n_plain < 2 * n_plain
    assert "from_string" not in vars(utils.env), "lm_eval is as it was"
