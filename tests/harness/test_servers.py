"""OpenAI-compatible servers: what each shows is measured, what it does not show is missing with a reason."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

from lm_eval_sensitivity.errors import InputError
from lm_eval_sensitivity.harness.engines.openai_completions import ServerEngine
from lm_eval_sensitivity.harness.engines.registry import engine_of
from lm_eval_sensitivity.harness.engines.server.answer import read_answer
from lm_eval_sensitivity.harness.engines.server.echo import check_echo, echoed
from lm_eval_sensitivity.harness.engines.server.traced import output_of, symbol
from lm_eval_sensitivity.harness.generate.decoding import Decoding
from lm_eval_sensitivity.harness.generate.views import decoder_for
from lm_eval_sensitivity.harness.tasks.options import parse_options
from lm_eval_sensitivity.metrics import js_divergence
from lm_eval_sensitivity.probes.outputs import outputs_from
from lm_eval_sensitivity.records.packing import unpack
from lm_eval_sensitivity.records.sample import decode_row
from tests.harness.letter_model import ALPHABET
from tests.harness.stand_in_server import StandIn, serving
from tests.harness.test_engines import EDGES, IDENTICAL, NOOP, evaluate, raw_rows
from tests.harness.wrapped import made_tasks, scripted

N_STEPS = 24

Start = Callable[..., StandIn]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(serving(StandIn(**settings)))


def chat(server: StandIn, **options: Any) -> LocalChatCompletion:
    return LocalChatCompletion(base_url=f"{server.url}/chat/completions", model="letters", **options)


def completions(server: StandIn, **options: Any) -> LocalCompletionsAPI:
    return LocalCompletionsAPI(
        base_url=f"{server.url}/completions", model="letters", tokenizer_backend=None, **options
    )


def run(lm: Any, task: str = NOOP, **options: Any) -> dict[str, Any]:
    of_chat = isinstance(lm, LocalChatCompletion)
    settings: dict[str, Any] = {"apply_chat_template": of_chat, "gen_kwargs": {"max_gen_toks": N_STEPS}}
    metadata = {"model": "letters", **options.pop("metadata", {})}
    return evaluate(lm, tasks=task, metadata=metadata, **settings | options)


def notes_of(results: dict[str, Any], task: str = NOOP) -> dict[str, Any]:
    notes: dict[str, Any] = results["configs"][task]["metadata"]["sensitivity"]["notes"]
    return notes


@pytest.fixture(scope="module")
def server(start: Start) -> StandIn:
    return start()


@pytest.fixture(scope="module")
def results(server: StandIn) -> dict[str, Any]:
    return run(chat(server))


@pytest.fixture(scope="module")
def rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    return raw_rows(results)


def both(server: StandIn, row: dict[str, Any]) -> list[tuple[list[int], Any]]:
    """What the model says to both prompts of a row."""
    prompts = [server.model.tok_encode(row["doc"][side]) for side in ("base", "variant")]
    return [server.output(prompt, N_STEPS) for prompt in prompts]


def arrived(server: StandIn, row: dict[str, Any]) -> bool:
    return server.model.tok_encode(row["doc"]["base"]) != server.model.tok_encode(row["doc"]["variant"])


def test_it_serves_both_kinds_and_leaves_those_that_go_other_ways_alone(server: StandIn) -> None:
    assert type(engine_of(chat(server), {})) is type(engine_of(completions(server), {})) is ServerEngine

    class Other(LocalChatCompletion):
        def model_call(self, *args: Any, **options: Any) -> Any:
            raise NotImplementedError

    assert type(engine_of(Other(base_url=server.url, model="m"), {})) is not ServerEngine


def test_the_texts_are_those_that_plain_lm_eval_gets(server: StandIn, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        said = ["".join(ALPHABET[each] for each in ids).rstrip("\n") for ids, _ in both(server, row)]
        assert [each[0] for each in row["resps"]] == said


def test_margins_divergences_and_bounds_are_those_of_the_model(
    server: StandIn, rows: list[dict[str, Any]]
) -> None:
    compared = 0
    for row in rows:
        pair = row["pair"]
        if math.isnan(row["token_edit_distance"]):
            continue
        for side, (ids, steps) in zip(("base", "variant"), both(server, row), strict=True):
            ordered = np.sort(steps, axis=1)
            n_shown = len(unpack(pair[side]["token_ids"]))
            assert n_shown == len(ids)
            margins = unpack(pair[side]["margins"])
            np.testing.assert_allclose(margins, (ordered[:, -1] - ordered[:, -2])[:n_shown], atol=1e-5)
            letters = [symbol(ALPHABET[each].encode()) for each in ids]
            assert unpack(pair[side]["token_ids"]).tolist() == letters
        if arrived(server, row):
            compared += 1
            base, variant = (steps[0] for _, steps in both(server, row))
            truth = js_divergence(base, variant)
            assert pair["prompt_end"]["js_lower"] - 1e-6 <= truth <= pair["prompt_end"]["js_upper"] + 1e-6
    assert compared


def test_another_number_of_tokens_proves_that_an_edit_arrived(
    server: StandIn, rows: list[dict[str, Any]], results: dict[str, Any]
) -> None:
    statuses = set()
    for row in rows:
        lengths = {len(server.model.tok_encode(row["doc"][side])) for side in ("base", "variant")}
        assert row["pair"]["audit"]["status"] == ("survived" if len(lengths) > 1 else "unknown")
        statuses.add(row["pair"]["audit"]["status"])
    assert statuses == {"survived", "unknown"}
    assert "only where the number of tokens changes" in notes_of(results)["server"]
    assert notes_of(results)["token_ids"] == "server text"  # noqa: S105


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tokenizes": "vllm"}, "the server's tokenizer"),
        ({"tokenizes": "llama", "n_top": 5}, "the server's tokenizer"),
        ({"shows_ids": True}, "the prompt's token ids in its answers"),
    ],
)
def test_where_ids_are_to_be_had_the_audit_is_exact(
    start: Start, settings: dict[str, Any], words: str
) -> None:
    server = start(**settings)
    results = run(chat(server), metadata={"table": "full"})
    for row in raw_rows(results):
        status = "survived" if arrived(server, row) else "erased"
        assert row["pair"]["audit"]["status"] == status
        assert math.isnan(row["cosine_distance"]) == (status == "erased")
        if settings.get("shows_ids"):
            assert unpack(row["pair"]["base"]["token_ids"]).tolist() == both(server, row)[0][0]
            prompt = server.model.tok_encode(row["doc"]["base"])
            assert unpack(row["pair"]["base"]["prompt_token_ids"]).tolist() == prompt
    assert words in notes_of(results)["server"]
    assert EDGES & {row["doc"]["edit"] for row in raw_rows(results)}


def test_steps_that_are_not_the_most_probable_are_counted(
    start: Start, caplog: pytest.LogCaptureFixture, results: dict[str, Any]
) -> None:
    def penalize(number: int, answer: dict[str, Any]) -> dict[str, Any]:
        # The second most probable token, as a penalty takes it, in the first step of two answers.
        if number in (3, 4):
            step = answer["choices"][0]["logprobs"]["content"][0]
            step["logprob"] = step["top_logprobs"][1]["logprob"]
        return answer

    found = run(chat(start(change=penalize)))
    assert notes_of(found)["steps_not_greedy"] == 2
    assert "2 steps in 2 of" in caplog.text and "greedy" in caplog.text
    assert notes_of(results)["steps_not_greedy"] == 0


def test_a_server_is_asked_to_add_no_penalty(start: Start) -> None:
    lenient, strict = start(shows_ids=True), start()
    for server, asked in ((lenient, True), (strict, False)):
        run(chat(server), limit=1)
        assert ("repeat_penalty" in server.requests[-1]) == asked
        assert server.requests[0]["repetition_penalty"] == server.requests[0]["repeat_penalty"] == 1.0


def test_an_end_token_that_is_not_listed_costs_no_letter(start: Start) -> None:
    other = start(lists_end=False, ends="b")
    ended = 0
    for row in raw_rows(run(chat(other), IDENTICAL), IDENTICAL):
        side = row["pair"]["base"]
        ids, _ = both(other, row)[0]
        if len(ids) == 1:
            assert side.get("token_ids") is None, "a text of nothing without a token says nothing"
            continue
        stopped = ALPHABET[ids[-1]] == "b"
        assert len(unpack(side["token_ids"])) == len(row["resps"][0][0]) == len(ids) - stopped > 0
        ended += stopped
        assert side["finish_reason"] == ("stop" if stopped else "length")
        assert unpack(side["token_ends"]).tolist() == list(range(1, len(row["resps"][0][0]) + 1))
    assert ended


def test_a_server_that_gives_texts_only_says_so_and_the_rest_is_missing(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="lm_eval_sensitivity")
    server = start(n_top=0, counts=False)
    results = run(completions(server), limit=8)
    assert "This server gives text, no tokens, no log-probabilities" in caplog.text
    assert "nobody can tell whether they arrive" in caplog.text
    row = raw_rows(results)[0]
    assert row["pair"]["audit"]["status"] == "unknown"
    assert row["pair"]["missing"]["token_edit_distance"].startswith("not given")
    assert not math.isnan(row["cosine_distance"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "showed the text of its tokens, without their ids"),
        ({"n_top": 0}, "gave no token ids of prompt and output"),
    ],
)
def test_what_has_no_token_ids_is_not_replayed_and_says_what_would_be(
    settings: dict[str, Any], words: str, start: Start
) -> None:
    results = run(chat(start(**settings)), limit=3)
    rows = [(decode_row(row, "a line"), "a line") for row in results["samples"][NOOP]]
    with pytest.raises(InputError, match=rf"{words}\. Generate again .*return_token_ids.*tokenizer=\.\.\.,"):
        outputs_from(rows, "letters")


def test_no_list_of_no_stop_strings_is_sent_and_stop_strings_are(start: Start) -> None:
    server = start()
    for kwargs in ({"max_gen_toks": N_STEPS}, {"max_gen_toks": N_STEPS, "until": ["e"]}):
        results = run(completions(server), IDENTICAL, limit=3, gen_kwargs=kwargs)
        assert all("stop" not in each or each["stop"] for each in server.requests)
        for row in raw_rows(results, IDENTICAL):
            cut = row["resps"][0][0]
            assert "e" not in cut or "until" not in kwargs
            assert len(unpack(row["pair"]["base"]["token_ids"])) >= len(cut)
    assert {tuple(each["stop"]) for each in server.requests if "stop" in each} == {("e",)}


def test_ids_are_sent_where_a_local_tokenizer_makes_them_and_a_cut_prompt_is_not_scored(
    start: Start, demo: Any
) -> None:
    server = start(reads=20)
    lm = LocalCompletionsAPI(
        base_url=f"{server.url}/completions",
        model="letters",
        tokenizer=str(demo),
        tokenizer_backend="huggingface",
    )
    results = run(lm, limit=12)
    assert all(isinstance(each["prompt"][0], list) for each in server.requests)
    cut = [row["pair"]["missing"].get("cosine_distance", "") for row in raw_rows(results)]
    assert any(each.startswith("cut: the server read 20 of ") for each in cut)


def test_a_server_that_takes_no_ids_is_told_apart_from_one_that_fails(start: Start, demo: Any) -> None:
    server = start(takes_ids=False)
    lm = LocalCompletionsAPI(
        base_url=f"{server.url}/completions",
        model="letters",
        tokenizer=str(demo),
        tokenizer_backend="huggingface",
    )
    with pytest.raises(InputError, match=r"prompt must be a string.*tokenized_requests=False"):
        run(lm, IDENTICAL, limit=2)


def test_the_context_that_the_server_states_lowers_the_limit_or_refuses(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(tokenizes="vllm", context=100)
    with pytest.raises(InputError, match="context holds 100"):
        run(chat(server))
    lm = chat(server, max_length=420)
    results = run(lm, IDENTICAL, limit=2, gen_kwargs={"max_gen_toks": 4096}, metadata={"max_length": 420})
    assert "max_gen_toks is" in caplog.text
    assert notes_of(results, IDENTICAL)["max_gen_toks_requested"] == 4096
    assert all(each["max_tokens"] < 420 for each in server.requests)


def test_what_it_will_cost_is_said_before_it_starts(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="lm_eval_sensitivity")
    server = start(tokenizes="vllm")
    results = run(chat(server), IDENTICAL, limit=4, metadata={"price": [1.0, 2.0]})
    n_requests = len(server.requests) - 2  # the first look, and the extra that it was refused
    fed = sum(len(server.prompt_of(each)) for each in server.requests[2:])
    words = (
        f"{n_requests} requests to the server, about {fed:,} prompt tokens and at most {n_requests * N_STEPS}"
    )
    assert words in caplog.text
    assert f"at most {(fed + 2 * n_requests * N_STEPS) / 1e6:.4f} at the price given" in caplog.text
    assert "price" not in str(results["configs"][IDENTICAL]["metadata"]["sensitivity"]["identity"])


@pytest.mark.parametrize("price", [3, [1], [1, -2], ["a", "b"], [True, 1]])
def test_a_price_that_is_none_is_refused(price: Any) -> None:
    with pytest.raises(InputError, match=r"`price` is .*; expected two numbers"):
        parse_options({"price": price})


def test_each_sample_has_a_seed_of_its_own(start: Start) -> None:
    server = start()
    task = "prompt_sensitivity_sampling_noop"
    options = {
        "gen_kwargs": {"max_gen_toks": 8, "temperature": 1.0},
        "metadata": {"n_samples": 4, "draws": 99},
    }
    run(chat(server), task, limit=2, **options)
    seeds = [each["seed"] for each in server.requests if each["temperature"] == 1.0]
    assert len(seeds) > 4
    assert len(set(seeds)) == len(seeds)


# ---- echo


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"echoes": 0}, "echoes .* log-probabilities for .* tokens"),
        ({"echoes": 2}, "echoes .* log-probabilities for .* tokens"),
        ({"n_top": 0}, "echoes no log-probabilities"),
        ({"takes_ids": False}, "refuses to echo"),
    ],
)
def test_multiple_choice_over_an_echo_that_is_wrong_is_refused(
    start: Start, demo: Any, settings: dict[str, Any], words: str
) -> None:
    lm = LocalCompletionsAPI(
        base_url=f"{start(**settings).url}/completions",
        model="letters",
        tokenizer=str(demo),
        tokenizer_backend="huggingface",
    )
    with pytest.raises(InputError, match=words):
        check_echo(lm)


def test_multiple_choice_over_a_whole_echo_passes_and_over_a_chat_does_not(start: Start, demo: Any) -> None:
    server = start()
    url = f"{server.url}/completions"
    check_echo(
        LocalCompletionsAPI(base_url=url, model="m", tokenizer=str(demo), tokenizer_backend="huggingface")
    )
    assert len(server.requests) == 1
    with pytest.raises(InputError, match="Multiple choice over this server"):
        check_echo(chat(server))
    check_echo(object())


def test_a_wrapped_choice_over_a_wrong_echo_is_refused_before_the_first_scored_request(
    start: Start, demo: Any, tmp_path: Path
) -> None:
    made_tasks.make(tmp_path, "arc", made_tasks.ARC, made_tasks.arc_documents(2))
    for echoes, n_requests in ((0, 1), (1, None)):
        server = start(echoes=echoes)
        lm = LocalCompletionsAPI(
            base_url=f"{server.url}/completions",
            model="letters",
            tokenizer=str(demo),
            tokenizer_backend="huggingface",
        )
        if n_requests is None:
            scripted.evaluate(lm, "sensitivity_arc", tmp_path)
            assert len(server.requests) > 8
            continue
        with pytest.raises(InputError, match=r"Task `sensitivity_arc` scores choices .* echoes"):
            scripted.evaluate(lm, "sensitivity_arc", tmp_path)
        assert len(server.requests) == n_requests


# ---- a real server: three answers of `vllm serve` 0.32.0 on a CPU over SmolLM2-135M-Instruct in single precision, to
# "Say hi in five words." (a chat, 3 log-probabilities), "The capital of France is" (5 tokens, 3 log-probabilities), and
# the same with `echo`, one token and one log-probability; the first two with `return_token_ids`


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(
        Path(__file__).with_name("vllm_server_answers.json").read_text(encoding="utf-8")
    )
    return found


@pytest.mark.parametrize("basis", ["ids", "server text"])
def test_a_chat_of_vllm_is_read_with_its_end_token(recorded: dict[str, dict[str, Any]], basis: Any) -> None:
    output = output_of(read_answer(recorded["chat"]), Decoding(40, ()), basis)
    trace = output.trace
    assert trace is not None and trace.margins is not None and trace.token_bytes is not None
    assert (output.text, output.n_prompt_tokens, trace.finish_reason) == (
        "Hi, welcome to my chat!",
        36,
        "end_token",
    )
    assert len(trace.token_ids) == len(trace.margins) == 8 and len(trace.content_ids) == 7
    assert (trace.token_ids.tolist()[-1] == 2) == (basis == "ids")
    assert trace.margins[0] == pytest.approx(2.642633 - 2.572339, abs=1e-5)
    decode = decoder_for(output, None)
    assert decode is not None and decode(trace.content_ids.tolist(), True) == output.text


def test_a_completion_of_vllm_shows_the_ids_of_its_prompt(recorded: dict[str, dict[str, Any]]) -> None:
    output = output_of(read_answer(recorded["completion"]), Decoding(5, ()), "ids")
    trace = output.trace
    assert trace is not None and trace.prompt_token_ids is not None
    assert trace.prompt_token_ids.tolist() == [504, 3575, 282, 4649, 314]
    assert (trace.token_ids.tolist(), trace.finish_reason) == ([7042, 30, 198, 198, 504], "length")


def test_the_echo_of_vllm_is_whole(recorded: dict[str, dict[str, Any]]) -> None:
    assert echoed(recorded["echo"]) == recorded["echo"]["usage"]["prompt_tokens"] + 1
